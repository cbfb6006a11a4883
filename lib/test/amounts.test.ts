import fc from 'fast-check';
import {
  AmountError,
  type AmountErrorReason,
  addAmounts,
  addCoins,
  amountOf,
  areCoinsValid,
  type Coin,
  coinsCover,
  coinsToString,
  formatAmount,
  isDenom,
  makeCoin,
  maxAmount,
  mulAmounts,
  parseAmount,
  parseCoins,
  subAmounts,
  subCoins,
  validateCoins,
} from '../src/amounts.ts';

function reasonOf(run: () => unknown): AmountErrorReason | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof AmountError) return error.reason;
    throw error;
  }
  return undefined;
}

const amounts = fc.bigInt({ min: 0n, max: maxAmount });

describe('amounts', () => {
  test('text goes both ways up to 256 bits', () => {
    fc.assert(fc.property(amounts, (value) => parseAmount(formatAmount(value)) === value));
    expect(parseAmount(maxAmount.toString())).toBe(maxAmount);
  });

  test.each(['', '00', '01', '+1', '-1', ' 1', '1 ', '1.0', '1e3', '0x1', '1_0', '1n', '١', '1\n', '9'.repeat(79)])(
    '%j is no amount',
    (text) => {
      expect(reasonOf(() => parseAmount(text))).toBe('syntax');
    },
  );

  test('the first amount above 256 bits is refused in every operation', () => {
    expect(reasonOf(() => parseAmount((maxAmount + 1n).toString()))).toBe('overflow');
    expect(reasonOf(() => formatAmount(maxAmount + 1n))).toBe('overflow');
    expect(reasonOf(() => addAmounts(maxAmount, 1n))).toBe('overflow');
    expect(reasonOf(() => mulAmounts(2n ** 128n, 2n ** 128n))).toBe('overflow');
    expect(mulAmounts(2n ** 128n, 2n ** 127n)).toBe(2n ** 255n);
  });

  test('nothing below 0, in arguments and in results', () => {
    expect(reasonOf(() => subAmounts(1n, 2n))).toBe('negative');
    expect(reasonOf(() => addAmounts(-1n, 2n))).toBe('negative');
    expect(reasonOf(() => mulAmounts(-1n, -2n))).toBe('negative');
    expect(reasonOf(() => subAmounts(3n, -2n))).toBe('negative');
    expect(subAmounts(2n, 2n)).toBe(0n);
  });
});

describe('coins', () => {
  test('denominations: 3 to 128 characters, a letter first', () => {
    for (const denom of ['umu', 'ibc/27394FB0', 'a:b', 'A1._-', `a${'b'.repeat(127)}`])
      expect(isDenom(denom)).toBe(true);
    for (const denom of ['um', '1mu', 'u mu', 'u$u', `a${'b'.repeat(128)}`, '', 'umu\n', 'ümu']) {
      expect(isDenom(denom)).toBe(false);
    }
  });

  test('parsing sorts, drops zeros and refuses duplicates', () => {
    expect(parseCoins('10umu, 5stake,0zero')).toEqual([
      { denom: 'stake', amount: '5' },
      { denom: 'umu', amount: '10' },
    ]);
    expect(parseCoins('')).toEqual([]);
    expect(reasonOf(() => parseCoins('1umu,2umu'))).toBe('coins');
    for (const text of ['umu', '10', '1.5umu', '-1umu', '10um', '1umu,', '01umu', '1umu;2abc', '+1umu']) {
      expect(reasonOf(() => parseCoins(text))).toBe('syntax');
    }
  });

  test("validation has the SDK's rules and texts", () => {
    const coin = (amount: string, denom: string): Coin => ({ denom, amount });
    expect(() => validateCoins([coin('1', 'b11'), coin('1', 'a11')])).toThrow('denomination a11 is not sorted');
    expect(() => validateCoins([coin('1', 'a11'), coin('1', 'a11')])).toThrow('duplicate denomination a11');
    expect(() => validateCoins([coin('0', 'a11')])).toThrow('coin 0a11 amount is not positive');
    expect(() => validateCoins([coin('1', 'a')])).toThrow('invalid denom: a');
    expect(areCoinsValid([coin('-1', 'a11')])).toBe(false);
    expect(areCoinsValid([coin('1', 'a11'), coin('2', 'b11')])).toBe(true);
    expect(areCoinsValid([])).toBe(true);
  });

  // A model: coins as a record from denomination to amount.
  const denoms = ['abc', 'stake', 'umu', 'Zzz'];
  const holdings = fc.array(fc.bigInt({ min: 0n, max: 2n ** 200n }), { minLength: 4, maxLength: 4 });
  const toCoins = (values: readonly bigint[]): Coin[] =>
    denoms
      .flatMap((denom, i) => (values[i]! > 0n ? [makeCoin(values[i]!, denom)] : []))
      .sort((a, b) => (a.denom < b.denom ? -1 : 1));

  test('sums and differences are those of each denomination', () => {
    fc.assert(
      fc.property(holdings, holdings, (x, y) => {
        const sum = addCoins(toCoins(x), toCoins(y));
        expect(sum).toEqual(toCoins(x.map((value, i) => value + y[i]!)));
        expect(areCoinsValid(sum)).toBe(true);
        expect(subCoins(sum, toCoins(y))).toEqual(toCoins(x));
        expect(coinsCover(sum, toCoins(y))).toBe(true);
        expect(parseCoins(coinsToString(sum))).toEqual(sum);
      }),
    );
  });

  test('more than there is cannot be taken, and sums stay within 256 bits', () => {
    expect(reasonOf(() => subCoins(parseCoins('5umu'), parseCoins('6umu')))).toBe('negative');
    expect(reasonOf(() => subCoins(parseCoins('5umu'), parseCoins('1abc')))).toBe('negative');
    expect(coinsCover(parseCoins('5umu'), parseCoins('6umu'))).toBe(false);
    expect(reasonOf(() => addCoins([makeCoin(maxAmount, 'umu')], parseCoins('1umu')))).toBe('overflow');
    expect(reasonOf(() => addCoins([{ denom: 'umu', amount: '0' }], []))).toBe('coins');
    expect(reasonOf(() => addCoins([], [{ denom: 'umu', amount: '0' }]))).toBe('coins');
    expect(amountOf(parseCoins('5umu'), 'umu')).toBe(5n);
    expect(amountOf(parseCoins('5umu'), 'abc')).toBe(0n);
    expect(coinsToString(parseCoins('5umu,7abc'))).toBe('7abc,5umu');
  });
});
