/**
 * The order machine: which orders are known, and what was done about each. Pure: an event and a state give the next state
 * and what is to be done.
 */
import { type Order, OrderState } from '@mu/proto/market';
import { orderKey } from '../watch/order-key.ts';

/** Where a provider stands with an order. */
export type Standing =
  | { readonly at: 'new'; readonly order: Order }
  | { readonly at: 'skipped'; readonly reason: string }
  | { readonly at: 'bidding' }
  | { readonly at: 'bid' };

export type BiddingState = ReadonlyMap<string, Standing>;

export type BiddingEvent =
  | { readonly type: 'order'; readonly order: Order }
  /** bids that stand on the chain: after a restart nothing is bid twice */
  | { readonly type: 'known-bid'; readonly key: string }
  | { readonly type: 'skipped'; readonly key: string; readonly reason: string }
  | { readonly type: 'bidding'; readonly key: string }
  | { readonly type: 'bid'; readonly key: string }
  | { readonly type: 'failed'; readonly key: string; readonly reason: string };

/** The state after an event. Orders that are over are forgotten. */
export function bidding(state: BiddingState, event: BiddingEvent): BiddingState {
  const next = new Map(state);
  switch (event.type) {
    case 'order': {
      const key = orderKey(event.order.id as NonNullable<Order['id']>);
      if (event.order.state !== OrderState.ORDER_STATE_OPEN) next.delete(key);
      else if (!next.has(key)) next.set(key, { at: 'new', order: event.order });
      return next;
    }
    case 'known-bid':
    case 'bid':
      return next.set(event.key, { at: 'bid' });
    case 'skipped':
    case 'failed':
      return next.set(event.key, { at: 'skipped', reason: event.reason });
    case 'bidding':
      return next.set(event.key, { at: 'bidding' });
  }
}

/** Orders that wait for a decision. */
export function undecided(state: BiddingState): Order[] {
  return [...state.values()].flatMap((standing) => (standing.at === 'new' ? [standing.order] : []));
}
