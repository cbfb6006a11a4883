import { describe, expect, test } from '@jest/globals';
import { Dec } from '@mu/lib/dec';
import { type Offer, priced } from '../../src/bidding/decide.ts';
import type { Held } from '../../src/bidding/inventory.ts';
import { type Decision, plan, type Standing } from '../../src/bidding/plan.ts';
import { atomics, compute, group, mib, offer, order } from './fixture.ts';

const nobody: Standing = { leases: [], bids: [], funds: 1_000_000n };
const decide = (orders: readonly ReturnType<typeof order>[], of: Partial<Offer> = {}, standing = nobody): Decision[] =>
  plan(
    orders.map((one) => priced(one, { ...offer, ...of })),
    { ...offer, ...of },
    standing,
  );
const held = (count: number, collateral = 0n): Held => ({ resources: [{ compute, count }], collateral });
const why = (decisions: Decision[]): (string | undefined)[] =>
  decisions.map((one) => (one.bid ? undefined : one.reason));
/** One replica of so much memory and CPU, at the price of the order. */
const sized = (dseq: bigint, cpu: number, memoryMib: bigint, change: object = {}): ReturnType<typeof order> =>
  order(
    { resources: [{ ...group, count: 1, compute: { ...compute, cpu, memory: memoryMib * mib }, ...change }] },
    dseq,
  );

test('a bid has the order’s compute, collateral and count, and the latest price list', () => {
  expect(decide([order()])).toEqual([
    {
      bid: true,
      order: order(),
      resources: [{ compute, price: atomics('4.94'), collateral: '100', count: 2 }],
      collateral: 200n,
      priceListVersion: 3n,
    },
  ]);
});

describe('there is no bid', () => {
  test('below the own price, whatever is left', () => {
    const [decision] = decide([order({ resources: [{ ...group, price: atomics('4.93') }] })]);
    expect(decision).toMatchObject({ bid: false, lasting: 'ever', reason: expect.stringContaining('pays 4.93') });
  });

  test('for more than is offered in all: no lease that ends would change that', () => {
    const [decision] = decide([order({ resources: [{ ...group, count: 9 }] })]);
    expect(decision).toMatchObject({ bid: false, lasting: 'ever', reason: expect.stringContaining('memory, disk') });
  });

  test('where leases or bids have taken what is left: until they end', () => {
    expect(why(decide([order()], {}, { ...nobody, leases: [held(4)], bids: [held(2)] }))).toEqual([undefined]);
    const [decision] = decide([order()], {}, { ...nobody, leases: [held(4)], bids: [held(3)] });
    expect(decision).toMatchObject({ bid: false, lasting: 'room', reason: 'not enough memory, disk left' });
  });

  test('above the most collateral of one bid', () => {
    const asking = (collateral: string) => decide([order({ resources: [{ ...group, collateral }] })]);
    expect(why(asking('500'))).toEqual([undefined]);
    expect(asking('501')[0]).toMatchObject({ bid: false, lasting: 'ever' });
    expect(why(asking('501'))[0]).toContain('1002 umu is above the configured most');
  });

  test('above the most collateral of all bids and leases', () => {
    const standing = { ...nobody, leases: [held(1, 500n)], bids: [held(1, 300n)] };
    expect(why(decide([order()], { maxTotalCollateral: 1_000n }, standing))).toEqual([undefined]);
    const [decision] = decide([order()], { maxTotalCollateral: 999n }, standing);
    expect(decision).toMatchObject({ bid: false, lasting: 'room', reason: expect.stringContaining('1000 umu') });
  });

  test('beyond the cap on open bids; leases do not count', () => {
    const standing = { ...nobody, leases: [held(1), held(1)], bids: [held(1)] };
    expect(why(decide([order()], { maxOpenBids: 2 }, standing))).toEqual([undefined]);
    expect(why(decide([order()], { maxOpenBids: 1 }, standing))[0]).toContain('bidding.max_open_bids');
  });

  test('without the coins for the collateral', () => {
    expect(why(decide([order()], {}, { ...nobody, funds: 200n }))).toEqual([undefined]);
    expect(why(decide([order()], {}, { ...nobody, funds: 199n }))[0]).toContain('has 199 umu left');
  });
});

