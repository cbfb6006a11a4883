import { expect, test } from '@jest/globals';
import { fields, table } from '../src/columns.ts';

test('columns are as wide as their widest cell', () => {
  const rows = [
    ['alice', '1'],
    ['bo', '22'],
  ];
  expect(table(['NAME', 'N'], rows)).toBe('NAME   N\nalice  1\nbo     22');
});

test('fields stand below each other; what is not known is left out', () => {
  expect(fields({ a: 1, longer: undefined, long: 2n })).toBe('a     1\nlong  2');
  expect(fields({ a: [1] }, (value) => JSON.stringify(value))).toBe('a  [1]');
});
