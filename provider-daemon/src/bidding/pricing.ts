/** What a provider asks for a replica: rates of its config times what the replica gets. */
import type { Dec } from '@mu/lib/dec';
import type { Compute } from '@mu/proto/deployment';

/** Rates in umu per block. */
export interface Rates {
  /** for a thousandth of a core */
  readonly cpu: Dec;
  /** for a MiB of memory */
  readonly memoryMib: Dec;
  /** for a GiB of disk */
  readonly diskGib: Dec;
  /** the least price of a replica */
  readonly floor: Dec;
}

const mib = 1_048_576n;
const gib = 1_073_741_824n;

/** The price of one replica in umu per block. */
export function priceOf(compute: Compute, rates: Rates): Dec {
  const price = rates.cpu
    .mulInt(BigInt(compute.cpu))
    .add(rates.memoryMib.mulInt(compute.memory).quoInt(mib))
    .add(rates.diskGib.mulInt(compute.disk).quoInt(gib));
  return price.lt(rates.floor) ? rates.floor : price;
}
