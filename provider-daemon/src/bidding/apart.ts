/**
 * A standby holds a deployment's manifest for the case that its holder is gone: it is worth nothing in the same hands. So a
 * provider that has anything of a deployment does not bid for its standbys, and one that has a standby for nothing else; but
 * for what is ordered again: then somebody is gone, and serving comes before standing by.
 */
import { isStandby } from '@mu/client/stack/standby';
import type { Lease, Order, OrderId } from '@mu/proto/market';
import type { OrderNames } from '../leases/order-names.ts';
import { orderIdOf, orderKey } from '../watch/order-key.ts';
import type { BiddingState } from './bidding.ts';

/** Of an order; a further one follows when its lease is lost, or is to be replaced. */
const firstRound = 1;

/** A lease or a bid of this provider's. */
export interface OwnPlace {
  readonly order: OrderId;
  /** Name of the infrastructure; '' where it is not known any more. */
  readonly infrastructure: string;
}

/** Why an order is not to be bid for beside what is held here; it may be once that has ended. Pure. */
export function whyApart({ id, spec }: Pick<Order, 'id' | 'spec'>, own: readonly OwnPlace[]): string | undefined {
  const others = own.filter(({ order }) => id !== undefined && isOfSame(order, id) && orderKey(order) !== orderKey(id));
  if (others.length === 0) return undefined;
  if (isStandby(spec?.name ?? '')) return 'a standby of a deployment of which something is held here';
  const isAgain = id !== undefined && id.round > firstRound;
  return !isAgain && others.some(({ infrastructure }) => isStandby(infrastructure))
    ? 'a standby of the deployment is held here'
    : undefined;
}

/** Standbys come last: who cannot have both is to serve. */
export function standbysLast(a: Order, b: Order): number {
  return Number(isStandby(a.spec?.name ?? '')) - Number(isStandby(b.spec?.name ?? ''));
}

const isOfSame = (a: Pick<OrderId, 'owner' | 'dseq'>, b: Pick<OrderId, 'owner' | 'dseq'>): boolean =>
  a.owner === b.owner && a.dseq === b.dseq;

/** What this provider holds, by leases and bids, of the deployments of these orders. @throws where the chain cannot be asked */
export async function ownPlaces(
  orders: readonly Order[],
  held: { readonly leases: readonly Lease[]; readonly bids: BiddingState },
  names: Pick<OrderNames, 'of'>,
): Promise<OwnPlace[]> {
  const deployments = new Set(orders.map(({ id }) => `${id?.owner}/${id?.dseq}`));
  const concerned = ({ owner, dseq }: OrderId): boolean => deployments.has(`${owner}/${dseq}`);
  const leased = held.leases.flatMap(({ order }) => (order !== undefined && concerned(order) ? [order] : []));
  const bidden = [...held.bids].flatMap(([key, one]) =>
    one.at === 'bid' || one.at === 'sending' ? [{ id: orderIdOf(key), order: one.order }] : [],
  );
  const named = await Promise.all(leased.map(async (order) => ({ order, infrastructure: await names.of({ order }) })));
  const bids = await Promise.all(
    bidden
      .filter(({ id }) => concerned(id))
      .map(async ({ id, order }) => ({
        order: id,
        infrastructure: order?.spec?.name ?? (await names.of({ order: id })),
      })),
  );
  return [...named, ...bids];
}
