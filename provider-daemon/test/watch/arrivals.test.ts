import { expect, test } from '@jest/globals';
import { Arrivals } from '../../src/watch/arrivals.ts';

test('what cannot be taken up keeps no other from it, is told once, and leaves no rejection that nobody hears', async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown): void => void unheard.push(error);
  process.on('unhandledRejection', hear);
  const arrivals = new Arrivals();
  const took: string[] = [];
  try {
    arrivals.add(async () => void took.push('first'));
    arrivals.add(() => Promise.reject(new Error('the node went')));
    arrivals.add(async () => void took.push('third'));
    // The watch asks for more before it tells the height.
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('unhandledRejection', hear);
  }
  expect(took).toEqual(['first', 'third']);
  await expect(arrivals.taken()).rejects.toThrow('the node went');
  await arrivals.taken();
  expect(unheard).toEqual([]);
});
