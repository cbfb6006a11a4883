/**
 * The order machine: which orders are known, where the provider stands with each, and what its bids hold. Pure: a state
 * and an event give the next state.
 *
 * What a bid holds is held from the decision to send it until the chain says that it was lost or canceled, or until its
 * lease has been told to the lease keeper; from then on the lease holds it. In between neither both nor none is counted:
 * a bid whose order has a lease here is left out of `heldByBids`, and a bid that was matched is kept until the lease keeper
 * knows every lease of the block of the match.
 */
import { type Order, type OrderId, OrderState } from '@mu/proto/market';
import { orderKey } from '../watch/order-key.ts';
import type { Held } from './inventory.ts';

/** A bid that was sent or stands. */
export interface OwnBid extends Held {
  /** number on the chain; 0 before it is known */
  readonly number: bigint;
}

/** Where a provider stands with an order. */
export type OrderStanding =
  | {
      readonly at: 'new';
      readonly order: Order;
      readonly failures: number;
      /** why there was no bid when it was looked at last */
      readonly before?: string;
    }
  /** `room`: looked at again when something comes back; `soon`: in the next block; `ever`: never */
  | {
      readonly at: 'skipped';
      readonly order: Order;
      readonly reason: string;
      readonly lasting: 'ever' | 'room' | 'soon';
      readonly failures: number;
    }
  | { readonly at: 'sending'; readonly order: Order; readonly bid: OwnBid; readonly failures: number }
  | {
      readonly at: 'bid';
      readonly bid: OwnBid;
      /** absent for bids found after a restart */
      readonly order?: Order;
      /** the chain is to be asked how it stands */
      readonly check: boolean;
      /** a cancellation is on its way */
      readonly canceling: boolean;
      /** block of its match, once known */
      readonly matchedAt?: bigint;
    };

export type BiddingState = ReadonlyMap<string, OrderStanding>;

export type BiddingEvent =
  | { readonly type: 'order'; readonly order: Order }
  | { readonly type: 'skipped'; readonly key: string; readonly reason: string; readonly lasting: 'ever' | 'room' }
  | { readonly type: 'sending'; readonly key: string; readonly bid: Held }
  /** the bid is in a block; known bids of before a restart too */
  | { readonly type: 'bid'; readonly key: string; readonly bid: OwnBid }
  /** the bid is not on the chain, and never will be; `again`: nothing speaks against another try */
  | { readonly type: 'failed'; readonly key: string; readonly reason: string; readonly again: boolean }
  | { readonly type: 'canceling'; readonly key: string; readonly canceling: boolean }
  /** what the chain says of a bid */
  | { readonly type: 'stands'; readonly key: string }
  | { readonly type: 'lost' | 'canceled'; readonly key: string }
  | { readonly type: 'matched'; readonly key: string; readonly height: bigint }
  /** the lease keeper knows every lease of up to this height */
  | { readonly type: 'leases'; readonly height: bigint }
  /** a block's orders have been told; with `open`, the keys of all that are open */
  | { readonly type: 'orders'; readonly open?: ReadonlySet<string> }
  /** something that was held came back */
  | { readonly type: 'room' };

/** A bid whose sending failed so often without the chain saying why is let be until there is more room. */
const maxFailures = 5;

/** The state after some events, in their order. */
export function bidding(state: BiddingState, ...events: readonly BiddingEvent[]): BiddingState {
  let next = new Map(state);
  for (const event of events) {
    if (event.type === 'leases') next = withoutLeased(next, event.height);
    else if (event.type === 'orders') next = onOrders(next, event.open);
    else if (event.type === 'room')
      next = mapped(next, (one) => (waitsFor(one, 'room') ? fresh(one.order, 0, one.reason) : one));
    else onOne(next, event);
  }
  return next;
}

function onOne(
  state: Map<string, OrderStanding>,
  event: Exclude<BiddingEvent, { type: 'leases' | 'orders' | 'room' }>,
): void {
  const key = event.type === 'order' ? orderKey(event.order.id as OrderId) : event.key;
  const known = state.get(key);
  const next = event.type === 'order' ? onOrder(known, event.order) : onOwn(known, event);
  if (next === undefined) state.delete(key);
  else state.set(key, next);
}

const fresh = (order: Order, failures: number, before?: string): OrderStanding => ({
  at: 'new',
  order,
  failures,
  ...(before === undefined ? {} : { before }),
});

function onOrder(known: OrderStanding | undefined, order: Order): OrderStanding | undefined {
  const open = order.state === OrderState.ORDER_STATE_OPEN;
  if (known === undefined) return open ? fresh(order, 0) : undefined;
  // Something happened to an order that is bid for: the bid may have been evicted, matched or lost by it.
  if (known.at === 'bid') return { ...known, order, check: true };
  if (known.at === 'sending') return { ...known, order };
  return open ? known : undefined;
}

type OwnEvent = Exclude<BiddingEvent, { type: 'order' | 'leases' | 'orders' | 'room' }>;

