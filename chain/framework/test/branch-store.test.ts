import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BranchMultiStore, BranchStore } from '../src/store/branch-store.ts';
import { prefixEnd } from '../src/store/kv-store.ts';
import { MemoryCommitStore } from '../src/store/memory-commit-store.ts';
import { MemoryStore } from '../src/store/memory-store.ts';

const key = (n: number): Uint8Array => Uint8Array.of(n);

test('a branch sees its parent, hides what it deleted and writes nothing before it is told to', () => {
  const parent = new MemoryStore();
  for (const n of [1, 3, 5]) parent.set(key(n), key(n));
  const branch = new BranchStore(parent);
  branch.set(key(2), key(20));
  branch.delete(key(3));
  expect([...branch.iterate()].map(([k, v]) => [k[0], v[0]])).toEqual([
    [1, 1],
    [2, 20],
    [5, 5],
  ]);
  expect([...branch.iterate(key(2), key(5), true)].map(([k]) => k[0])).toEqual([2]);
  expect(parent.has(key(2))).toBe(false);
  branch.write();
  expect([...parent.iterate()].map(([k]) => k[0])).toEqual([1, 2, 5]);
});

test('a branch of branches behaves like one flat sorted map, in both directions and any range', () => {
  const operation = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.option(fc.integer({ min: 0, max: 255 })));
  fc.assert(
    fc.property(
      fc.array(fc.array(operation, { maxLength: 20 }), { maxLength: 4 }),
      fc.integer({ min: 0, max: 31 }),
      fc.integer({ min: 0, max: 31 }),
      fc.boolean(),
      (layers, low, high, reverse) => {
        const model = new Map<number, number>();
        let top: MemoryStore | BranchStore = new MemoryStore();
        for (const layer of layers) {
          top = new BranchStore(top);
          for (const [k, v] of layer) {
            if (v === null) {
              top.delete(key(k));
              model.delete(k);
            } else {
              top.set(key(k), key(v));
              model.set(k, v);
            }
          }
        }
        const expected = [...model].filter(([k]) => k >= low && k < high).sort(([a], [b]) => (reverse ? b - a : a - b));
        expect([...top.iterate(key(low), key(high), reverse)].map(([k, v]) => [k[0], v[0]])).toEqual(expected);
      },
    ),
  );
});

test('an iteration sees writes that lie ahead of it and none that lie behind', () => {
  const branch = new BranchStore(new MemoryStore());
  for (const n of [2, 4, 6]) branch.set(key(n), key(n));
  const seen: number[] = [];
  for (const [k] of branch.iterate()) {
    seen.push(k[0] as number);
    if (k[0] === 4) {
      branch.delete(key(6));
      branch.set(key(3), key(3));
      branch.set(key(5), key(5));
    }
  }
  expect(seen).toEqual([2, 4, 5]);
});

test('changes come by store and key, ascending, each key once with its last value', () => {
  const branch = new BranchMultiStore(new MemoryCommitStore(['b', 'a']));
  branch.store('b').set(key(2), key(1));
  branch.store('b').set(key(1), key(1));
  branch.store('a').set(key(9), key(1));
  branch.store('b').set(key(2), key(7));
  branch.store('a').delete(key(8));
  expect(branch.changes().map(({ store, key: k, value }) => [store, k[0], value?.[0]])).toEqual([
    ['a', 8, undefined],
    ['a', 9, 1],
    ['b', 1, 1],
    ['b', 2, 7],
  ]);
});

test('the end of a prefix is the first key behind it', () => {
  expect(prefixEnd(Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 3));
  expect(prefixEnd(Uint8Array.of(1, 255))).toEqual(Uint8Array.of(2));
  expect(prefixEnd(Uint8Array.of(255, 255))).toBeUndefined();
});
