import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  FulfillmentState,
  type Lease,
  type MsgSubmitFulfillment,
  type Order,
  type OrderId,
  OrderState,
} from '@mu/proto/market';
import { Attestation, PriceList } from '@mu/proto/provider';
import { pino } from 'pino';
import { maxBatchMessages } from '../../src/bidding/batches.ts';
import { Bidder, type BidderOptions } from '../../src/bidding/bidder.ts';
import type { OwnOffer } from '../../src/bidding/offer.ts';
import { FakeMarket } from './fake-market.ts';
import { atomics, compute, group, offer, order } from './fixture.ts';

let market: FakeMarket;
/** live leases as the lease keeper has them */
let kept: Lease[];
let own: OwnOffer;
let draining: boolean;
let said: { msg: string; reason?: string; order?: string }[];
let bidder: Bidder;

function bidderOf(change: Partial<BidderOptions> = {}): Bidder {
  return new Bidder({
    client: market.client(),
    sender: market.sender,
    offer: () => own,
    leases: () => kept,
    denom: 'umu',
    feeReserve: 0n,
    draining: () => draining,
    log: pino({ base: null }, { write: (line: string) => said.push(JSON.parse(line)) }),
    ...change,
  });
}

beforeEach(async () => {
  market = new FakeMarket();
  kept = [];
  own = offer;
  draining = false;
  said = [];
  bidder = bidderOf();
  await bidder.rebuild();
});

/** A block in which the watch tells of these orders. */
async function block(orders: readonly Order[] = [], { complete = false } = {}): Promise<void> {
  market.height += 1;
  for (const one of orders) bidder.order(one);
  bidder.ordersTold(complete);
  bidder.leasesTold(BigInt(market.height));
  await bidder.settled();
}
const idOf = ({ id }: Order): OrderId => id as OrderId;
const some = (count: number): Order[] => Array.from({ length: count }, (_none, at) => order({}, BigInt(at + 1)));
const tiny = (dseq: bigint): Order =>
  order({ resources: [{ ...group, count: 1, compute: { ...compute, cpu: 1, memory: 1n, disk: 1n } }] }, dseq);
const reserved = (): bigint => bidder.inventory().reserved.cpu;
const ended = (one: Order, state: OrderState): Order => ({ ...one, state });
const reasons = (): (string | undefined)[] => said.map(({ reason }) => reason);

