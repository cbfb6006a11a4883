import { describe, expect, test } from '@jest/globals';
import { OrderState } from '@mu/proto/market';
import {
  type BiddingEvent,
  type BiddingState,
  bidding,
  cancelable,
  heldByBids,
  type OwnBid,
  unchecked,
  undecided,
} from '../../src/bidding/bidding.ts';
import { compute, order } from './fixture.ts';

const key = 'mu1owner/7/0/1';
const bid: OwnBid = { number: 4n, resources: [{ compute, count: 2 }], collateral: 200n };
const matched = { ...order(), state: OrderState.ORDER_STATE_MATCHED };
const closed = { ...order(), state: OrderState.ORDER_STATE_CLOSED };

const after = (...events: BiddingEvent[]): BiddingState => bidding(new Map(), ...events);
const heard: BiddingEvent = { type: 'order', order: order() };
const sending: BiddingEvent = { type: 'sending', key, bid };
const stands: BiddingEvent[] = [heard, sending, { type: 'bid', key, bid }];
const block = (height: bigint): BiddingEvent => ({ type: 'leases', height });
const look: BiddingEvent = { type: 'orders' };
const isHeld = (state: BiddingState, leased: readonly string[] = []): boolean =>
  heldByBids(state, new Set(leased)).size > 0;
const isWaiting = (state: BiddingState): boolean => undecided(state).size > 0;

describe('an order', () => {
  test('is decided once, however often it is heard of', () => {
    expect(isWaiting(after(heard, heard))).toBe(true);
    expect(isWaiting(after(heard, sending, heard, look))).toBe(false);
    expect(isWaiting(after(...stands, heard, look))).toBe(false);
    expect(isWaiting(after(heard, { type: 'skipped', key, reason: 'x', lasting: 'ever' }, heard, look))).toBe(false);
  });

  test('that is over is forgotten, and one that was over when it was first heard of is none', () => {
    expect(after(heard, { type: 'order', order: matched }).size).toBe(0);
    expect(after({ type: 'order', order: closed }).size).toBe(0);
    expect(
      after(heard, { type: 'skipped', key, reason: 'x', lasting: 'ever' }, { type: 'order', order: closed }).size,
    ).toBe(0);
  });

  test('that is no longer among all that are open is forgotten, unless it is bid for', () => {
    const complete: BiddingEvent = { type: 'orders', open: new Set(['mu1other/1/0/1']) };
    expect(after(heard, complete).size).toBe(0);
    expect(isHeld(after(heard, sending, complete))).toBe(true);
    expect(isHeld(after(...stands, complete))).toBe(true);
    expect(isWaiting(after(heard, { type: 'orders', open: new Set([key]) }))).toBe(true);
  });

  test('without room is looked at again when something comes back, and what was said of it is known', () => {
    const state = after(heard, { type: 'skipped', key, reason: 'not enough cpu left', lasting: 'room' }, look);
    expect(isWaiting(state)).toBe(false);
    expect(undecided(bidding(state, { type: 'room' })).get(key)?.before).toBe('not enough cpu left');
    const never = after(heard, { type: 'skipped', key, reason: 'too dear', lasting: 'ever' }, { type: 'room' });
    expect(isWaiting(never)).toBe(false);
  });
});

describe('a bid that fails', () => {
  const failed = (again: boolean): BiddingEvent => ({ type: 'failed', key, reason: 'x', again });
  test('gives back what it held, and is tried again with the next block where nothing speaks against it', () => {
    expect(isHeld(after(heard, sending, failed(true)))).toBe(false);
    expect(isWaiting(after(heard, sending, failed(true)))).toBe(false);
    expect(isWaiting(after(heard, sending, failed(true), look))).toBe(true);
    expect(isWaiting(after(heard, sending, failed(false), look, { type: 'room' }))).toBe(false);
  });

  test('five times in a row waits for room', () => {
    const once = [sending, failed(true), look];
    const state = after(heard, ...once, ...once, ...once, ...once);
    expect(isWaiting(state)).toBe(true);
    const fifth = bidding(state, ...once);
    expect(isWaiting(fifth)).toBe(false);
    expect(isWaiting(bidding(fifth, { type: 'room' }))).toBe(true);
  });

  test('for an order that is over meanwhile is forgotten', () => {
    expect(after(heard, sending, { type: 'order', order: closed }, failed(true)).size).toBe(0);
  });
});

