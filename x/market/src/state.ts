/** The market's records and their indexes. Only the `put…` functions write them, so that index and table agree. */
import { bytesKey, Collection, Counter, Item, KeySet, type MessageCodec, u64Key } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { addressBytes } from '@mu/framework/message-registry';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import {
  Fulfillment,
  FulfillmentState,
  InterestLedger,
  Lease,
  LeaseState,
  Order,
  type OrderId,
  OrderState,
  Params,
} from '@mu/proto/market';
import {
  type DeploymentKey,
  deploymentNumberKey,
  dueOrderKey,
  heightNumberKey,
  type OrderKey,
  orderKey,
  orderNumberKey,
  orderTotalKey,
  prefixes,
  providerNumberKey,
  providerOrderKey,
  regionOrderKey,
  moduleName as store,
} from './keys.ts';

const textCodec: MessageCodec<string> = { encode: (text) => ({ finish: () => utf8(text) }), decode: fromUtf8 };
const countCodec: MessageCodec<bigint> = {
  encode: (count) => ({ finish: () => u64Key.encode(count) }),
  decode: (bytes) => u64Key.decode(bytes, 0)[0],
};

export const paramsItem = new Item<Params>(store, prefixes.params, Params);
export const authorityItem = new Item<string>(store, prefixes.authority, textCodec);
export const lastFulfillment = new Counter(store, prefixes.lastFulfillment);
export const lastLease = new Counter(store, prefixes.lastLease);
export const interestItem = new Item<InterestLedger>(store, prefixes.interest, InterestLedger);

export const orders = new Collection<OrderKey, Order>(store, prefixes.orders, orderKey, Order);
export const openOrdersByRegion = new KeySet(store, prefixes.openOrdersByRegion, regionOrderKey);
export const openOrders = new KeySet(store, prefixes.openOrders, orderKey);
export const dueOrders = new KeySet(store, prefixes.dueOrders, dueOrderKey);

export const fulfillments = new Collection<bigint, Fulfillment>(store, prefixes.fulfillments, u64Key, Fulfillment);
export const openBidsByTotal = new KeySet(store, prefixes.openBidsByTotal, orderTotalKey);
export const openBidsByProvider = new KeySet(store, prefixes.openBidsByProvider, providerOrderKey);
export const fulfillmentsByOrder = new KeySet(store, prefixes.fulfillmentsByOrder, orderNumberKey);
export const fulfillmentsByProvider = new KeySet(store, prefixes.fulfillmentsByProvider, providerNumberKey);
export const openBidCount = new Collection<Uint8Array, bigint>(store, prefixes.openBidCount, bytesKey, countCodec);

export const leases = new Collection<bigint, Lease>(store, prefixes.leases, u64Key, Lease);
export const leasesByProvider = new KeySet(store, prefixes.leasesByProvider, providerNumberKey);
export const leasesByDeployment = new KeySet(store, prefixes.leasesByDeployment, deploymentNumberKey);
export const liveLeasesByProvider = new KeySet(store, prefixes.liveLeasesByProvider, providerNumberKey);
export const liveLeasesByDeployment = new KeySet(store, prefixes.liveLeasesByDeployment, deploymentNumberKey);
export const confirmByQueue = new KeySet(store, prefixes.confirmBy, heightNumberKey);
export const graceQueue = new KeySet(store, prefixes.graceUntil, heightNumberKey);
export const liveLeaseCount = new Collection<Uint8Array, bigint>(store, prefixes.liveLeaseCount, bytesKey, countCodec);

/** An order, bid or lease of the state always names its order. */
export function orderIdOf(record: {
  readonly order?: OrderId | undefined;
  readonly id?: OrderId | undefined;
}): OrderId {
  const id = record.order ?? record.id;
  if (id === undefined) throw new Error('a record of the market names no order');
  return id;
}

/** @throws AbciError invalid address (7) */
export function orderKeyOf(ctx: Context, id: OrderId): OrderKey {
  return [addressBytes(id.owner, ctx.chain.bech32Prefix), id.dseq, id.infrastructure, id.round];
}

/** @throws AbciError invalid address (7) */
export function deploymentKeyOf(ctx: Context, id: { readonly owner: string; readonly dseq: bigint }): DeploymentKey {
  return [addressBytes(id.owner, ctx.chain.bech32Prefix), id.dseq];
}

/** Whether a lease is neither broken nor closed: its collateral is locked. */
export function isLive(lease: Lease): boolean {
  return lease.state === LeaseState.LEASE_STATE_ACTIVE || lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
}

/** Moves a key of an index from where it stood to where it stands; undefined: nowhere. */
function move<K>(ctx: Context, index: KeySet<K>, from: K | undefined, to: K | undefined): void {
  if (from !== undefined) index.delete(ctx, from);
  if (to !== undefined) index.add(ctx, to);
}