describe('orders of a block', () => {
  test('are answered in few transactions, each once', async () => {
    own = { ...offer, maxOpenBids: 1_000 };
    const orders = Array.from({ length: 150 }, (_none, at) => tiny(BigInt(at + 1)));
    await block(orders);
    expect(market.transactions.map(({ length }) => length)).toEqual([maxBatchMessages, maxBatchMessages, 22]);
    expect(market.bids).toHaveLength(150);
    expect(market.bids[0]).toMatchObject({ provider: 'mu1provider', priceListVersion: 3n, collateral: '100' });
    await block(orders, { complete: true });
    expect(market.bids).toHaveLength(150);
    expect(bidder.inventory().openBids).toBe(150);
  });

  test('share one inventory; what did not fit is bid for when something comes back', async () => {
    const orders = some(5);
    await block(orders);
    expect(market.bids).toHaveLength(4);
    expect(reasons()).toContain('not enough memory, disk left');
    const [first] = orders as [Order];
    market.end(idOf(first), FulfillmentState.FULFILLMENT_STATE_LOST);
    await block([ended(first, OrderState.ORDER_STATE_MATCHED)]);
    await block();
    expect(market.bids.map(({ order: id }) => id?.dseq)).toEqual([1n, 2n, 3n, 4n, 5n]);
  });

  test('find no disk that volumes of ended leases still have, until they are erased', async () => {
    let keptDisk = offer.capacity.disk;
    bidder = bidderOf({ keptDisk: async () => keptDisk });
    await bidder.rebuild();
    await block([tiny(1n)]);
    expect(market.bids).toEqual([]);
    expect(reasons()).toContain('not enough disk left');
    expect(bidder.inventory()).toMatchObject({ leased: { disk: keptDisk }, free: { disk: 0n }, leases: 0 });
    keptDisk = 0n;
    await block();
    expect(market.bids).toHaveLength(1);
  });

  test('of which one is refused: the others are bid for, and the refused one is let be', async () => {
    const orders = [1n, 2n, 3n, 4n].map(tiny);
    market.refuses.set('mu1owner/3/0/1', 15);
    await block(orders);
    expect(market.bids.map(({ order: id }) => id?.dseq)).toEqual([1n, 2n, 4n]);
    expect(said).toContainEqual(expect.objectContaining({ msg: 'bid failed', orders: ['mu1owner/3/0/1'] }));
    market.refuses.clear();
    await block([], { complete: false });
    await block();
    expect(market.bids).toHaveLength(3);
  });

  test('go unanswered while the node is away, and are answered when it is back', async () => {
    market.isAway = true;
    await block([tiny(1n)]);
    await block();
    expect(said.at(-1)?.reason).toBe('fetch failed');
    market.isAway = false;
    await block();
    expect(market.bids).toHaveLength(1);
  });

  test('leave the operator what confirmations cost: a lease that cannot be confirmed is broken', async () => {
    market.balance = 350n;
    bidder = bidderOf({ feeReserve: 151n });
    await bidder.rebuild();
    await block([order({}, 1n)]);
    expect(reasons()).toContain("the operator's account has 199 umu left for a collateral of 200");
    market.balance = 351n;
    await block([tiny(2n)]);
    expect(market.bids.map(({ order: id }) => id?.dseq)).toEqual([2n]);
  });

  test('are not bid for without the coins, also when others of them are still on their way', async () => {
    market.balance = 350n;
    market.holdsBack = true;
    market.height += 1;
    bidder.order(order({}, 1n));
    bidder.ordersTold(false);
    bidder.leasesTold(11n);
    await new Promise((resolve) => setImmediate(resolve));
    bidder.order(order({}, 2n));
    bidder.ordersTold(false);
    bidder.leasesTold(12n);
    await new Promise((resolve) => setImmediate(resolve));
    expect(reasons()).toContain("the operator's account has 150 umu left for a collateral of 200");
    market.release();
    await bidder.settled();
    expect(market.bids).toHaveLength(1);
  });
});

test('nothing is bid for before the leases are known: what they hold would be sold twice', async () => {
  bidder.order(tiny(1n));
  bidder.ordersTold(true);
  await bidder.settled();
  expect(market.transactions).toEqual([]);
  bidder.leasesTold(11n);
  await bidder.settled();
  expect(market.bids).toHaveLength(1);
});

