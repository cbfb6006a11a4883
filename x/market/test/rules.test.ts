import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { registeredErrors } from '@mu/framework/errors';
import { compareBytes } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import { Fulfillment, Lease, LeaseState, Order, type Params, CloseReason as Reason } from '@mu/proto/market';
import { PriceList } from '@mu/proto/provider';
import fc from 'fast-check';
import { bidTotal, checkPriceList, pricePerBlock } from '../src/fulfillments.ts';
import { totalKey } from '../src/keys.ts';
import { divide, ends, newLease } from '../src/leases.ts';
import { maxExcludedByMarket, nextSpec, withBid, withoutBid } from '../src/orders.ts';
import { defaultParams, validateParams } from '../src/params.ts';
import { address, infrastructure, provider, providerA, umu } from './world.ts';

const total = fc.bigInt({ min: 0n, max: Dec.max.atomics });

test('totals as keys have the order of totals and come back', () => {
  fc.assert(
    fc.property(total, total, (a, b) => {
      const [left, right] = [totalKey.encode(a), totalKey.encode(b)];
      expect(left).toHaveLength(24);
      expect(compareBytes(left, right)).toBe(a < b ? -1 : a > b ? 1 : 0);
      expect(totalKey.decode(left, 0)).toEqual([a, 24]);
    }),
  );
  expect(totalKey.decode(totalKey.encode(Dec.max.atomics), 0)[0]).toBe(Dec.max.atomics);
  expect(() => totalKey.encode(-1n)).toThrow(RangeError);
});

describe('the collateral of a lease', () => {
  const amount = fc.bigInt({ min: 0n, max: 10n ** 30n });
  const lease = (collateral: bigint, price: bigint): Lease =>
    Lease.fromPartial({ collateral: `${collateral}`, pricePerBlock: `${price}`, createdHeight: 100n });
  const inputs = [amount, fc.bigInt({ min: 1n, max: 10n ** 30n }), fc.bigInt({ min: 0n, max: 10n ** 18n })] as const;

  test('is divided without a coin lost or made; nothing goes to a provider that broke it', () => {
    fc.assert(
      fc.property(...inputs, fc.bigInt({ min: 0n, max: 300n }), (collateral, price, share, age) => {
        const params = { ...defaultParams(), collateralUserShare: `${share}`, youngLeaseBlocks: 100n };
        const { toProvider, toUser, burnt } = divide(lease(collateral, price), 'broken', 100n + age, params);
        expect(toProvider + toUser + burnt).toBe(collateral);
        expect(toProvider).toBe(0n);
        expect(burnt >= 0n && toUser >= 0n).toBe(true);
        expect(toUser * Dec.one.atomics <= collateral * share).toBe(true);
        if (age <= 100n) expect(toUser * Dec.one.atomics <= price * 100n).toBe(true);
      }),
    );
  });

  test('returns whole otherwise', () => {
    expect(divide(lease(7n, 1n), 'returned', 101n, defaultParams())).toEqual({ toProvider: 7n, toUser: 0n, burnt: 0n });
  });

  test('young is up to and with the last of the N blocks', () => {
    const params = { ...defaultParams(), youngLeaseBlocks: 10n };
    const one = lease(1_000n, Dec.fromInt(3n).atomics);
    expect(divide(one, 'broken', 110n, params)).toMatchObject({ toUser: 30n, burnt: 970n });
    expect(divide(one, 'broken', 111n, params)).toMatchObject({ toUser: 1_000n, burnt: 0n });
  });
});

test('every reason has an end, and only a provider that fails loses its collateral', () => {
  const reasons = Object.values(Reason).filter((reason) => reason > 0);
  expect(Object.keys(ends).map(Number)).toEqual(reasons);
  const broken = reasons.filter((reason) => ends[reason as keyof typeof ends].collateral === 'broken');
  expect(broken).toEqual([
    Reason.CLOSE_REASON_PROVIDER_AT_ONCE,
    Reason.CLOSE_REASON_NOT_CONFIRMED,
    Reason.CLOSE_REASON_MATCH_FAILED,
  ]);
});

