/** Whether to bid for an order, and what: a pure function of the order, the provider's offer and what it has left. */
import { parseAmount } from '@mu/lib/amounts';
import { Dec } from '@mu/lib/dec';
import type { Order, ResourceOffer } from '@mu/proto/market';
import { OrderState } from '@mu/proto/market';
import type { PriceList } from '@mu/proto/provider';
import { lacking, type Resources, type Taken } from './inventory.ts';
import { priceOf, type Rates } from './pricing.ts';

/** What a provider offers, from its config and its entry on the chain. */
export interface Offer {
  /** the provider, by its owner */
  readonly provider: string;
  readonly regions: readonly string[];
  readonly services: readonly string[];
  readonly attributes: readonly { readonly key: string; readonly value: string }[];
  readonly capacity: Resources;
  readonly rates: Rates;
  /** in umu; what one bid may lock in all */
  readonly maxCollateral: bigint;
  readonly priceList: PriceList | undefined;
}

export type Decision =
  | { readonly bid: true; readonly resources: readonly ResourceOffer[]; readonly priceListVersion: bigint }
  | { readonly bid: false; readonly reason: string };

/** @param taken by standing leases and open bids */
export function decide(order: Order, offer: Offer, taken: readonly Taken[]): Decision {
  const reason = whyNot(order, offer, taken);
  if (reason !== undefined) return { bid: false, reason };
  const resources = (order.spec?.resources ?? []).map((group) => ({
    compute: group.compute,
    price: priceOf(group.compute as NonNullable<typeof group.compute>, offer.rates).atomicsString(),
    collateral: group.collateral,
    count: group.count,
  }));
  return { bid: true, resources, priceListVersion: offer.priceList?.version ?? 0n };
}

/** The first reason not to bid, in words for the log. */
function whyNot(order: Order, offer: Offer, taken: readonly Taken[]): string | undefined {
  const { spec } = order;
  if (spec === undefined || order.state !== OrderState.ORDER_STATE_OPEN) return 'the order is not open';
  if (!offer.regions.includes(spec.region)) return `region ${spec.region} is not served`;
  if (spec.provider !== '' && spec.provider !== offer.provider) return 'the order names another provider';
  if (spec.excludedProviders.includes(offer.provider)) return 'the order excludes this provider';
  const missing = spec.services.filter((service) => !offer.services.includes(service));
  if (missing.length > 0) return `not offered: ${missing.join(', ')}`;
  const unmet = spec.attributes.filter(
    ({ key, value }) => !offer.attributes.some((own) => own.key === key && own.value === value),
  );
  if (unmet.length > 0) return `attributes not met: ${unmet.map(({ key }) => key).join(', ')}`;
  return tooDear(order, offer) ?? tooLarge(order, offer, taken);
}

function tooDear(order: Order, offer: Offer): string | undefined {
  for (const group of order.spec?.resources ?? []) {
    if (group.compute === undefined) return 'a resource group says no resources';
    if (group.compute.gpu !== undefined) return 'no GPU is offered';
    const own = priceOf(group.compute, offer.rates);
    const most = Dec.fromAtomics(group.price);
    if (own.gt(most)) return `the order pays ${most.toPlain()} umu per block, the price is ${own.toPlain()}`;
  }
  for (const limit of order.spec?.usageLimits ?? []) {
    const own = offer.priceList?.prices.find(({ metric }) => metric === limit.metric);
    // a/per ≤ b/per′ without dividing
    if (
      own !== undefined &&
      Dec.fromAtomics(own.price).mulInt(limit.maxPricePer).gt(Dec.fromAtomics(limit.maxPrice).mulInt(own.per))
    ) {
      return `the price of ${limit.metric} is above the order's limit`;
    }
  }
  return undefined;
}

function tooLarge(order: Order, offer: Offer, taken: readonly Taken[]): string | undefined {
  const groups = order.spec?.resources ?? [];
  const short = lacking(offer.capacity, taken, groups);
  if (short.length > 0) return `not enough ${short.join(', ')} left`;
  const collateral = groups.reduce((sum, group) => sum + parseAmount(group.collateral) * BigInt(group.count), 0n);
  return collateral > offer.maxCollateral ? `collateral of ${collateral} umu is above the configured most` : undefined;
}