function changeCount(ctx: Context, counts: Collection<Uint8Array, bigint>, provider: Uint8Array, by: bigint): void {
  const count = (counts.get(ctx, provider) ?? 0n) + by;
  if (count === 0n) counts.delete(ctx, provider);
  else counts.set(ctx, provider, count);
}

/** @param before as it stands in the state; undefined for a new one */
export function putOrder(ctx: Context, order: Order, before: Order | undefined): void {
  const key = orderKeyOf(ctx, orderIdOf(order));
  const wasOpen = before?.state === OrderState.ORDER_STATE_OPEN;
  const isOpen = order.state === OrderState.ORDER_STATE_OPEN;
  if (wasOpen !== isOpen) {
    const regional = [order.spec?.region ?? '', ...key] as const;
    move(ctx, openOrdersByRegion, wasOpen ? regional : undefined, isOpen ? regional : undefined);
    move(ctx, openOrders, wasOpen ? key : undefined, isOpen ? key : undefined);
  }
  const dueBefore = wasOpen ? before.dueHeight : 0n;
  const dueNow = isOpen ? order.dueHeight : 0n;
  if (dueBefore !== dueNow) {
    const at = (due: bigint) => (due === 0n ? undefined : ([due, ...key] as const));
    move(ctx, dueOrders, at(dueBefore), at(dueNow));
  }
  orders.set(ctx, key, order);
}

/** @param before as it stands in the state; undefined for a new one */
export function putFulfillment(ctx: Context, bid: Fulfillment, before: Fulfillment | undefined): void {
  const order = orderKeyOf(ctx, orderIdOf(bid));
  const provider = addressBytes(bid.provider, ctx.chain.bech32Prefix);
  const wasOpen = before?.state === FulfillmentState.FULFILLMENT_STATE_OPEN;
  const isOpen = bid.state === FulfillmentState.FULFILLMENT_STATE_OPEN;
  if (wasOpen !== isOpen) {
    const byTotal = [...order, Dec.fromAtomics(bid.total).atomics, bid.number] as const;
    const byProvider = [provider, ...order, bid.number] as const;
    move(ctx, openBidsByTotal, wasOpen ? byTotal : undefined, isOpen ? byTotal : undefined);
    move(ctx, openBidsByProvider, wasOpen ? byProvider : undefined, isOpen ? byProvider : undefined);
    changeCount(ctx, openBidCount, provider, isOpen ? 1n : -1n);
  }
  if (before === undefined) {
    fulfillmentsByOrder.add(ctx, [...order, bid.number]);
    fulfillmentsByProvider.add(ctx, [provider, bid.number]);
  }
  fulfillments.set(ctx, bid.number, bid);
}

/** @param before as it stands in the state; undefined for a new one */
export function putLease(ctx: Context, lease: Lease, before: Lease | undefined): void {
  const deployment = deploymentKeyOf(ctx, orderIdOf(lease));
  const provider = addressBytes(lease.provider, ctx.chain.bech32Prefix);
  const byDeployment = [...deployment, lease.number] as const;
  const byProvider = [provider, lease.number] as const;
  const wasLive = before !== undefined && isLive(before);
  const live = isLive(lease);
  if (wasLive !== live) {
    move(ctx, liveLeasesByDeployment, wasLive ? byDeployment : undefined, live ? byDeployment : undefined);
    move(ctx, liveLeasesByProvider, wasLive ? byProvider : undefined, live ? byProvider : undefined);
    changeCount(ctx, liveLeaseCount, provider, live ? 1n : -1n);
  }
  const [deadlineBefore, graceBefore] = queueHeights(before);
  const [deadline, grace] = queueHeights(lease);
  const at = (height: bigint | undefined) => (height === undefined ? undefined : ([height, lease.number] as const));
  if (deadlineBefore !== deadline) move(ctx, confirmByQueue, at(deadlineBefore), at(deadline));
  if (graceBefore !== grace) move(ctx, graceQueue, at(graceBefore), at(grace));
  if (before === undefined) {
    leasesByDeployment.add(ctx, byDeployment);
    leasesByProvider.add(ctx, byProvider);
  }
  leases.set(ctx, lease.number, lease);
}

/** Heights at which a lease stands in the queues of deadlines and of graces. */
function queueHeights(lease: Lease | undefined): [bigint | undefined, bigint | undefined] {
  if (lease?.state === LeaseState.LEASE_STATE_ACTIVE) return [lease.confirmBy, undefined];
  if (lease?.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS) return [undefined, lease.graceUntil];
  return [undefined, undefined];
}
