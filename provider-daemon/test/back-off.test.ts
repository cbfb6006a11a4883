import { expect, test } from '@jest/globals';
import { backOffMs, spreadBackOffMs } from '../src/back-off.ts';

const bounds = { first: 100, most: 1000 };

test('back-off doubles, up to its most', () => {
  expect([0, 1, 2, 3, 4, 99].map((attempt) => backOffMs(attempt, bounds))).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test('half of it is by chance', () => {
  expect([0, 0.5, 1].map((chance) => spreadBackOffMs(1, bounds, chance))).toEqual([100, 150, 200]);
  expect(spreadBackOffMs(99, bounds, 0)).toBe(500);
});
