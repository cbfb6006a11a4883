import { expect, test } from '@jest/globals';
import { fields, toJson } from '../src/output.ts';

test('64-bit numbers are texts in JSON, bytes are base64', () => {
  expect(toJson({ a: 2n ** 63n, b: Uint8Array.of(1, 2), c: [1n] })).toBe(
    '{"a":"9223372036854775808","b":"AQI=","c":["1"]}',
  );
});

test('a record within a field is JSON', () => {
  expect(fields({ a: 1, long: { b: 2n } })).toBe('a     1\nlong  {"b":"2"}');
});
