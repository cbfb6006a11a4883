import fc from 'fast-check';
import { Dec, DecError, type DecErrorReason } from '../src/dec.ts';

const unit = 10n ** 18n;
const bound = 10n ** 54n;
const decs = fc.bigInt({ min: -bound, max: bound }).map((atomics) => Dec.fromAtomics(atomics));
const small = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map((atomics) => Dec.fromAtomics(atomics));

function reasonOf(run: () => unknown): DecErrorReason | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof DecError) return error.reason;
    throw error;
  }
  return undefined;
}

describe('texts', () => {
  test('every text form comes back to the same value', () => {
    fc.assert(
      fc.property(decs, (value) => {
        expect(Dec.fromString(value.toString()).atomics).toBe(value.atomics);
        expect(Dec.fromString(value.toPlain()).atomics).toBe(value.atomics);
        expect(Dec.fromAtomics(value.atomicsString()).atomics).toBe(value.atomics);
      }),
    );
  });

  test.each([
    ['1.25', '1.250000000000000000', '1.25', 1_250_000_000_000_000_000n],
    ['-0.5', '-0.500000000000000000', '-0.5', -500_000_000_000_000_000n],
    ['0', '0.000000000000000000', '0', 0n],
    ['100', '100.000000000000000000', '100', 100n * unit],
    ['0.000000000000000001', '0.000000000000000001', '0.000000000000000001', 1n],
  ])('%s', (text, full, plain, atomics) => {
    const value = Dec.fromString(text);
    expect(value.toString()).toBe(full);
    expect(value.toPlain()).toBe(plain);
    expect(value.atomics).toBe(atomics);
    expect(JSON.stringify({ value })).toBe(`{"value":"${full}"}`);
  });

  test.each([
    '',
    '.',
    '1.',
    '.5',
    '+1',
    '01',
    '1e3',
    ' 1',
    '1 ',
    '1,5',
    '1.2.3',
    '--1',
    '0.0000000000000000001',
    'NaN',
  ])('%j is no decimal', (text) => {
    expect(reasonOf(() => Dec.fromString(text))).toBe('syntax');
  });

  test.each(['', '1.0', '+1', '-0', '00', '01', '0x1', ' 1', '1e18'])('%j are no atomics', (text) => {
    expect(reasonOf(() => Dec.fromAtomics(text))).toBe('syntax');
  });
});

describe('bound of 10^36', () => {
  test('it is reached and never passed', () => {
    expect(Dec.fromString(`1${'0'.repeat(36)}`).equals(Dec.max)).toBe(true);
    const passing = [
      () => Dec.fromString(`1${'0'.repeat(36)}.000000000000000001`),
      () => Dec.fromAtomics(bound + 1n),
      () => Dec.fromAtomics(`-${bound + 1n}`),
      () => Dec.max.add(Dec.fromAtomics(1n)),
      () => Dec.max.neg().sub(Dec.fromAtomics(1n)),
      () => Dec.max.mul(Dec.fromString('1.1')),
      () => Dec.max.mulTruncate(Dec.fromString('1.1')),
      () => Dec.max.mulInt(2n),
      () => Dec.max.quoTruncate(Dec.fromString('0.9')),
      () => Dec.fromInt(10n ** 36n + 1n),
    ];
    expect(passing.map(reasonOf)).toEqual(passing.map(() => 'overflow'));
  });
});

describe('arithmetic', () => {
  test('sums and differences are exact', () => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        expect(a.add(b).atomics).toBe(a.atomics + b.atomics);
        expect(a.add(b).sub(b).equals(a)).toBe(true);
      }),
    );
  });

  test('the truncated product is the exact one cut towards zero, the rounded one is the nearest', () => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        const exact = a.atomics * b.atomics;
        const cut = a.mulTruncate(b).atomics * unit;
        expect(
          cut < 0n
            ? exact <= cut && exact > cut - unit
            : exact < cut + unit && (cut > 0n ? exact >= cut : exact > -unit),
        ).toBe(true);
        const error = exact - a.mul(b).atomics * unit;
        expect((error < 0n ? -error : error) * 2n <= unit).toBe(true);
      }),
    );
  });

  // From the SDK's own table for LegacyDec: halves go to the even neighbour, also below zero.
  test.each([
    [5n, 10n ** 17n, 0n],
    [15n, 10n ** 17n, 2n],
    [25n, 10n ** 17n, 2n],
    [35n, 10n ** 17n, 4n],
    [26n, 10n ** 17n, 3n],
    [24n, 10n ** 17n, 2n],
    [-5n, 10n ** 17n, 0n],
    [-15n, 10n ** 17n, -2n],
    [-25n, 10n ** 17n, -2n],
  ])('%d atomics times %d atomics rounds to %d', (a, b, expected) => {
    expect(Dec.fromAtomics(a).mul(Dec.fromAtomics(b)).atomics).toBe(expected);
  });

  test('quotients are cut towards zero', () => {
    expect(Dec.fromInt(1n).quoTruncate(Dec.fromInt(3n)).toString()).toBe('0.333333333333333333');
    expect(Dec.fromInt(-2n).quoTruncate(Dec.fromInt(3n)).toString()).toBe('-0.666666666666666666');
    expect(Dec.fromInt(2n).quoInt(3n).toString()).toBe('0.666666666666666666');
    expect(Dec.fromString('0.5').mulInt(3n).toPlain()).toBe('1.5');
    expect(reasonOf(() => Dec.one.quoTruncate(Dec.zero))).toBe('division-by-zero');
    expect(reasonOf(() => Dec.one.quoInt(0n))).toBe('division-by-zero');
  });

  test.each([
    ['1.5', 1n, 2n],
    ['-1.5', -1n, -1n],
    ['2', 2n, 2n],
    ['-2', -2n, -2n],
    ['0.000000000000000001', 0n, 1n],
    ['-0.000000000000000001', 0n, 0n],
  ])('%s is cut to %d and raised to %d', (text, cut, raised) => {
    expect(Dec.fromString(text).truncateInt()).toBe(cut);
    expect(Dec.fromString(text).ceilInt()).toBe(raised);
  });

  test('order', () => {
    fc.assert(
      fc.property(decs, decs, (a, b) => {
        const expected = a.atomics === b.atomics ? 0 : a.atomics < b.atomics ? -1 : 1;
        expect(a.cmp(b)).toBe(expected);
        expect(a.lt(b)).toBe(expected === -1);
        expect(a.gt(b)).toBe(expected === 1);
        expect(a.equals(b)).toBe(expected === 0);
      }),
    );
    expect([Dec.zero.isZero(), Dec.one.isZero(), Dec.one.neg().isNegative(), Dec.zero.isNegative()]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect([Dec.one.isPositive(), Dec.zero.isPositive()]).toEqual([true, false]);
  });
});
