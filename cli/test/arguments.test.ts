import { expect, test } from '@jest/globals';
import { readCoin, wholeNumber } from '../src/arguments.ts';
import { CliError, exitCodes } from '../src/errors.ts';

test('whole numbers are read, up to 19 digits', () => {
  expect([wholeNumber('0', 'DSEQ'), wholeNumber('9999999999999999999', 'DSEQ')]).toEqual([0n, 9999999999999999999n]);
});

test.each(['', '-1', '1.5', '1e3', 'seven', '10000000000000000000'])(
  '"%s" is refused by the name of what it is for',
  (text) => {
    const refused = () => wholeNumber(text, '--timeout');
    expect(refused).toThrow(new CliError(`--timeout: "${text}" is no whole number`, exitCodes.usage));
  },
);

test('coins are read, and what is none is refused with how to write it', async () => {
  expect(await readCoin('1000umu')).toEqual({ denom: 'umu', amount: '1000' });
  await expect(readCoin('umu')).rejects.toMatchObject({
    exitCode: exitCodes.usage,
    message: expect.stringContaining('write it like 1000umu'),
  });
});