describe('what a bid reserves', () => {
  const one = order({}, 1n);

  test('is held while it is on its way, and comes back when it fails', async () => {
    market.holdsBack = true;
    bidder.order(one);
    bidder.ordersTold(false);
    bidder.leasesTold(11n);
    await new Promise((resolve) => setImmediate(resolve));
    expect(reserved()).toBe(200n);
    market.release();
    await bidder.settled();
    expect(reserved()).toBe(200n);
    market.refuses.set('mu1owner/2/0/1', 15);
    await block([order({}, 2n)]);
    expect(reserved()).toBe(200n);
  });

  test.each([
    ['lost', FulfillmentState.FULFILLMENT_STATE_LOST, OrderState.ORDER_STATE_MATCHED],
    ['evicted', FulfillmentState.FULFILLMENT_STATE_LOST, OrderState.ORDER_STATE_OPEN],
    ['canceled', FulfillmentState.FULFILLMENT_STATE_CANCELED, OrderState.ORDER_STATE_CLOSED],
    ['lost with its order', FulfillmentState.FULFILLMENT_STATE_LOST, OrderState.ORDER_STATE_CLOSED],
  ])('comes back when it is %s', async (_what, bidState, orderState) => {
    await block([one]);
    expect(reserved()).toBe(200n);
    market.end(idOf(one), bidState);
    await block([ended(one, orderState)]);
    expect(reserved()).toBe(0n);
    expect(market.bids).toHaveLength(1);
  });

  test('comes back too when nobody told: everything is compared now and then', async () => {
    await block([one]);
    market.end(idOf(one), FulfillmentState.FULFILLMENT_STATE_LOST);
    await block();
    expect(reserved()).toBe(200n);
    await block([], { complete: true });
    expect(reserved()).toBe(0n);
  });

  test('is the lease’s once that is known: at no block both or neither', async () => {
    await block([one]);
    const held = (): [bigint, bigint, bigint] => {
      const { leased, reserved: bids, free } = bidder.inventory();
      return [leased.cpu, bids.cpu, free.cpu];
    };
    const lease = market.match(idOf(one));
    const matchHeight = BigInt(market.height);
    // The watch is behind: it tells of the block before the match, and the node says already that the bid was matched.
    bidder.order(ended(one, OrderState.ORDER_STATE_MATCHED));
    bidder.ordersTold(false);
    bidder.leasesTold(matchHeight - 1n);
    await bidder.settled();
    expect(held()).toEqual([0n, 200n, 800n]);
    // In the block of the match the lease keeper hears of the lease before the bidder hears of the block.
    kept = [lease];
    expect(held()).toEqual([200n, 0n, 800n]);
    bidder.leasesTold(matchHeight);
    await bidder.settled();
    expect(held()).toEqual([200n, 0n, 800n]);
    kept = [];
    expect(held()).toEqual([0n, 0n, 1_000n]);
  });

  test('is known after a restart, also of a bid that was matched since and whose lease nobody has told of', async () => {
    const [first, second] = some(2) as [Order, Order];
    await block([first, second]);
    const lease = market.match(idOf(second));
    bidder = bidderOf();
    await bidder.rebuild();
    expect(reserved()).toBe(400n);
    // The first page is as of the block before the match.
    bidder.order(first);
    bidder.order(second);
    bidder.ordersTold(true);
    bidder.leasesTold(BigInt(market.height) - 1n);
    await bidder.settled();
    expect(reserved()).toBe(400n);
    kept = [lease];
    await block([ended(second, OrderState.ORDER_STATE_MATCHED)]);
    expect(reserved()).toBe(200n);
    expect(bidder.inventory().leased.cpu).toBe(200n);
    expect(market.bids).toHaveLength(2);
  });
});

describe('what the registry says', () => {
  test('of auditors counts, and is learned again when everything is compared', async () => {
    const audited = (dseq: bigint) => order({ auditedBy: ['mu1auditor'] }, dseq);
    await block([audited(1n)]);
    expect(reasons()).toContain('none of the auditors that the order names has attested this: mu1auditor');
    const attributes = [{ key: 'tier', value: 'gold' }];
    market.attestations = [Attestation.fromPartial({ auditor: 'mu1auditor', provider: 'mu1provider', attributes })];
    await block([], { complete: true });
    await block([audited(2n)]);
    expect(market.bids.map(({ order: id }) => id?.dseq)).toEqual([2n]);
  });

  test('of a newer price list is learned when the chain refuses the old one', async () => {
    market.priceList = PriceList.fromPartial({ version: 4n });
    market.refuses.set('mu1owner/1/0/1', 14);
    await block([tiny(1n)]);
    expect(market.bids).toEqual([]);
    market.refuses.clear();
    await block();
    expect(market.bids[0]?.priceListVersion).toBe(4n);
  });

  test('when there is no price list yet, the bid names none', async () => {
    market.priceList = undefined;
    bidder = bidderOf();
    await bidder.rebuild();
    await block([order({ usageLimits: [] }, 1n)]);
    expect(market.bids[0]?.priceListVersion).toBe(0n);
  });
});