describe('orders of one block', () => {
  test('are decided together: what one takes, the next does not find', () => {
    const four = [1n, 2n, 3n, 4n, 5n].map((dseq) => order({}, dseq));
    const decisions = decide(four);
    expect(decisions.filter(({ bid }) => bid)).toHaveLength(4);
    expect(why(decisions)[4]).toContain('not enough memory, disk left');
  });

  test('share the caps and the coins', () => {
    const orders = [1n, 2n, 3n].map((dseq) => order({}, dseq));
    expect(decide(orders, { maxOpenBids: 2 }).filter(({ bid }) => bid)).toHaveLength(2);
    expect(decide(orders, { maxTotalCollateral: 400n }).filter(({ bid }) => bid)).toHaveLength(2);
    expect(decide(orders, {}, { ...nobody, funds: 599n }).filter(({ bid }) => bid)).toHaveLength(2);
  });

  test('go by the price for each share of what they take most of', () => {
    // Half of the memory, and next to nothing of the rest: nothing else of that size fits beside it.
    const wide = sized(1n, 10, 512n, { price: atomics('20') });
    // A quarter of everything.
    const even = sized(2n, 250, 256n);
    const worth = decide([wide, even]).map(({ order: { id } }) => id?.dseq);
    // wide: (0.1 + 15.36 + 0.1) × 2 = 31.12; even: (2.5 + 7.68 + 0.1) × 4 = 41.12
    expect(worth).toEqual([2n, 1n]);
  });

  test('among equals the older one goes first, then the lower id, in whatever order they came', () => {
    const old = { ...order({}, 9n), createdHeight: 4n };
    const ids = (orders: ReturnType<typeof order>[]) => decide(orders).map(({ order: { id } }) => id?.dseq);
    expect(ids([order({}, 8n), old, order({}, 7n)])).toEqual([9n, 7n, 8n]);
    expect(ids([order({}, 7n), order({}, 8n), old])).toEqual([9n, 7n, 8n]);
  });

  test('of the same worth the larger one goes first', () => {
    const rates = { ...offer.rates, memoryMib: Dec.zero, diskGib: Dec.zero, floor: Dec.zero };
    const flat = (dseq: bigint, cpu: number) => sized(dseq, cpu, 1n, { price: atomics('10') });
    expect(decide([flat(1n, 100), flat(2n, 200)], { rates }).map(({ order: { id } }) => id?.dseq)).toEqual([2n, 1n]);
  });
});

describe('graphics processors', () => {
  const gpus = [
    { vendor: 'nvidia', model: 'a100', count: 4 },
    { vendor: 'nvidia', model: 't4', count: 1 },
  ];
  const of = { capacity: { ...offer.capacity, gpus } };
  const asking = (dseq: bigint, count: number, model: string, replicas = 1) =>
    order(
      {
        resources: [
          {
            ...group,
            count: replicas,
            price: atomics('9000'),
            compute: { ...compute, cpu: 1, memory: 0n, disk: 0n, gpu: { count, vendor: '', model } },
          },
        ],
      },
      dseq,
    );

  test('are not bid for where none, or too few of the model, are offered', () => {
    expect(why(decide([asking(1n, 1, '')]))[0]).toBe('more gpu than is offered in all');
    expect(why(decide([asking(1n, 2, 't4')], of))[0]).toBe('more gpu than is offered in all');
    expect(why(decide([asking(1n, 2, 'a100', 2)], of))).toEqual([undefined]);
  });

  test('are held by leases and bids like anything else', () => {
    const lease: Held = {
      resources: [{ compute: { ...compute, cpu: 1, gpu: { count: 3, vendor: '', model: 'a100' } }, count: 1 }],
      collateral: 0n,
    };
    expect(why(decide([asking(1n, 2, 'a100')], of, { ...nobody, leases: [lease] }))[0]).toBe('not enough gpu left');
    expect(why(decide([asking(1n, 1, 'a100'), asking(2n, 1, 't4')], of, { ...nobody, leases: [lease] }))).toEqual([
      undefined,
      undefined,
    ]);
    // Who takes any may sit on either of the two that are left.
    const anyFirst = decide([asking(1n, 1, 'a100'), asking(2n, 1, 't4'), asking(3n, 1, '')], of, {
      ...nobody,
      leases: [lease],
    });
    expect(anyFirst.map(({ bid, order: { id } }) => [id?.dseq, bid])).toEqual([
      [3n, true],
      [1n, false],
      [2n, false],
    ]);
  });
});
