import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SortedMap } from '../../src/store/sorted-map.ts';

const key = fc.string({ unit: fc.constantFrom('a', 'b', '\u00ff'), minLength: 1, maxLength: 4 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set' as const), key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('seek' as const), key, reverse: fc.boolean() }) },
);

/** What a seek must answer, by looking at every key. */
function expected(keys: readonly string[], from: string, reverse: boolean): string | undefined {
  const sorted = [...keys].sort((a, b) => (a < b ? -1 : 1));
  return reverse ? sorted.filter((one) => one < from).at(-1) : sorted.find((one) => one >= from);
}

test('whatever comes and goes between two looks, keys are met once and in their order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const [map, model] = [new SortedMap<number>(), new Map<string, number>()];
      for (const [at, one] of steps.entries()) {
        if (one.kind === 'seek') {
          expect(map.seek(one.key, one.reverse)).toBe(expected([...model.keys()], one.key, one.reverse));
        } else if (one.kind === 'set') {
          map.set(one.key, at);
          model.set(one.key, at);
        } else {
          map.delete(one.key);
          model.delete(one.key);
        }
      }
      expect([...map.entries()]).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
      expect(map.size).toBe(model.size);
    }),
  );
});
