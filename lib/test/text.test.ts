import { expect, test } from '@jest/globals';
import { compareText } from '../src/text.ts';

test('texts are ordered by code unit, not by locale', () => {
  expect(['b', 'a', 'Z', 'ä', ''].sort(compareText)).toEqual(['', 'Z', 'a', 'b', 'ä']);
  expect(compareText('a', 'a')).toBe(0);
});