function onOwn(known: OrderStanding | undefined, event: OwnEvent): OrderStanding | undefined {
  if (event.type === 'bid') {
    const order = known?.order === undefined ? {} : { order: known.order };
    // An order that went on while the answer was awaited may have taken the bid with it.
    const check = known !== undefined && known.order?.state !== OrderState.ORDER_STATE_OPEN;
    return { at: 'bid', bid: event.bid, ...order, check, canceling: false };
  }
  if (known === undefined) return undefined;
  if (known.at === 'bid') return onStanding(known, event);
  if (event.type === 'sending') {
    return { at: 'sending', order: known.order, bid: { ...event.bid, number: 0n }, failures: known.failures };
  }
  if (event.type === 'skipped') {
    const { reason, lasting } = event;
    return { at: 'skipped', order: known.order, reason, lasting, failures: known.failures };
  }
  return event.type === 'failed' ? onFailed(known, event) : known;
}

function onFailed(
  { order, failures }: Exclude<OrderStanding, { at: 'bid' }>,
  { reason, again }: Extract<OwnEvent, { type: 'failed' }>,
): OrderStanding | undefined {
  if (order.state !== OrderState.ORDER_STATE_OPEN) return undefined;
  const lasting = again ? (failures + 1 < maxFailures ? 'soon' : 'room') : 'ever';
  return { at: 'skipped', order, reason, lasting, failures: failures + 1 };
}

function onStanding(
  known: Extract<OrderStanding, { at: 'bid' }>,
  event: Exclude<OwnEvent, { type: 'bid' }>,
): OrderStanding | undefined {
  const order = known.order?.state === OrderState.ORDER_STATE_OPEN ? known.order : undefined;
  switch (event.type) {
    case 'stands':
      return { ...known, check: false };
    case 'canceling':
      return { ...known, canceling: event.canceling, check: known.check || !event.canceling };
    case 'matched':
      return { ...known, check: false, matchedAt: event.height };
    case 'lost':
      // Who was evicted was too dear: the same bid would be refused.
      return order && { at: 'skipped', order, reason: 'cheaper bids fill the book', lasting: 'ever', failures: 0 };
    case 'canceled':
      return order && fresh(order, 0);
    default:
      return known;
  }
}

/** Bids that were matched are let go: their leases hold now what they held. */
function withoutLeased(state: BiddingState, height: bigint): Map<string, OrderStanding> {
  return new Map([...state].filter(([, one]) => one.at !== 'bid' || (one.matchedAt ?? height + 1n) > height));
}

function onOrders(state: BiddingState, open: ReadonlySet<string> | undefined): Map<string, OrderStanding> {
  const next = new Map<string, OrderStanding>();
  for (const [key, one] of state) {
    if (one.at === 'bid') {
      next.set(key, open === undefined ? one : { ...one, check: one.check || one.matchedAt === undefined });
    } else if (one.at === 'sending' || open === undefined || open.has(key)) {
      next.set(key, waitsFor(one, 'soon') ? fresh(one.order, one.failures, one.reason) : one);
    }
    // What is left out was not among the open orders any more.
  }
  return next;
}

function waitsFor(one: OrderStanding, lasting: 'room' | 'soon'): one is Extract<OrderStanding, { at: 'skipped' }> {
  return one.at === 'skipped' && one.lasting === lasting;
}

function mapped(state: BiddingState, change: (one: OrderStanding) => OrderStanding): Map<string, OrderStanding> {
  return new Map([...state].map(([key, one]) => [key, change(one)]));
}

/** Orders that wait for a decision, by key. */
export function undecided(state: BiddingState): ReadonlyMap<string, Extract<OrderStanding, { at: 'new' }>> {
  return new Map([...state].flatMap(([key, one]) => (one.at === 'new' ? [[key, one] as const] : [])));
}

/** What bids hold. @param leased orders by key that have a lease here: what they held is the lease's now */
export function heldByBids(state: BiddingState, leased: ReadonlySet<string>): ReadonlyMap<string, OwnBid> {
  return new Map(
    [...state].flatMap(([key, one]) =>
      (one.at === 'bid' || one.at === 'sending') && !leased.has(key) ? [[key, one.bid] as const] : [],
    ),
  );
}

/** Collateral in umu of bids that are on their way. */
export function lockedOnTheWay(state: BiddingState): bigint {
  let sum = 0n;
  for (const one of state.values()) if (one.at === 'sending') sum += one.bid.collateral;
  return sum;
}

/** Bids on the chain that are to be asked about. */
export function unchecked(state: BiddingState): ReadonlyMap<string, OwnBid> {
  return new Map([...state].flatMap(([key, one]) => (one.at === 'bid' && one.check ? [[key, one.bid] as const] : [])));
}

/** Bids that stand and are not being canceled. */
export function cancelable(state: BiddingState): ReadonlyMap<string, OwnBid> {
  return new Map(
    [...state].flatMap(([key, one]) =>
      one.at === 'bid' && !one.canceling && !one.check && one.matchedAt === undefined ? [[key, one.bid] as const] : [],
    ),
  );
}
