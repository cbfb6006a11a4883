import { expect, test } from '@jest/globals';
import { fields, table, toJson } from '../src/output.ts';

test('64-bit numbers are texts in JSON, bytes are base64', () => {
  expect(toJson({ a: 2n ** 63n, b: Uint8Array.of(1, 2), c: [1n] })).toBe(
    '{"a":"9223372036854775808","b":"AQI=","c":["1"]}',
  );
});

test('columns are as wide as their widest cell', () => {
  expect(
    table(
      ['NAME', 'N'],
      [
        ['alice', '1'],
        ['bo', '22'],
      ],
    ),
  ).toBe('NAME   N\nalice  1\nbo     22');
  expect(fields({ a: 1, long: { b: 2n } })).toBe('a     1\nlong  {"b":"2"}');
});
