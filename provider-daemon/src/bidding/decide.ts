/** Whether an order is one to bid for, whatever is left: rules about the order and the offer alone. Pure. */
import { Dec } from '@mu/lib/dec';
import { type Order, OrderState } from '@mu/proto/market';
import type { Attribute, PriceList } from '@mu/proto/provider';
import type { Capacity } from './inventory.ts';
import { priceOf, type Rates } from './pricing.ts';

/** What a provider offers, from its config and its entry on the chain. */
export interface Offer {
  /** the provider, by its owner */
  readonly provider: string;
  readonly regions: readonly string[];
  readonly services: readonly string[];
  readonly attributes: readonly Attribute[];
  /** what auditors have stated of it */
  readonly attestations: readonly { readonly auditor: string; readonly attributes: readonly Attribute[] }[];
  /** owners of deployments that alone are served; empty: everybody */
  readonly allowOwners: readonly string[];
  /** owners of deployments that are not served; they stand above the ones allowed */
  readonly denyOwners: readonly string[];
  readonly capacity: Capacity;
  readonly rates: Rates;
  /** in umu; what one bid may lock in all */
  readonly maxCollateral: bigint;
  /** in umu; what all open bids and leases together may lock */
  readonly maxTotalCollateral: bigint;
  readonly maxOpenBids: number;
  readonly priceList: PriceList | undefined;
}

/** An order with the price of one replica, in umu per block, for each of its groups. */
export interface Priced {
  readonly order: Order;
  readonly prices: readonly Dec[];
}

/** The first reason not to bid that no price and no room would change, in words for the log. */
export function whyUnfit(order: Order, offer: Offer): string | undefined {
  const { spec, id } = order;
  if (spec === undefined || id === undefined || order.state !== OrderState.ORDER_STATE_OPEN)
    return 'the order is not open';
  if (offer.denyOwners.includes(id.owner)) return `its owner ${id.owner} is not served (bidding.deny_owners)`;
  if (offer.allowOwners.length > 0 && !offer.allowOwners.includes(id.owner))
    return `its owner ${id.owner} is not among bidding.allow_owners`;
  if (!offer.regions.includes(spec.region)) return `region ${spec.region} is not served`;
  if (spec.provider !== '' && spec.provider !== offer.provider) return 'the order names another provider';
  if (spec.excludedProviders.includes(offer.provider)) return 'the order excludes this provider';
  const missing = spec.services.filter((service) => !offer.services.includes(service));
  if (missing.length > 0) return `not offered: ${missing.join(', ')}`;
  if (spec.resources.some(({ compute }) => compute === undefined)) return 'a resource group says no resources';
  // Nobody pays for what he cannot get.
  if (spec.resources.some(({ compute }) => compute?.gpu !== undefined) && !spec.services.includes('mu-workload'))
    return 'it asks for a graphics processor, which only containers get (mu-workload)';
  return whyUnproven(order, offer) ?? whyUsageDear(order, offer);
}

/** Where auditors are named, one of them must have stated all that is asked: the provider's own word counts for nothing. */
function whyUnproven({ spec }: Order, offer: Offer): string | undefined {
  const { attributes = [], auditedBy = [] } = spec ?? {};
  const unmet = attributes.filter(({ key, value }) => !includes(offer.attributes, key, value));
  if (unmet.length > 0) return `attributes not met: ${unmet.map(({ key }) => key).join(', ')}`;
  if (auditedBy.length === 0) return undefined;
  const stated = offer.attestations.some(
    (one) =>
      auditedBy.includes(one.auditor) && attributes.every(({ key, value }) => includes(one.attributes, key, value)),
  );
  return stated ? undefined : `none of the auditors that the order names has attested this: ${auditedBy.join(', ')}`;
}

function includes(attributes: readonly Attribute[], key: string, value: string): boolean {
  return attributes.some((own) => own.key === key && own.value === value);
}

function whyUsageDear({ spec }: Order, { priceList }: Offer): string | undefined {
  for (const limit of spec?.usageLimits ?? []) {
    const own = priceList?.prices.find(({ metric }) => metric === limit.metric);
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

/** What the rates make of an order. */
export function priced(order: Order, { rates, capacity }: Offer): Priced {
  const prices = (order.spec?.resources ?? []).map(({ compute }) =>
    compute === undefined ? rates.floor : priceOf(compute, rates, capacity.gpus),
  );
  return { order, prices };
}

/** Why the order would not be won, or the chain refuse the bid, at these prices. */
export function whyTooDear({ order, prices }: Priced): string | undefined {
  for (const [at, group] of (order.spec?.resources ?? []).entries()) {
    const own = prices[at];
    if (own === undefined) return 'a resource group has no price';
    const most = Dec.fromAtomics(group.price);
    if (own.gt(most)) return `the order pays ${most.toPlain()} umu per block, the price is ${own.toPlain()}`;
    // The chain takes no bid of 0 (x/market, 13).
    if (!own.isPositive()) return 'the price is not above 0: set pricing.floor';
  }
  return undefined;
}