describe('draining', () => {
  test('makes no bid and takes back those that stand, in few transactions; afterwards all is bid for again', async () => {
    const orders = [1n, 2n, 3n].map(tiny);
    await block(orders);
    draining = true;
    await block([tiny(4n)]);
    expect(market.transactions.at(-1)?.map(({ typeUrl }) => typeUrl)).toEqual(
      [1, 2, 3].map(() => '/mu.market.v1.MsgCancelFulfillment'),
    );
    await block(orders);
    expect(reserved()).toBe(0n);
    expect(market.bids.every(({ state }) => state === FulfillmentState.FULFILLMENT_STATE_CANCELED)).toBe(true);
    expect(market.transactions).toHaveLength(2);
    draining = false;
    await block();
    expect(market.bids.slice(3).map(({ order: id }) => id?.dseq)).toEqual([1n, 2n, 3n, 4n]);
  });

  test('takes back what was on its way when it began', async () => {
    market.holdsBack = true;
    bidder.order(tiny(1n));
    bidder.ordersTold(false);
    bidder.leasesTold(11n);
    await new Promise((resolve) => setImmediate(resolve));
    draining = true;
    bidder.ordersTold(false);
    bidder.leasesTold(12n);
    await new Promise((resolve) => setImmediate(resolve));
    market.release();
    await bidder.settled();
    expect(market.bids).toHaveLength(1);
    await block();
    await block();
    expect(market.bids[0]?.state).toBe(FulfillmentState.FULFILLMENT_STATE_CANCELED);
    expect(reserved()).toBe(0n);
  });
});

describe('a price script', () => {
  const scripted = (answer: (question: { order: { dseq: string } }) => object | string): Bidder =>
    bidderOf({
      script: {
        ask: async (question) => {
          const output = answer(JSON.parse(question));
          return typeof output === 'string' ? { failure: output } : { text: JSON.stringify(output) };
        },
      },
    });

  test('decides the price, also where the rates would be too dear', async () => {
    bidder = scripted(({ order: { dseq } }) => ({ prices: [dseq === '1' ? '2.5' : '0.1'] }));
    await block([order({}, 1n), order({ resources: [{ ...group, price: atomics('0.1') }] }, 2n)]);
    const prices = market.transactions.flat().map(({ value }) => (value as MsgSubmitFulfillment).resources[0]?.price);
    expect(prices.sort()).toEqual([atomics('0.1'), atomics('2.5')].sort());
  });

  test('that refuses, or fails, or asks too much: no bid, with its reason in the log', async () => {
    bidder = scripted(({ order: { dseq } }) => {
      if (dseq === '1') return { refuse: 'not on a Sunday' };
      if (dseq === '2') return 'the price script gave no answer in 2000 ms';
      return { prices: ['10.1'] };
    });
    await block(some(3));
    expect(market.bids).toEqual([]);
    expect(reasons()).toEqual([
      'the price script refused: not on a Sunday',
      'the price script gave no answer in 2000 ms',
      'by the price script: the order pays 10 umu per block, the price is 10.1',
    ]);
  });

  test('that is slow: an order that is over when it answers is not bid for', async () => {
    let answer = (): void => undefined;
    bidder = bidderOf({
      script: { ask: () => new Promise((resolve) => (answer = () => resolve({ text: '{"prices":["1"]}' }))) },
    });
    bidder.order(order({}, 1n));
    bidder.ordersTold(false);
    bidder.leasesTold(11n);
    await new Promise((resolve) => setImmediate(resolve));
    bidder.order(ended(order({}, 1n), OrderState.ORDER_STATE_CLOSED));
    bidder.ordersTold(false);
    bidder.leasesTold(12n);
    answer();
    await bidder.settled();
    expect(market.transactions).toEqual([]);
  });
});
