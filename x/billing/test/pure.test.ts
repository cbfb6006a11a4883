/** The pure rules: shares, reserve, cost, settlement, runway. */
import { describe, expect, it } from '@jest/globals';
import { Dec } from '@mu/lib/dec';
import { DeploymentInfrastructure } from '@mu/proto/deployment';
import { Lease, LeaseState } from '@mu/proto/market';
import { PriceList } from '@mu/proto/provider';
import fc from 'fast-check';
import { blocksCost, priceItems, usageCost } from '../src/cost.ts';
import { reserveFor } from '../src/reserve.ts';
import { endlessHeight, runwayOf } from '../src/runway.ts';
import { settle } from '../src/settle.ts';
import { sharesForDeposit, sharesToBurn, worthOf } from '../src/shares.ts';
import { codeOf, dec, umu } from './harness.ts';

/** A pool as it can come about: never fewer shares than umu. */
const pool = fc
  .tuple(fc.bigInt(1n, 2n ** 80n), fc.bigInt(0n, 2n ** 80n))
  .map(([balance, more]) => ({ balance, shares: balance + more }));

describe('shares', () => {
  it('are 1:1 in a fresh escrow and amount × shares / balance, rounded down, later', () => {
    expect(sharesForDeposit(500n, { balance: 0n, shares: 0n })).toBe(500n);
    expect(sharesForDeposit(10n, { balance: 3n, shares: 7n })).toBe(23n);
    expect(() => sharesForDeposit(10n, { balance: 0n, shares: 7n })).toThrow(RangeError);
  });

  it('are worth their part, rounded down, and nothing where there is none', () => {
    expect(worthOf(3n, { balance: 10n, shares: 7n })).toBe(4n);
    expect(worthOf(3n, { balance: 0n, shares: 7n })).toBe(0n);
    expect(worthOf(0n, { balance: 0n, shares: 0n })).toBe(0n);
  });

  it('are burnt rounded up, and all of them for all that they are worth', () => {
    expect(sharesToBurn(1n, 5n, { balance: 3n, shares: 7n })).toBe(3n);
    expect(sharesToBurn(2n, 6n, { balance: 3n, shares: 7n })).toBe(6n);
  });

  it('never make a depositor richer, nor another one poorer', () => {
    fc.assert(
      fc.property(pool, fc.bigInt(1n, 2n ** 80n), (before, amount) => {
        const minted = sharesForDeposit(amount, before);
        const after = { balance: before.balance + amount, shares: before.shares + minted };
        expect(worthOf(minted, after)).toBeLessThanOrEqual(amount);
        expect(worthOf(before.shares, after)).toBeGreaterThanOrEqual(before.balance);
        expect(after.balance).toBeLessThanOrEqual(after.shares);
      }),
    );
  });

  it('never burn more than are held, nor leave umu without a share', () => {
    fc.assert(
      fc.property(pool, fc.bigInt(1n, 2n ** 60n), fc.bigInt(1n, 2n ** 60n), (before, part, wish) => {
        const held = 1n + (part % before.shares);
        const worth = worthOf(held, before);
        fc.pre(worth > 0n);
        const amount = 1n + (wish % worth);
        const burnt = sharesToBurn(amount, held, before);
        expect(burnt).toBeLessThanOrEqual(held);
        expect(burnt * before.balance).toBeGreaterThanOrEqual(amount * before.shares);
        expect(before.balance - amount).toBeLessThanOrEqual(before.shares - burnt);
      }),
    );
  });
});

describe('reserve', () => {
  const params = { minRunwayBlocks: 600n, usageWindowBlocks: 100n };
  const infrastructure = (price: string, count: number, maxPrice: string, per: bigint, quantity: bigint) =>
    DeploymentInfrastructure.fromPartial({
      resources: [{ price: dec(price), count }],
      usageLimits: [{ metric: 'm', maxPrice: dec(maxPrice), maxPricePer: per, maxQuantityPerBlock: quantity }],
    });

  it('is the runway at the orders’ prices plus the limits over the usage window', () => {
    // 600 × 0.5 × 2 + 3 / 1000 × 50 × 100
    expect(reserveFor([infrastructure('0.5', 2, '3', 1000n, 50n)], params)).toBe(615n);
    expect(reserveFor([], params)).toBe(0n);
  });

  it('is rounded up once, over all infrastructures', () => {
    const third = infrastructure('0', 1, '1', 3n, 1n); // 100 / 3
    expect(reserveFor([third], params)).toBe(34n);
    expect(reserveFor([third, third, third], params)).toBe(101n);
    expect(reserveFor([infrastructure('0.000000000000000001', 1, '0', 1n, 0n)], params)).toBe(1n);
  });

  it('holds the widest values that messages can carry, and refuses a division by zero and more than 256 bits', () => {
    const widest = infrastructure(`1${'0'.repeat(36)}`, 2 ** 32 - 1, `1${'0'.repeat(36)}`, 1n, 2n ** 64n - 1n);
    const most = { minRunwayBlocks: 1_000_000_000n, usageWindowBlocks: 1_000_000_000n };
    expect(reserveFor([widest], most)).toBe(
      10n ** 36n * 10n ** 9n * (2n ** 32n - 1n) + 10n ** 36n * 10n ** 9n * (2n ** 64n - 1n),
    );
    const endless = { minRunwayBlocks: 2n ** 130n, usageWindowBlocks: 1n };
    expect(codeOf(() => reserveFor([widest], endless))).toBe('billing/12');
    expect(codeOf(() => reserveFor([infrastructure('1', 1, '1', 0n, 1n)], params))).toBe('billing/8');
  });
});

