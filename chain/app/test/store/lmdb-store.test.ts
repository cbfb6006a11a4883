import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-store';
import fc from 'fast-check';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';

let folder: string;
let store: LmdbCommitStore;
const key = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-store-'));
  store = new LmdbCommitStore(folder, ['a', 'b']);
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

test('a commit is found again by the next process: values, height, hash and constants', async () => {
  const branch = new BranchMultiStore(store);
  branch.store('a').set(key(1), key(2));
  branch.store('b').set(key(3), key());
  store.setConstant('chain', key(7));
  const info = store.commit(5n, branch.changes());
  expect(store.store('a').get(key(1))).toEqual(Buffer.from([2]));
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'b']);
  expect(store.last).toEqual(info);
  expect([...(store.store('a').get(key(1)) as Uint8Array)]).toEqual([2]);
  expect(store.store('b').get(key(3))).toHaveLength(0);
  expect(store.store('b').has(key(3))).toBe(true);
  expect([...(store.constant('chain') as Uint8Array)]).toEqual([7]);
});

test('it answers and hashes like the store in memory, whatever is written, deleted and iterated', () => {
  const operation = fc.tuple(
    fc.constantFrom('a', 'b'),
    fc.integer({ min: 1, max: 40 }),
    fc.option(fc.integer({ min: 0, max: 255 })),
  );
  const memory = new MemoryCommitStore(['a', 'b']);
  let height = 0n;
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 30 }),
      fc.integer({ min: 1, max: 41 }),
      fc.integer({ min: 1, max: 41 }),
      (operations, low, high) => {
        height += 1n;
        const [disk, ram] = [store, memory].map((parent) => {
          const branch = new BranchMultiStore(parent);
          for (const [name, k, v] of operations) {
            if (v === null) branch.store(name).delete(key(k));
            else branch.store(name).set(key(k), key(v));
          }
          const { appHash } = parent.commit(height, branch.changes());
          const pairs = [false, true].map((reverse) =>
            [...parent.store('a').iterate(key(low), key(high), reverse)].map(([k, v]) => [k[0], v[0]]),
          );
          return { appHash: [...appHash], pairs };
        });
        expect(disk).toEqual(ram);
      },
    ),
    { numRuns: 50 },
  );
});

test('proofs and old heights are refused by code', () => {
  expect(() => store.read('a', key(1), 0n, true)).toThrow(expect.objectContaining({ code: 37 }));
  expect(() => store.read('a', key(1), 9n, false)).toThrow(expect.objectContaining({ code: 26 }));
  expect(() => store.read('c', key(1), 0n, false)).toThrow(expect.objectContaining({ code: 6 }));
});
