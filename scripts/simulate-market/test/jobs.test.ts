import { expect, test } from '@jest/globals';
import { sharesOf, together } from '../jobs.ts';

test('shares have all chains, each once, and the last one may be shorter', () => {
  expect(sharesOf(10_000, 2_500, 0, 2)).toEqual([
    { chain: 0, messages: 5_000 },
    { chain: 2, messages: 5_000 },
  ]);
  expect(sharesOf(6_000, 2_500, 7, 2)).toEqual([
    { chain: 7, messages: 5_000 },
    { chain: 9, messages: 1_000 },
  ]);
  expect(sharesOf(100, 2_500, 0, 4)).toEqual([{ chain: 0, messages: 100 }]);
});

test('results add up, and a difference is the result', () => {
  const ok = { simulation: 'ok', messages: 5, blocks: 2, chains: 1, refused: 1, crashes: 0, restarts: 0, exports: 1 };
  expect(together([ok, { ...ok, messages: 7 }])).toEqual({
    ...ok,
    messages: 12,
    blocks: 4,
    chains: 2,
    refused: 2,
    exports: 2,
  });
  expect(together([ok, { simulation: 'different', path: 'x' }])).toEqual({ simulation: 'different', path: 'x' });
});