describe('cost', () => {
  it('multiplies first and cuts last', () => {
    expect(usageCost(2n, 1n, 3n)).toBe(0n);
    expect(usageCost(3n, 1n, 3n)).toBe(1n);
    expect(usageCost(1n, umu, 3n)).toBe(333_333_333_333_333_333n);
    expect(usageCost(10n ** 6n, umu, 3n)).toBe(333_333_333_333_333_333_333_333n);
  });

  it('fits into 256 bits at its widest and is at most 10^36 umu', () => {
    const most = Dec.max.atomics;
    expect(((2n ** 64n - 1n) * most).toString(2).length).toBeLessThanOrEqual(256);
    expect(usageCost(2n ** 64n - 1n, most, 2n ** 64n - 1n)).toBe(most);
    expect(codeOf(() => usageCost(2n, most, 1n))).toBe('billing/37');
    expect(blocksCost(umu, 10n)).toBe(10n * umu);
    expect(blocksCost(most, 10n)).toBe(most);
  });

  const limit = (metric: string, maxPrice: string, maxPricePer: bigint) => ({
    metric,
    maxPrice: dec(maxPrice),
    maxPricePer,
    maxQuantityPerBlock: 1n,
  });
  const item = (metric: string, quantity: bigint) => ({ service: 's', metric, quantity });

  it('bills what has a limit and a price, and nothing else', () => {
    const list = PriceList.fromPartial({
      prices: [
        { metric: 'a', price: dec('2'), per: 3n },
        { metric: 'free', price: dec('9'), per: 1n },
      ],
    });
    const priced = priceItems(
      [item('a', 5n), item('free', 7n), item('unpriced', 8n)],
      [limit('a', '1', 1n), limit('unpriced', '1', 1n)],
      list,
    );
    expect(priced.cost).toBe((10n * umu) / 3n);
    expect(priced.items.map(({ price, per, cost }) => [price, per, cost])).toEqual([
      [dec('2'), 3n, ((10n * umu) / 3n).toString()],
      ['0', 1n, '0'],
      ['0', 1n, '0'],
    ]);
    expect(priceItems([item('a', 5n)], [limit('a', '1', 1n)], undefined).cost).toBe(0n);
  });

  it('compares prices of different bases without rounding', () => {
    const list = (price: string, per: bigint) =>
      PriceList.fromPartial({ prices: [{ metric: 'a', price: dec(price), per }] });
    const run = (price: string, per: bigint) =>
      codeOf(() => priceItems([item('a', 1n)], [limit('a', '1', 3n)], list(price, per)));
    expect(run('1', 3n)).toBe('accepted');
    expect(run('2', 6n)).toBe('accepted');
    expect(run('1.000000000000000001', 3n)).toBe('billing/36');
    expect(run('0.333333333333333334', 1n)).toBe('billing/36');
    expect(run('0.333333333333333333', 1n)).toBe('accepted');
  });

  it('refuses items whose sum is beyond the bound', () => {
    const list = PriceList.fromPartial({ prices: [{ metric: 'a', price: dec(`1${'0'.repeat(36)}`), per: 1n }] });
    const limits = [limit('a', `1${'0'.repeat(36)}`, 1n)];
    expect(codeOf(() => priceItems([item('a', 1n)], limits, list))).toBe('accepted');
    expect(codeOf(() => priceItems([item('a', 1n), { ...item('a', 1n), service: 't' }], limits, list))).toBe(
      'billing/37',
    );
  });

  it('is that of the first Mu’s price rule', () => {
    // A month of 30 days at a block a second; gibibytes and months as byte-blocks.
    const month = 2_592_000n;
    const gib = 2n ** 30n;
    const prices = [
      { metric: 'function-mbi', price: dec('1000'), per: 10n ** 12n },
      { metric: 'db-byte-blocks', price: dec('1000'), per: gib * month },
      { metric: 'db-reads', price: dec('500'), per: 10n ** 6n },
      { metric: 'db-writes', price: dec('2000'), per: 10n ** 6n },
      { metric: 'gateway-requests', price: dec('50'), per: 10n ** 6n },
      { metric: 'gateway-bytes', price: dec('100'), per: gib },
    ];
    const used = [512n * 2n * 10n ** 12n, 500n * 2n ** 20n * (month / 2n), 5_000_000n, 800_000n, 4_000_000n, 5n * gib];
    const limits = prices.map(({ metric, price, per }) => ({
      metric,
      maxPrice: price,
      maxPricePer: per,
      maxQuantityPerBlock: 1n,
    }));
    const items = prices.map(({ metric }, at) => item(metric, used[at] as bigint));
    const { cost } = priceItems(items, limits, PriceList.fromPartial({ prices }));
    const paid = settle({ cost, remainder: 0n, balance: 10n ** 9n, commissionRate: 0n });
    expect(paid.amount).toBe(1_029_044n);
    expect(paid.remainder).toBe(140_625_000_000_000_000n);
  });
});

