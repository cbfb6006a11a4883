import { beforeEach, expect, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { Fulfillment, FulfillmentState } from '@mu/proto/market';
import { BidTally } from '../../src/operators/bid-tally.ts';
import { FactsKeeper } from '../../src/operators/facts.ts';

const { FULFILLMENT_STATE_OPEN: open, FULFILLMENT_STATE_MATCHED: matched } = FulfillmentState;
const { FULFILLMENT_STATE_LOST: lost, FULFILLMENT_STATE_CANCELED: canceled } = FulfillmentState;

let bids: Map<bigint, FulfillmentState>;
let asked: number;
let tally: BidTally;

const record = ([number, state]: [bigint, FulfillmentState]): Fulfillment => Fulfillment.fromPartial({ number, state });

interface Question {
  readonly state: FulfillmentState;
  readonly pagination: { readonly key: Uint8Array; readonly limit: bigint; readonly reverse: boolean };
}

beforeEach(() => {
  bids = new Map();
  asked = 0;
  const market = {
    async fulfillments({ state, pagination: { key, limit, reverse } }: Question) {
      asked += 1;
      expect(reverse).toBe(true);
      const all = [...bids]
        .filter(([, one]) => state === FulfillmentState.FULFILLMENT_STATE_UNSPECIFIED || one === state)
        .sort(([a], [b]) => (a < b ? 1 : -1));
      const from = key[0] ?? 0;
      const next = from + Number(limit);
      return {
        fulfillments: all.slice(from, next).map(record),
        pagination: { nextKey: next < all.length ? Uint8Array.of(next) : new Uint8Array() },
      };
    },
    async fulfillment({ number }: { number: bigint }) {
      const state = bids.get(number);
      if (state === undefined) throw new ChainError('gone', { code: 22, notFound: true });
      return { fulfillment: record([number, state]) };
    },
  };
  tally = new BidTally({ market } as unknown as Pick<ChainClient, 'market'>, 'mu1p');
});

test('bids count when they are over, once; what was over before the first look does not', async () => {
  bids = new Map([
    [1n, matched],
    [2n, lost],
    [3n, open],
  ]);
  await tally.look();
  expect(tally.outcomes()).toEqual({ won: 0, lost: 0, canceled: 0 });
  bids = new Map([
    [1n, matched],
    [2n, lost],
    [3n, matched],
    [4n, lost],
    [5n, open],
  ]);
  await tally.look();
  expect(tally.outcomes()).toEqual({ won: 1, lost: 1, canceled: 0 });
  bids.set(5n, canceled);
  await tally.look();
  await tally.look();
  expect(tally.outcomes()).toEqual({ won: 1, lost: 1, canceled: 1 });
});

test('hundreds between two looks are all counted, and later looks ask for the newest alone', async () => {
  await tally.look();
  for (let number = 1n; number <= 150n; number += 1n) bids.set(number, number % 3n === 0n ? matched : lost);
  await tally.look();
  expect(tally.outcomes()).toEqual({ won: 50, lost: 100, canceled: 0 });
  asked = 0;
  await tally.look();
  expect(asked).toBe(1);
});

test('a bid whose record is gone was not won', async () => {
  bids.set(1n, open);
  await tally.look();
  bids.delete(1n);
  await tally.look();
  expect(tally.outcomes()).toEqual({ won: 0, lost: 1, canceled: 0 });
});

test('each part is asked for when it is due, keeps what it told, and says why it does not tell', async () => {
  let now = 0;
  let fails = false;
  let count = 0;
  const facts = new FactsKeeper({
    now: () => now,
    asking: {
      engine: {
        everyMs: 5_000,
        ask: async () => {
          count += 1;
          if (fails) throw new Error('away');
          return { up: true, reason: `${count}` };
        },
      },
    },
  });
  expect([facts.get('engine'), facts.get('plane')]).toEqual([undefined, undefined]);
  await facts.look();
  now = 4_999;
  await facts.look();
  expect(facts.get('engine')).toEqual({ up: true, reason: '1' });
  fails = true;
  now = 5_000;
  await facts.look();
  expect([facts.get('engine')?.reason, facts.trouble('engine'), facts.toldMs('engine')]).toEqual(['1', 'away', 0]);
  fails = false;
  now = 10_000;
  await facts.look();
  expect([facts.get('engine')?.reason, facts.trouble('engine'), facts.toldMs('engine')]).toEqual([
    '3',
    undefined,
    10_000,
  ]);
});

test('a part that does not answer holds nobody up, and is asked again only when it has ended', async () => {
  let now = 0;
  let count = 0;
  const hanging = Promise.withResolvers<{ up: boolean; reason: string }>();
  const facts = new FactsKeeper({
    now: () => now,
    limitMs: 5,
    asking: {
      engine: {
        everyMs: 1,
        ask: () => {
          count += 1;
          return hanging.promise;
        },
      },
      plane: { everyMs: 1, ask: async () => ({ up: true }) },
    },
  });
  await facts.look();
  expect([facts.get('plane')?.up, facts.trouble('engine')]).toEqual([true, 'it has not answered for 5 ms']);
  now = 10;
  await facts.look();
  expect(count).toBe(1);
  hanging.resolve({ up: true, reason: '' });
  await new Promise((resolve) => setImmediate(resolve));
  expect([facts.get('engine')?.up, facts.trouble('engine')]).toEqual([true, undefined]);
});
