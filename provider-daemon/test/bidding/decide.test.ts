import { describe, expect, test } from '@jest/globals';
import { Dec } from '@mu/lib/dec';
import { Order, OrderState } from '@mu/proto/market';
import { PriceList } from '@mu/proto/provider';
import { type BiddingState, bidding, undecided } from '../../src/bidding/bidding.ts';
import { decide, type Offer } from '../../src/bidding/decide.ts';

const mib = 1_048_576n;
const compute = { cpu: 100, memory: 128n * mib, disk: 256n * mib, gpu: undefined };
const atomics = (text: string): string => Dec.fromString(text).atomicsString();
const spec = {
  name: 'main',
  region: 'local',
  services: ['mu-function'],
  attributes: [{ key: 'tier', value: 'gold' }],
  resources: [{ compute, price: atomics('10'), collateral: '100', count: 2 }],
  usageLimits: [{ metric: 'gateway-requests', maxPrice: atomics('2'), maxPricePer: 1000n, maxQuantityPerBlock: 10n }],
};
const order = (change: object = {}): Order =>
  Order.fromPartial({
    id: { owner: 'mu1owner', dseq: 7n, infrastructure: 0, round: 1 },
    state: OrderState.ORDER_STATE_OPEN,
    spec: { ...spec, ...change },
  });
const offer: Offer = {
  provider: 'mu1provider',
  regions: ['local'],
  services: ['mu-function', 'mu-gateway'],
  attributes: [{ key: 'tier', value: 'gold' }],
  capacity: { cpu: 1_000n, memory: 1_024n * mib, disk: 2_048n * mib },
  rates: {
    cpu: Dec.fromString('0.01'),
    memoryMib: Dec.fromString('0.03'),
    diskGib: Dec.fromString('0.4'),
    floor: Dec.fromString('0.5'),
  },
  maxCollateral: 1_000n,
  priceList: PriceList.fromPartial({
    version: 3n,
    prices: [{ metric: 'gateway-requests', price: atomics('1'), per: 500n }],
  }),
};

test('an order that fits is bid for at the price of the rates, with the order’s compute, collateral and count', () => {
  // 100 × 0.01 + 128 × 0.03 + 0.25 × 0.4 = 4.94
  expect(decide(order(), offer, [])).toEqual({
    bid: true,
    resources: [{ compute, price: atomics('4.94'), collateral: '100', count: 2 }],
    priceListVersion: 3n,
  });
});

test('a small replica costs at least the floor', () => {
  const tiny = { ...compute, cpu: 1, memory: 0n, disk: 0n };
  const decision = decide(
    order({ resources: [{ compute: tiny, price: atomics('10'), collateral: '0', count: 1 }] }),
    offer,
    [],
  );
  expect(decision).toMatchObject({ bid: true, resources: [{ price: atomics('0.5') }] });
});

describe('there is no bid', () => {
  const group = spec.resources[0];
  const cases: [string, object, string][] = [
    ['in another region', { region: 'mars' }, 'region mars is not served'],
    ['for another provider', { provider: 'mu1other' }, 'names another provider'],
    ['when excluded', { excludedProviders: ['mu1provider'] }, 'excludes this provider'],
    ['for a service that is not offered', { services: ['mu-function', 'mu-store'] }, 'not offered: mu-store'],
    ['for attributes that are not met', { attributes: [{ key: 'tier', value: 'iron' }] }, 'attributes not met: tier'],
    ['below the own price', { resources: [{ ...group, price: atomics('4.93') }] }, 'the order pays 4.93'],
    [
      'for a GPU',
      { resources: [{ ...group, compute: { ...compute, gpu: { count: 1, vendor: '', model: '' } } }] },
      'no GPU',
    ],
    ['beyond the capacity', { resources: [{ ...group, count: 9 }] }, 'not enough memory, disk left'],
    ['above the most collateral', { resources: [{ ...group, collateral: '501' }] }, 'collateral of 1002 umu'],
    [
      'above a usage limit',
      {
        usageLimits: [
          { metric: 'gateway-requests', maxPrice: atomics('1.99'), maxPricePer: 1000n, maxQuantityPerBlock: 1n },
        ],
      },
      'the price of gateway-requests',
    ],
  ];
  test.each(cases)('%s', (_what, change, reason) => {
    expect(decide(order(change), offer, [])).toEqual({ bid: false, reason: expect.stringContaining(reason) });
  });

  test('where leases have taken what is left', () => {
    expect(decide(order(), offer, [{ compute, count: 6 }])).toMatchObject({ bid: true });
    expect(decide(order(), offer, [{ compute, count: 7 }])).toEqual({
      bid: false,
      reason: 'not enough memory, disk left',
    });
  });
});

test('an order is decided once, however often it is heard of, and forgotten when it is over', () => {
  const key = 'mu1owner/7/0/1';
  let state: BiddingState = new Map();
  state = bidding(state, { type: 'order', order: order() });
  expect(undecided(state)).toHaveLength(1);
  state = bidding(state, { type: 'bidding', key });
  state = bidding(bidding(state, { type: 'order', order: order() }), { type: 'bid', key });
  expect(undecided(state)).toEqual([]);
  state = bidding(state, { type: 'order', order: { ...order(), state: OrderState.ORDER_STATE_MATCHED } });
  expect(state.size).toBe(0);
});
