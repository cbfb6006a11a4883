/** Standbys: in other hands than what they stand by. */
import { beforeEach, expect, test } from '@jest/globals';
import { FulfillmentState, type Lease, type Order, type OrderId, OrderState } from '@mu/proto/market';
import { pino } from 'pino';
import { type OwnPlace, whyApart } from '../../src/bidding/apart.ts';
import { Bidder } from '../../src/bidding/bidder.ts';
import { orderIdOf, orderKey } from '../../src/watch/order-key.ts';
import { FakeMarket } from './fake-market.ts';
import { atomics, compute, group, offer, order } from './fixture.ts';

const named = (name: string, infrastructure: number, { dseq = 7n, round = 1, price = '10' } = {}): Order => ({
  ...order(
    { name, resources: [{ ...group, count: 1, price: atomics(price), compute: { ...compute, cpu: 10 } }] },
    dseq,
  ),
  id: { owner: 'mu1owner', dseq, infrastructure, round },
});
const main = named('main', 0);
const other = named('other', 1);
/** Worth far more than `main`, and considered after it all the same. */
const standby = named('main-standby-1', 2, { price: '1000' });
const elsewhere = named('main-standby-1', 2, { dseq: 8n });
const placeOf = ({ id, spec }: Order): OwnPlace => ({ order: id as OrderId, infrastructure: spec?.name ?? '' });

test('who has anything of a deployment does not bid for its standbys, and who has a standby for nothing else', () => {
  expect(whyApart(standby, [])).toBeUndefined();
  expect(whyApart(standby, [placeOf(main)])).toMatch('of which something is held here');
  expect(whyApart(named('other-standby-1', 3), [placeOf(standby)])).toMatch('of which something is held here');
  expect(whyApart(main, [placeOf(standby)])).toMatch('a standby of the deployment is held here');
  expect(whyApart(main, [placeOf(other)])).toBeUndefined();
});

test('what is ordered again is bid for by its standby too: it may be the only other one in the region', () => {
  expect(whyApart(named('main', 0, { round: 2 }), [placeOf(standby)])).toBeUndefined();
  expect(whyApart(named('main-standby-1', 2, { round: 2 }), [placeOf(main)])).toMatch(
    'of which something is held here',
  );
});

test('another deployment is nobody’s business, and an order is not in its own way', () => {
  expect(whyApart(elsewhere, [placeOf(main), placeOf(standby)])).toBeUndefined();
  expect(whyApart(main, [placeOf(elsewhere)])).toBeUndefined();
  expect(whyApart(standby, [placeOf(standby)])).toBeUndefined();
});

test('a key is the id that it was made of', () => {
  expect(orderIdOf(orderKey(standby.id as OrderId))).toEqual(standby.id);
});

let market: FakeMarket;
let kept: Lease[];
let bidder: Bidder;
const newBidder = (): Bidder =>
  new Bidder({
    client: market.client(),
    sender: market.sender,
    offer: () => offer,
    leases: () => kept,
    denom: 'umu',
    feeReserve: 0n,
    draining: () => false,
    log: pino({ level: 'silent' }),
  });
beforeEach(async () => {
  market = new FakeMarket();
  for (const one of [main, other, standby]) market.orders.set(orderKey(one.id as OrderId), one);
  kept = [];
  bidder = newBidder();
  await bidder.rebuild();
});

async function block(orders: readonly Order[] = []): Promise<void> {
  market.height += 1;
  for (const one of orders) bidder.order(one);
  bidder.ordersTold(false);
  bidder.leasesTold(BigInt(market.height));
  await bidder.settled();
}
const bidFor = (): (number | undefined)[] => market.bids.map(({ order: id }) => id?.infrastructure);

test('of a block with both the one that serves is bid for, though a standby pays better', async () => {
  await block([standby, main, other]);
  expect(bidFor().sort()).toEqual([0, 1]);
});

test('who has lost the others bids for the standby', async () => {
  await block([standby, main]);
  market.end(main.id as OrderId, FulfillmentState.FULFILLMENT_STATE_LOST);
  await block([{ ...main, state: OrderState.ORDER_STATE_MATCHED }]);
  await block();
  expect(bidFor()).toEqual([0, 2]);
});

test('a lease of the standby keeps from what it stands by, until it ends', async () => {
  await block([standby]);
  kept = [market.match(standby.id as OrderId)];
  await block([{ ...standby, state: OrderState.ORDER_STATE_MATCHED }]);
  await block([main]);
  expect(bidFor()).toEqual([2]);
  kept = [];
  await block();
  expect(bidFor()).toEqual([2, 0]);
});

test('a bid of before a restart counts, by the name that the chain has for its order', async () => {
  await block([main]);
  bidder = newBidder();
  await bidder.rebuild();
  await block([standby]);
  expect(bidFor()).toEqual([0]);
});
