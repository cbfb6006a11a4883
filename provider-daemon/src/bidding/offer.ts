/** What the config says of an offer, and where a provider says that it wants no new leases. */
import { join } from 'node:path';
import type { PriceList } from '@mu/proto/provider';
import type { ProviderConfig } from '../config/schema.ts';
import type { Offer } from './decide.ts';
import type { Capacity } from './inventory.ts';

/** An offer without what auditors say of the provider, which only the chain knows. */
export type OwnOffer = Omit<Offer, 'attestations'>;

export function offerOf(
  { offer, pricing, bidding }: ProviderConfig,
  of: { readonly provider: string; readonly capacity: Capacity; readonly priceList: PriceList | undefined },
): OwnOffer {
  const { cpu, memoryMib, diskGib, gpu, gpuModels, floor } = pricing;
  const { maxCollateral, maxTotalCollateral, maxOpenBids, allowOwners, denyOwners } = bidding;
  return {
    ...of,
    ...offer,
    rates: { cpu, memoryMib, diskGib, gpu, gpuModels, floor },
    maxCollateral,
    maxTotalCollateral,
    maxOpenBids,
    allowOwners,
    denyOwners,
  };
}

/** While this file is there nothing is bid for, and open bids are taken back; leases run on. It survives a restart. */
export function drainFile(dataFolder: string): string {
  return join(dataFolder, 'drain');
}
