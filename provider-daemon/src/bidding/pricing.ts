/** What a provider asks for a replica: rates of its config times what the replica gets. Pure. */
import { Dec } from '@mu/lib/dec';
import type { Compute } from '@mu/proto/deployment';
import { type GpuPool, matches } from './gpus.ts';

/** Rates in umu per block. */
export interface Rates {
  /** for a thousandth of a core */
  readonly cpu: Dec;
  /** for a MiB of memory */
  readonly memoryMib: Dec;
  /** for a GiB of disk */
  readonly diskGib: Dec;
  /** for a graphics processor whose model has no rate of its own */
  readonly gpu: Dec;
  /** for a graphics processor, by `vendor/model` */
  readonly gpuModels: readonly { readonly name: string; readonly price: Dec }[];
  /** the least price of a replica */
  readonly floor: Dec;
}

const mib = 1_048_576n;
const gib = 1_073_741_824n;

/** The price of one replica in umu per block. @param gpus that are offered */
export function priceOf(compute: Compute, rates: Rates, gpus: readonly GpuPool[] = []): Dec {
  const price = rates.cpu
    .mulInt(BigInt(compute.cpu))
    .add(rates.memoryMib.mulInt(compute.memory).quoInt(mib))
    .add(rates.diskGib.mulInt(compute.disk).quoInt(gib))
    .add(gpuPrice(compute, rates, gpus));
  return price.lt(rates.floor) ? rates.floor : price;
}

/** Who takes any model may get the dearest one, so that one is asked for. */
function gpuPrice({ gpu }: Compute, { gpu: usual, gpuModels }: Rates, gpus: readonly GpuPool[]): Dec {
  if (gpu === undefined) return Dec.zero;
  const prices = gpus
    .filter((pool) => matches(pool, gpu))
    .map(({ vendor, model }) => gpuModels.find(({ name }) => name === `${vendor}/${model}`)?.price ?? usual);
  const [first = usual, ...others] = prices;
  return others.reduce((most, price) => (price.gt(most) ? price : most), first).mulInt(BigInt(gpu.count));
}
