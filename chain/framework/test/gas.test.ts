import fc from 'fast-check';
import { AbciError } from '../src/errors.ts';
import { GasMeter, maxUint64 } from '../src/gas.ts';

const near = (value: bigint): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: -3n, max: 3n }).map((offset) => (value + offset < 0n ? 0n : value + offset));
const anyGas = fc.oneof(
  near(0n),
  near(2n ** 52n),
  near(2n ** 53n),
  near(2n ** 63n),
  near(maxUint64),
  fc.nat().map(BigInt),
);
const amount = fc.oneof(fc.nat(100_000), anyGas);

/** What each amount leads to, counted with bigints alone. */
function expected(limit: bigint | undefined, amounts: readonly (number | bigint)[]): string[] {
  let consumed = 0n;
  return amounts.map((one) => {
    consumed += BigInt(one);
    const over = limit === undefined ? consumed > maxUint64 : consumed > limit;
    return `${consumed} ${over} ${limit !== undefined && consumed >= limit}`;
  });
}

describe('a gas meter', () => {
  it('counts exactly, in numbers or not, and refuses above its limit', () => {
    fc.assert(
      fc.property(fc.option(anyGas, { nil: undefined }), fc.array(amount, { maxLength: 12 }), (limit, amounts) => {
        const meter = new GasMeter(limit);
        const seen = amounts.map((one) => {
          let over = false;
          try {
            meter.consume(one, 'here');
          } catch (error) {
            over = true;
            expect(error).toBeInstanceOf(AbciError);
            expect((error as AbciError).message).toBe(
              `out of gas in location: here; gasWanted: ${limit ?? 0n}, gasUsed: ${meter.consumed}: out of gas`,
            );
          }
          const most = limit !== undefined && meter.consumed > limit ? limit : meter.consumed;
          expect(meter.consumedToLimit()).toBe(most);
          return `${meter.consumed} ${over} ${meter.isExhausted()}`;
        });
        expect(seen).toEqual(expected(limit, amounts));
      }),
      { numRuns: 2_000 },
    );
  });
});