describe('what a bid holds', () => {
  test('is held from the decision on', () => {
    expect(heldByBids(after(heard, sending), new Set()).get(key)).toMatchObject({ collateral: 200n, number: 0n });
    expect(heldByBids(after(...stands), new Set()).get(key)).toEqual(bid);
  });

  test('comes back when it is lost, evicted or the order expires, once the chain has said so', () => {
    for (const about of [order(), matched, closed]) {
      const touched = after(...stands, { type: 'order', order: about }, look);
      // Until the chain was asked, it may have won.
      expect(isHeld(touched)).toBe(true);
      expect([...unchecked(touched).keys()]).toEqual([key]);
      expect(isHeld(bidding(touched, { type: 'lost', key }))).toBe(false);
    }
  });

  test('stays when the chain says that it stands', () => {
    const state = after(...stands, heard, { type: 'stands', key });
    expect(isHeld(state)).toBe(true);
    expect(unchecked(state).size).toBe(0);
  });

  test('evicted from an order that is open still, is not offered again; canceled, it is', () => {
    expect(isWaiting(after(...stands, heard, { type: 'lost', key }, look, { type: 'room' }))).toBe(false);
    expect(isWaiting(after(...stands, { type: 'canceled', key }))).toBe(true);
    expect(after(...stands, { type: 'order', order: closed }, { type: 'canceled', key }).size).toBe(0);
  });

  test('is asked about after everything was paged: what was missed meanwhile is noticed', () => {
    const state = after(...stands, { type: 'orders', open: new Set([key]) });
    expect([...unchecked(state).keys()]).toEqual([key]);
  });

  test('is asked about when its order went on before the answer of the node came', () => {
    const state = after(heard, sending, { type: 'order', order: matched }, { type: 'bid', key, bid });
    expect([...unchecked(state).keys()]).toEqual([key]);
  });
});

describe('when a bid wins', () => {
  const won: BiddingEvent[] = [...stands, { type: 'order', order: matched }, { type: 'matched', key, height: 20n }];

  test('it holds until the watch has told of the block of the match: the lease keeper has the lease by then', () => {
    expect(isHeld(after(...won))).toBe(true);
    expect(isHeld(after(...won, block(19n)))).toBe(true);
    expect(isHeld(after(...won, block(20n)))).toBe(false);
    expect(isHeld(after(...won, block(25n)))).toBe(false);
  });

  test('it is not counted beside its lease, from the moment that the lease is known', () => {
    expect(isHeld(after(...won), [key])).toBe(false);
    expect(isHeld(after(...stands), [key])).toBe(false);
    expect(isHeld(after(heard, sending), [key])).toBe(false);
  });

  test('in whatever order the news come, exactly one of both holds at every block', () => {
    // The node says at any time from block 20 on that it was matched; the watch tells of the order and the lease in 20.
    for (const askedAt of [19n, 20n, 21n, 22n]) {
      let state = after(...stands);
      for (let height = 18n; height < 25n; height += 1n) {
        if (height === 20n) state = bidding(state, { type: 'order', order: matched });
        const leased = height >= 20n ? [key] : [];
        state = bidding(state, block(height));
        if (height === askedAt) state = bidding(state, { type: 'matched', key, height: 20n });
        expect([height, isHeld(state, leased)]).toEqual([height, height < 20n]);
      }
    }
  });
});

describe('bids to take back', () => {
  test('are those that stand and are not on their way back', () => {
    expect([...cancelable(after(...stands)).values()]).toEqual([bid]);
    expect(cancelable(after(heard, sending)).size).toBe(0);
    expect(cancelable(after(...stands, { type: 'canceling', key, canceling: true })).size).toBe(0);
    expect(cancelable(after(...stands, { type: 'matched', key, height: 20n })).size).toBe(0);
  });

  test('are asked about when the cancellation has come to an end, whichever', () => {
    const ended = after(
      ...stands,
      { type: 'canceling', key, canceling: true },
      { type: 'canceling', key, canceling: false },
    );
    expect(cancelable(ended).size).toBe(0);
    expect(unchecked(ended).size).toBe(1);
    expect(cancelable(bidding(ended, { type: 'stands', key })).size).toBe(1);
  });
});
