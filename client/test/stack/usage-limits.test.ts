import { Dec } from '@mu/lib/dec';
import fc from 'fast-check';
import { defaultQuantity, medianUsageLimits } from '../../src/stack/usage-limits.ts';
import { market } from './derived.ts';

describe('usage limits', () => {
  it('are never below twice the lower middle price, nor above twice the upper one', () => {
    const price = fc.record({ umu: fc.bigInt(1n, 10n ** 24n), per: fc.bigInt(1n, 10n ** 9n) });
    fc.assert(
      fc.property(fc.array(price, { minLength: 1, maxLength: 7 }), (prices) => {
        const lists = prices.map(({ umu, per }, i) => ({
          provider: `p${i}`,
          regions: [],
          prices: [{ metric: 'function-invocations', price: Dec.fromAtomics(umu), per }],
        }));
        const [limit] = medianUsageLimits(lists, market.metrics, ['mu-function']);
        const twice = prices.filter(({ umu, per }) => 2n * umu * limit!.maxPricePer <= BigInt(limit!.maxPrice) * per);
        const below = prices.filter(
          ({ umu, per }) => (BigInt(limit!.maxPrice) - 1n) * per < 2n * umu * limit!.maxPricePer,
        );
        expect(twice.length * 2).toBeGreaterThanOrEqual(prices.length);
        expect(below.length * 2).toBeGreaterThanOrEqual(prices.length);
      }),
    );
  });

  it('have quantities within the metric’s bound', () => {
    expect(market.metrics.map(defaultQuantity)).toEqual([1000n, 4096n, 1000n]);
  });
});
