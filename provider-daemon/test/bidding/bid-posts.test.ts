import { beforeEach, expect, test } from '@jest/globals';
import { ChainError } from '@mu/client/chain/errors';
import { TxPendingError } from '@mu/client/chain/sender';
import { pino } from 'pino';
import { type Bid, BidPosts } from '../../src/bidding/bid-posts.ts';
import type { BiddingEvent } from '../../src/bidding/bidding.ts';
import { FakeMarket } from './fake-market.ts';
import { group, order } from './fixture.ts';

let market: FakeMarket;
let events: BiddingEvent[];
let doubts: number;
/** what sending ends with, in the place of the market's answer */
let failure: Error | undefined;
let posts: BidPosts;

beforeEach(() => {
  market = new FakeMarket();
  events = [];
  doubts = 0;
  failure = undefined;
  posts = new BidPosts({
    sender: {
      address: market.sender.address,
      send: (messages) => (failure === undefined ? market.sender.send(messages) : Promise.reject(failure)),
    },
    apply: (...more) => events.push(...more),
    onDoubt: () => {
      doubts += 1;
    },
    log: pino({ level: 'silent' }),
  });
});

const bid: Bid = { bid: true, order: order(), resources: [group], collateral: 200n, priceListVersion: 3n };

/** Types of events since the last look. */
const told = (): string[] => events.splice(0).map(({ type }) => type);

test('a bid is on its way when it is sent, and stands with its number when a block has it', async () => {
  posts.bid([bid], 'mu1provider');
  expect(told()).toEqual(['sending']);
  await posts.settled();
  expect(events).toMatchObject([
    { type: 'bid', bid: { number: market.bids[0]?.number, resources: [group], collateral: 200n } },
  ]);
});

test('what is taken back is being canceled until a block has it', async () => {
  posts.bid([bid], 'mu1provider');
  await posts.settled();
  const [standing] = market.bids;
  events = [];
  posts.takeBack([['key', { number: standing?.number ?? 0n }]]);
  expect(events).toEqual([{ type: 'canceling', key: 'key', canceling: true }]);
  await posts.settled();
  expect(events.at(-1)).toEqual({ type: 'canceling', key: 'key', canceling: false });
});

test('nothing to send is not sent', async () => {
  posts.bid([], 'mu1provider');
  posts.takeBack([]);
  await posts.settled();
  expect([events, market.transactions]).toEqual([[], []]);
});

test.each<[string, Error, Partial<BiddingEvent>, number]>([
  ['away', new Error('no answer'), { type: 'failed', again: true }, 1],
  [
    'of another price list',
    new ChainError('no', { codespace: 'market', code: 14 }),
    { type: 'failed', again: true },
    1,
  ],
  ['against it', new ChainError('no', { codespace: 'market', code: 9 }), { type: 'failed', again: false }, 0],
  ['short of coins', new ChainError('no', { code: 5 }), { type: 'skipped', lasting: 'room' }, 1],
])('where the chain is %s the order hears whether it is tried again', async (_what, error, event, times) => {
  failure = error;
  posts.bid([bid], 'mu1provider');
  await posts.settled();
  expect(events.at(-1)).toMatchObject({ ...event, reason: error.message });
  expect(doubts).toBe(times);
});

test('what may still come into a block is nobody’s failure', async () => {
  failure = new TxPendingError('the daemon stops', 'AB');
  posts.bid([bid], 'mu1provider');
  await posts.settled();
  expect([told(), doubts]).toEqual([['sending'], 0]);
});