describe('settlement', () => {
  const due = { cost: 0n, remainder: 0n, balance: 100n, commissionRate: 0n };

  it('pays whole umu and carries the rest', () => {
    expect(settle({ ...due, cost: umu - 1n })).toEqual({ amount: 0n, commission: 0n, remainder: umu - 1n, unpaid: 0n });
    expect(settle({ ...due, cost: 1n, remainder: umu - 1n })).toEqual({
      amount: 1n,
      commission: 0n,
      remainder: 0n,
      unpaid: 0n,
    });
    expect(settle({ ...due, cost: umu, remainder: umu - 1n }).remainder).toBe(umu - 1n);
  });

  it('pays what is there when funds are short, and drops what had none', () => {
    expect(settle({ ...due, cost: 100n * umu + 7n })).toEqual({
      amount: 100n,
      commission: 0n,
      remainder: 7n,
      unpaid: 0n,
    });
    expect(settle({ ...due, cost: 101n * umu + 7n })).toEqual({
      amount: 100n,
      commission: 0n,
      remainder: 0n,
      unpaid: 1n,
    });
    expect(settle({ ...due, balance: 0n, cost: umu })).toEqual({
      amount: 0n,
      commission: 0n,
      remainder: 0n,
      unpaid: 1n,
    });
  });

  it('takes the commission off the amount, rounded down', () => {
    expect(settle({ ...due, cost: 99n * umu, commissionRate: umu / 10n }).commission).toBe(9n);
    expect(settle({ ...due, cost: 9n * umu, commissionRate: umu / 10n }).commission).toBe(0n);
    expect(settle({ ...due, cost: 99n * umu, commissionRate: umu - 1n }).commission).toBe(98n);
  });

  it('pays in many small payments what it pays in one', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(0n, 3n * umu), { maxLength: 50 }), (costs) => {
        let remainder = 0n;
        let amount = 0n;
        for (const cost of costs) {
          const paid = settle({ cost, remainder, balance: 10n ** 9n, commissionRate: 0n });
          remainder = paid.remainder;
          amount += paid.amount;
        }
        const sum = costs.reduce((total, cost) => total + cost, 0n);
        expect([amount, remainder]).toEqual([sum / umu, sum % umu]);
      }),
    );
  });
});

describe('runway', () => {
  const lease = (
    price: string,
    paidThrough: bigint,
    remainder = '0',
    state: LeaseState = LeaseState.LEASE_STATE_ACTIVE,
  ) => Lease.fromPartial({ pricePerBlock: dec(price), paidThrough, remainder, state });

  it('is the last block that all active leases can be paid for', () => {
    expect(runwayOf(10n, [])).toEqual({ height: 0n, pricePerBlock: 0n });
    expect(runwayOf(10n, [lease('3', 100n)])).toEqual({ height: 103n, pricePerBlock: 3n * umu });
    expect(runwayOf(10n, [lease('3', 100n, '', LeaseState.LEASE_STATE_CLOSED)]).height).toBe(0n);
    // 2 × (h − 100) + 3 × (h − 110) ≤ 20
    expect(runwayOf(20n, [lease('2', 100n), lease('3', 110n)]).height).toBe(110n);
    expect(runwayOf(9n, [lease('3', 100n, '1')]).height).toBe(102n);
    expect(runwayOf(9n, [lease('0', 100n)]).height).toBe(endlessHeight);
  });
});