describe('a usage price', () => {
  test('is compared with its limit as a fraction, exactly', () => {
    const part = fc.bigInt({ min: 1n, max: 10n ** 12n });
    fc.assert(
      fc.property(part, part, part, part, (price, per, maxPrice, maxPricePer) => {
        const spec = infrastructure({
          usageLimits: [{ metric: 'calls', maxPrice: `${maxPrice}`, maxPricePer, maxQuantityPerBlock: 1n }],
        });
        const list = PriceList.fromPartial({ version: 1n, prices: [{ metric: 'calls', price: `${price}`, per }] });
        const check = () => checkPriceList(spec, provider(providerA), 1n, list);
        if (price * maxPricePer <= maxPrice * per) expect(check).not.toThrow();
        else expect(check).toThrow(/above a usage limit/);
      }),
    );
  });

  test('adds to the total never less than its exact part and less than one atomic more', () => {
    const part = fc.bigInt({ min: 1n, max: 10n ** 12n });
    fc.assert(
      fc.property(part, part, part, (price, per, quantityPerBlock) => {
        const spec = infrastructure({
          usageLimits: [{ metric: 'calls', maxPrice: '1', maxPricePer: 1n, maxQuantityPerBlock: 1n }],
          expectedUsage: [{ metric: 'calls', quantityPerBlock }],
        });
        const list = PriceList.fromPartial({ version: 1n, prices: [{ metric: 'calls', price: `${price}`, per }] });
        const offers = [{ compute: undefined, price: umu('1'), collateral: '0', count: 3 }];
        const usage = bidTotal(spec, offers, list).atomics - pricePerBlock(offers).atomics;
        const excess = usage * per - price * quantityPerBlock;
        expect(excess >= 0n && excess < per).toBe(true);
      }),
    );
  });
});

describe('an order', () => {
  test('is due from its first bid on and never due without one', () => {
    const height = fc.bigInt({ min: 1n, max: 1_000n });
    fc.assert(
      fc.property(height, fc.array(fc.tuple(fc.boolean(), height), { maxLength: 20 }), (readyHeight, moves) => {
        let order = Order.fromPartial({ readyHeight });
        let first = 0n;
        for (const [comes, at] of moves) {
          if (!comes && order.openBids === 0) continue;
          if (comes && order.openBids === 0) first = at;
          order = comes ? withBid(order, at, defaultParams()) : withoutBid(order);
          const auctionEnd = first + 3n;
          const due = readyHeight > auctionEnd ? readyHeight : auctionEnd;
          expect(order.dueHeight).toBe(order.openBids === 0 ? 0n : due);
        }
      }),
    );
  });

  test('of the next round asks what the infrastructure asks now and forgets the oldest exclusions of the market', () => {
    const excluded = Array.from({ length: 40 }, (_, n) => address(100 + n));
    const now = infrastructure({ excludedProviders: [address(5)], services: ['mu-db'] });
    const next = nextSpec(now, [address(5).toUpperCase(), ...excluded, address(100)]);
    expect(next.services).toEqual(['mu-db']);
    expect(next.excludedProviders).toEqual([address(5), ...excluded.slice(40 - maxExcludedByMarket)]);
  });
});

test('a new lease costs Σ price × count', () => {
  const offer = { compute: undefined, collateral: '0' };
  const bid = Fulfillment.fromPartial({
    collateral: '7',
    resources: [
      { ...offer, price: umu('0.5'), count: 3 },
      { ...offer, price: umu('2'), count: 1 },
    ],
  });
  const lease = newLease(1n, Order.fromPartial({ spec: infrastructure() }), bid, 5n, defaultParams());
  expect(lease).toMatchObject({ pricePerBlock: umu('3.5'), collateral: '7', state: LeaseState.LEASE_STATE_ACTIVE });
});

describe('parameters', () => {
  test('of the default genesis are valid', () => expect(() => validateParams(defaultParams())).not.toThrow());
  const wrong: [string, Partial<Params>][] = [
    ['min_auction_blocks', { minAuctionBlocks: 2n }],
    ['confirmation_blocks', { confirmationBlocks: 0n }],
    ['grace_blocks', { graceBlocks: 10n ** 15n }],
    ['max_bids_per_order', { maxBidsPerOrder: 0 }],
    ['max_confirmations', { maxConfirmations: 501 }],
    ['max_injected_cost', { maxInjectedCost: 32 }],
    ['collateral_user_share', { collateralUserShare: umu('1.1') }],
    ['collateral_user_share', { collateralUserShare: '-1' }],
    ['collateral_user_share', { collateralUserShare: '' }],
    ['interest_rate', { interestRate: umu('1.000001') }],
    ['interest_rate', { interestRate: '-1' }],
    ['max_interest_per_year', { maxInterestPerYear: '-1' }],
    ['max_collateral', { maxCollateral: '1.5' }],
  ];
  test.each(wrong)('with a wrong %s are refused (37)', (field, change) => {
    expect(() => validateParams({ ...defaultParams(), ...change })).toThrow(field);
  });
});

describe('the README', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8').replace(/ +/g, ' ');
  test('lists every error', () => {
    for (const [codespace, code, text] of registeredErrors()) {
      if (codespace === 'market') expect(readme).toContain(`| ${code} | ${text} |`);
    }
  });
  test('lists every reason', () => {
    for (const name of Object.keys(Reason)) {
      if (!/UNSPECIFIED|UNRECOGNIZED/.test(name))
        expect(readme).toContain(`\`${name.slice('CLOSE_REASON_'.length).toLowerCase()}\``);
    }
  });
});
