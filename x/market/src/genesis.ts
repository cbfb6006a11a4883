/** Genesis: the records alone; every index and counter of a provider is rebuilt from them. */
import type { Context } from '@mu/framework/context';
import { parseAmount } from '@mu/lib/amounts';
import {
  type Fulfillment,
  FulfillmentState,
  GenesisState,
  type Lease,
  LeaseState,
  type Order,
  type OrderId,
  OrderState,
} from '@mu/proto/market';
import { emptyLedger } from './interest.ts';
import { defaultParams, validateParams } from './params.ts';
import {
  authorityItem,
  fulfillments,
  interestItem,
  isLive,
  lastFulfillment,
  lastLease,
  leases,
  orderIdOf,
  orders,
  paramsItem,
  putFulfillment,
  putLease,
  putOrder,
} from './state.ts';

export function defaultGenesis(): GenesisState {
  return GenesisState.fromPartial({ params: defaultParams(), interest: emptyLedger() });
}

/** Genesis as a message may leave it: absent parameters are the defaults. */
function withParams(state: GenesisState): GenesisState & { params: NonNullable<GenesisState['params']> } {
  return { ...state, params: state.params ?? defaultParams() };
}

export function initGenesis(ctx: Context, state: GenesisState): void {
  const { params, authority } = withParams(state);
  paramsItem.set(ctx, params);
  authorityItem.set(ctx, authority);
  lastFulfillment.set(ctx, state.lastFulfillment);
  lastLease.set(ctx, state.lastLease);
  interestItem.set(ctx, state.interest ?? emptyLedger());
  for (const order of state.orders) putOrder(ctx, order, undefined);
  for (const bid of state.fulfillments) putFulfillment(ctx, bid, undefined);
  for (const lease of state.leases) putLease(ctx, lease, undefined);
}

export function exportGenesis(ctx: Context): GenesisState {
  return GenesisState.fromPartial({
    params: paramsItem.get(ctx),
    authority: authorityItem.get(ctx),
    orders: [...orders.iterate(ctx)].map(([, order]) => order),
    fulfillments: [...fulfillments.iterate(ctx)].map(([, bid]) => bid),
    leases: [...leases.iterate(ctx)].map(([, lease]) => lease),
    lastFulfillment: lastFulfillment.last(ctx),
    lastLease: lastLease.last(ctx),
    interest: interestItem.get(ctx),
  });
}

/** @throws Error with the path of what is wrong */
export function validateGenesis(state: GenesisState): void {
  validateParams(withParams(state).params);
  checkLedger(state);
  const byId = checkOrders(state.orders);
  checkBids(state, byId);
  checkLeases(state, byId);
}

function checkLedger({ interest, leases: list }: GenesisState): void {
  const { windowStart, minted, mintedTotal } = interest ?? emptyLedger();
  let sum = 0n;
  for (const lease of list) sum += parseAmount(lease.interest);
  if (windowStart < 0n || parseAmount(minted) > parseAmount(mintedTotal))
    throw new Error('interest: more in a window than in all');
  if (parseAmount(mintedTotal) !== sum)
    throw new Error(`interest.minted_total: ${mintedTotal}, the leases have ${sum}`);
}

function idText(id: OrderId | undefined): string {
  return id === undefined ? '' : `${id.owner.toLowerCase()}/${id.dseq}/${id.infrastructure}/${id.round}`;
}

function checkOrders(list: readonly Order[]): Map<string, Order> {
  const byId = new Map<string, Order>();
  list.forEach((order, at) => {
    const where = `orders[${at}]`;
    const id = idText(order.id);
    if (id === '' || order.spec === undefined) throw new Error(`${where}: id and spec are needed`);
    if (byId.has(id)) throw new Error(`${where}: order ${id} stands twice`);
    const states: readonly number[] = [
      OrderState.ORDER_STATE_OPEN,
      OrderState.ORDER_STATE_MATCHED,
      OrderState.ORDER_STATE_CLOSED,
    ];
    if (!states.includes(order.state)) throw new Error(`${where}.state: open, matched or closed`);
    if ((order.state === OrderState.ORDER_STATE_MATCHED) !== (order.lease !== 0n && order.closeReason === 0)) {
      throw new Error(`${where}.lease: an order has a lease and no close_reason while it is matched`);
    }
    byId.set(id, order);
  });
  return byId;
}

function checkBids(state: GenesisState, byId: Map<string, Order>): void {
  const open = new Map<string, number>();
  checkNumbers('fulfillments', state.fulfillments, state.lastFulfillment);
  state.fulfillments.forEach((bid: Fulfillment, at) => {
    const where = `fulfillments[${at}]`;
    const order = byId.get(idText(bid.order));
    if (order === undefined) throw new Error(`${where}.order: no such order`);
    if (bid.state !== FulfillmentState.FULFILLMENT_STATE_OPEN) return;
    if (order.state !== OrderState.ORDER_STATE_OPEN) throw new Error(`${where}.state: its order is not open`);
    open.set(idText(bid.order), (open.get(idText(bid.order)) ?? 0) + 1);
  });
  state.orders.forEach((order, at) => {
    const count = open.get(idText(order.id)) ?? 0;
    if (order.openBids !== count) throw new Error(`orders[${at}].open_bids: ${count} bids are open`);
    if ((order.dueHeight === 0n) !== (count === 0))
      throw new Error(`orders[${at}].due_height: 0 without a bid, else above`);
  });
}

function checkLeases(state: GenesisState, byId: Map<string, Order>): void {
  const live = new Map<string, bigint>();
  checkNumbers('leases', state.leases, state.lastLease);
  state.leases.forEach((lease: Lease, at) => {
    const where = `leases[${at}]`;
    const id = idText(lease.order);
    const order = byId.get(id);
    if (order?.lease !== lease.number) throw new Error(`${where}.order: the order does not name this lease`);
    if (lease.state === LeaseState.LEASE_STATE_UNSPECIFIED) throw new Error(`${where}.state: it has none`);
    if (!isLive(lease)) return;
    if (order.state !== OrderState.ORDER_STATE_MATCHED) throw new Error(`${where}.state: its order is not matched`);
    live.set(id, lease.number);
  });
  state.orders.forEach((order, at) => {
    if (order.state === OrderState.ORDER_STATE_MATCHED && live.get(idText(order.id)) !== order.lease) {
      throw new Error(`orders[${at}].lease: a matched order has a live lease`);
    }
  });
}

/** Numbers ascend, each once, and the counter is not below the last one. */
function checkNumbers(name: string, list: readonly { readonly number: bigint }[], last: bigint): void {
  let before = 0n;
  list.forEach(({ number }, at) => {
    if (number <= before) throw new Error(`${name}[${at}].number: ${number} does not ascend from ${before}`);
    before = number;
  });
  if (before > last) throw new Error(`last number of ${name} is ${last}, below ${before}`);
}

/** The order that a record names: for messages of invariants. */
export function describeOrder(record: Order | Fulfillment | Lease): string {
  return idText(orderIdOf(record));
}
