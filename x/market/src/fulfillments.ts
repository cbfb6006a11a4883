/** Pure rules of bids: who may make one, what it may offer, and the total by which bids compare. */
import { sameAddress } from '@mu/framework/message-registry';
import { parseAmount } from '@mu/lib/amounts';
import { equalBytes } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import { Compute, type DeploymentInfrastructure, type ResourceGroup } from '@mu/proto/deployment';
import type { ResourceOffer } from '@mu/proto/market';
import { type MetricPrice, type PriceList, type Provider, ProviderState } from '@mu/proto/provider';
import {
  errOtherProviderChosen,
  errPrice,
  errPriceList,
  errProviderExcluded,
  errProviderInactive,
  errRegion,
  errResources,
  errServices,
  errTotal,
  errUsagePrice,
} from './errors.ts';

/** @throws AbciError inactive (6), region (7), another one chosen (8), excluded (9), services (10) */
export function checkProvider(spec: DeploymentInfrastructure, provider: Provider): void {
  if (provider.state !== ProviderState.PROVIDER_STATE_ACTIVE) throw errProviderInactive.bare();
  if (!provider.regions.includes(spec.region)) throw errRegion.wrap(spec.region);
  if (spec.provider !== '' && !sameAddress(spec.provider, provider.owner)) {
    throw errOtherProviderChosen.wrap(spec.provider);
  }
  if (spec.excludedProviders.some((one) => sameAddress(one, provider.owner))) throw errProviderExcluded.bare();
  const missing = spec.services.find((service) => !provider.services.includes(service));
  if (missing !== undefined) throw errServices.wrap(missing);
}

/** @throws AbciError resources (12) unless equal group by group, price (13) */
export function checkOffer(spec: DeploymentInfrastructure, offers: readonly ResourceOffer[]): void {
  if (offers.length !== spec.resources.length) {
    throw errResources.wrap(`${offers.length} groups, the order has ${spec.resources.length}`);
  }
  offers.forEach((offer, at) => {
    const group = spec.resources[at] as ResourceGroup;
    if (!sameCompute(offer.compute, group.compute)) throw errResources.wrap(`compute of group ${at}`);
    if (offer.count !== group.count) throw errResources.wrap(`count of group ${at} is ${group.count}`);
    if (offer.collateral !== group.collateral)
      throw errResources.wrap(`collateral of group ${at} is ${group.collateral}`);
    const price = priceOf(offer, at);
    if (!price.isPositive()) throw errPrice.wrap(`price of group ${at}`);
    if (price.gt(Dec.fromAtomics(group.price))) {
      throw errPrice.wrap(
        `price of group ${at} is ${price.toPlain()}, the order's ${Dec.fromAtomics(group.price).toPlain()}`,
      );
    }
  });
}

function sameCompute(a: Compute | undefined, b: Compute | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return equalBytes(Compute.encode(a).finish(), Compute.encode(b).finish());
}

function priceOf(offer: ResourceOffer, at: number): Dec {
  try {
    return Dec.fromAtomics(offer.price);
  } catch {
    throw errPrice.wrap(`price of group ${at} is no decimal`);
  }
}

/**
 * The list must be the provider's latest, so that nobody bids by prices it no longer publishes; without usage limits
 * all usage is free of charge and no list is needed.
 * @throws AbciError price list (14), usage price (15)
 */
export function checkPriceList(
  spec: DeploymentInfrastructure,
  provider: Provider,
  version: bigint,
  list: PriceList | undefined,
): void {
  if (version === 0n && spec.usageLimits.length === 0) return;
  if (version === 0n || version !== provider.priceListVersion || list === undefined) {
    throw errPriceList.wrap(`version ${version}, the latest is ${provider.priceListVersion}`);
  }
  for (const limit of spec.usageLimits) {
    const price = list.prices.find(({ metric }) => metric === limit.metric);
    if (price === undefined) continue;
    // price / per ≤ max_price / max_price_per, without a division
    const asked = Dec.fromAtomics(price.price).atomics * limit.maxPricePer;
    if (asked > Dec.fromAtomics(limit.maxPrice).atomics * price.per) throw errUsagePrice.wrap(limit.metric);
  }
}

/** Price per block in atomics of umu: Σ price × count. */
function pricesInAtomics(offers: readonly ResourceOffer[]): bigint {
  return offers.reduce((sum, { price, count }) => sum + Dec.fromAtomics(price).atomics * BigInt(count), 0n);
}

/** What a lease costs per block. @throws AbciError total (38) beyond the bound of a Dec */
export function pricePerBlock(offers: readonly ResourceOffer[]): Dec {
  return bounded(pricesInAtomics(offers));
}

/**
 * Σ price × count plus the expected usage at the list's prices, each metric rounded up to 10⁻¹⁸ umu. A metric without a
 * limit or not in the list is free of charge.
 * @throws AbciError total (38) beyond the bound of a Dec
 */
export function bidTotal(
  spec: DeploymentInfrastructure,
  offers: readonly ResourceOffer[],
  list: PriceList | undefined,
): Dec {
  let atomics = pricesInAtomics(offers);
  for (const { metric, quantityPerBlock } of spec.expectedUsage) {
    if (!spec.usageLimits.some((limit) => limit.metric === metric)) continue;
    const price = list?.prices.find((one) => one.metric === metric);
    if (price !== undefined) atomics += usageAtomics(price, quantityPerBlock);
  }
  return bounded(atomics);
}

function usageAtomics({ price, per }: MetricPrice, quantity: bigint): bigint {
  return (Dec.fromAtomics(price).atomics * quantity + per - 1n) / per;
}

function bounded(atomics: bigint): Dec {
  try {
    return Dec.fromAtomics(atomics);
  } catch {
    throw errTotal.bare();
  }
}

/** What the provider locks: Σ collateral × count, in umu. */
export function bidCollateral(offers: readonly ResourceOffer[]): bigint {
  return offers.reduce((sum, { collateral, count }) => sum + parseAmount(collateral) * BigInt(count), 0n);
}
