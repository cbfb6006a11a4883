import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import type { Change, MultiStore } from '@mu/framework/store/kv-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { noStoreUpgrades } from '@mu/framework/store/store-upgrades';
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

test('a commit is found again by the next process: values, height, hash and note', async () => {
  const branch = new BranchMultiStore(store);
  branch.store('a').set(key(1), key(2));
  branch.store('b').set(key(3), key());
  const info = store.commit(5n, branch.changes(), key(7));
  expect(store.store('a').get(key(1))).toEqual(Buffer.from([2]));
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'b']);
  expect(store.last).toEqual(info);
  expect([...(store.store('a').get(key(1)) as Uint8Array)]).toEqual([2]);
  expect(store.store('b').get(key(3))).toHaveLength(0);
  expect(store.store('b').has(key(3))).toBe(true);
  expect(store.note(5n)).toEqual(key(7));
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

test('old heights are read with their proofs, and what is not there is refused by code', async () => {
  for (const height of [1, 2, 3]) {
    const branch = new BranchMultiStore(store);
    branch.store('a').set(key(1), key(height));
    if (height === 2) branch.store('a').set(key(9), key(9));
    if (height === 3) branch.store('a').delete(key(9));
    store.commit(BigInt(height), branch.changes());
  }
  await store.settled();
  expect(store.read('a', key(1), 2n, false).value).toEqual(key(2));
  expect(store.read('a', key(9), 2n, true).value).toEqual(key(9));
  expect(store.read('a', key(9), 3n, true)).toMatchObject({ value: undefined, height: 3n });
  expect(store.read('a', key(1), 0n, true).proof?.ops.map(({ type }) => type)).toEqual(['ics23:iavl', 'ics23:simple']);
  expect([...store.at(2n).store('a').iterate()].map(([k]) => k[0])).toEqual([1, 9]);
  expect(() => store.read('a', key(1), 9n, false)).toThrow(expect.objectContaining({ code: 26 }));
  expect(() => store.read('a', key(1), -1n, false)).toThrow(expect.objectContaining({ code: 18 }));
  expect(() => store.read('a', key(1), 1n, true)).toThrow(expect.objectContaining({ code: 18 }));
  expect(() => store.read('c', key(1), 0n, false)).toThrow(expect.objectContaining({ code: 6 }));
});

test('a block that was hashed and not committed leaves nothing', async () => {
  const one = new BranchMultiStore(store);
  one.store('a').set(key(1), key(1));
  store.commit(1n, one.changes());
  const other = new BranchMultiStore(store);
  for (let k = 2; k < 40; k += 1) other.store('a').set(key(k), key(k));
  other.store('a').delete(key(1));
  const dropped = store.workingHash(2n, other.changes());
  const two = new BranchMultiStore(store);
  two.store('b').set(key(1), key(2));
  const { appHash } = store.commit(2n, two.changes());
  expect(appHash).not.toEqual(dropped);
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'b']);
  expect(store.last.appHash).toEqual(appHash);
  const again = new BranchMultiStore(store);
  for (let k = 2; k < 40; k += 1) again.store('a').set(key(k), key(k));
  store.commit(3n, again.changes());
  const pairs = [...store.at(3n).store('a').iterate()];
  expect(pairs.length).toBe(39);
  expect(store.read('a', key(1), 3n, true).value).toEqual(key(1));
});

/** A block that sets and deletes some of a hundred keys, the same for the same number. */
function blockOf(parent: LmdbCommitStore, height: number): Change[] {
  const branch = new BranchMultiStore(parent);
  for (let n = 0; n < 15; n += 1) {
    const k = (height * 31 + n * n * 7) % 100;
    if ((k + height) % 4 === 0) branch.store('a').delete(key(1 + k));
    else branch.store(n % 5 === 0 ? 'b' : 'a').set(key(1 + k), key(height, n));
  }
  return branch.changes();
}

const pairsOf = (parent: MultiStore): number[][] =>
  ['a', 'b'].flatMap((name) => [...parent.store(name).iterate()].map(([k, v]) => [...k, ...v]));

test('pruning erases every node that only forgotten versions had, and no other', async () => {
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'b'], { pruning: { keepRecent: 5, interval: 10 } });
  const seen: number[][][] = [];
  for (let height = 1; height <= 60; height += 1) {
    store.commit(BigInt(height), blockOf(store, height));
    await store.settled();
    seen[height] = pairsOf(store);
  }
  await store.prune();
  expect(store.oldest).toBe(55);
  for (let height = 55; height <= 60; height += 1) expect(pairsOf(store.at(BigInt(height)))).toEqual(seen[height]);
  expect(() => store.at(54n)).toThrow(expect.objectContaining({ code: 26 }));
  const reachable = new Set<number>();
  for (let height = 55; height <= 60; height += 1) {
    for (const { nodes } of store.nodes(BigInt(height))) for (const { id } of nodes) reachable.add(id);
  }
  expect(store.figures.nodes).toBe(reachable.size);
});

test('a version that somebody holds is kept, and all after it', async () => {
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'b'], { pruning: { keepRecent: 5, interval: 10 } });
  for (let height = 1; height <= 10; height += 1) store.commit(BigInt(height), blockOf(store, height));
  const release = store.hold(8n);
  for (let height = 11; height <= 30; height += 1) store.commit(BigInt(height), blockOf(store, height));
  await store.prune();
  expect(store.oldest).toBe(8);
  release();
  await store.prune();
  expect(store.oldest).toBe(25);
});

test('after a rollback the same blocks lead to the same hashes again', async () => {
  const hashes: string[] = [];
  for (let height = 1; height <= 30; height += 1) {
    hashes[height] = Buffer.from(store.commit(BigInt(height), blockOf(store, height)).appHash).toString('hex');
  }
  const values = pairsOf(store.at(22n));
  expect((await store.rollback(22n)).height).toBe(22n);
  expect(pairsOf(store)).toEqual(values);
  expect(() => store.at(23n)).toThrow(expect.objectContaining({ code: 26 }));
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'b']);
  for (let height = 23; height <= 30; height += 1) {
    expect(Buffer.from(store.commit(BigInt(height), blockOf(store, height)).appHash).toString('hex')).toBe(
      hashes[height],
    );
  }
});

test('a genesis of many keys, written in parts, has the tree that one commit gives, and its block is laid over it', () => {
  const count = 60_000;
  const keyOf = (n: number): Uint8Array =>
    Uint8Array.from([n % 7, n >>> 16, (n * 37) & 0xff, n & 0xff, (n >>> 8) & 0xff]);
  const change = (n: number, value: number | undefined): Change => ({
    store: 'a',
    key: keyOf(n),
    value: value === undefined ? undefined : key(value),
  });
  const genesis = store.beginGenesis();
  for (let n = 0; n < count; n += 1) genesis.store('a').set(keyOf(n), key(n & 0xff));
  genesis.store('a').delete(keyOf(5));
  genesis.end();
  const block = [change(6, undefined), change(7, 99), change(count, 1)].sort((x, y) => Buffer.compare(x.key, y.key));
  const whole = new MemoryCommitStore(['a', 'b']);
  const all = Array.from({ length: count + 1 }, (_, n) => change(n, n === count ? 1 : n === 7 ? 99 : n & 0xff))
    .filter((_, n) => n !== 5 && n !== 6)
    .sort((x, y) => Buffer.compare(x.key, y.key));
  expect(store.last.height).toBe(0n);
  expect(store.workingHash(3n, block)).toEqual(whole.workingHash(3n, all));
  expect(store.commit(3n, block).appHash).toEqual(whole.commit(3n, all).appHash);
  const next = [change(9, 5), change(11, undefined)].sort((x, y) => Buffer.compare(x.key, y.key));
  expect(store.commit(4n, next).appHash).toEqual(whole.commit(4n, next).appHash);
});

test('a genesis that was not committed is gone when the store is opened again', async () => {
  const genesis = store.beginGenesis();
  for (let n = 0; n < 30_000; n += 1) genesis.store('a').set(key(1 + (n % 250), n >>> 8, n & 0xff), key(1));
  genesis.end();
  store.workingHash(1n, []);
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'b']);
  expect(store.last.height).toBe(0n);
  const again = store.beginGenesis();
  again.store('b').set(key(1), key(2));
  again.end();
  store.commit(1n, []);
  await store.settled();
  expect(pairsOf(store)).toEqual([[1, 2]]);
  expect(store.figures.nodes).toBe(1);
});

test('a block that cannot be applied leaves the trees at the last version', () => {
  const good = [{ store: 'a', key: key(1), value: key(1) }];
  store.commit(1n, good);
  const tooLong = { store: 'a', key: new Uint8Array(70_000), value: key(1) };
  expect(() => store.workingHash(2n, [{ store: 'a', key: key(1), value: key(9) }, tooLong])).toThrow(
    'at most 1024 bytes',
  );
  const other = new MemoryCommitStore(['a', 'b']);
  other.commit(1n, good);
  const next = [{ store: 'a', key: key(2), value: key(2) }];
  expect(store.commit(2n, next).appHash).toEqual(other.commit(2n, next).appHash);
});

test('who reads a range may stop anywhere, and pages of it fit together in both directions', async () => {
  const changes = Array.from({ length: 1500 }, (_, n) => ({
    store: 'a',
    key: key(1 + (n >> 8), n & 0xff),
    value: key(1),
  }));
  store.commit(1n, changes);
  await store.settled();
  const names = (pairs: Iterable<[Uint8Array, Uint8Array]>): string[] =>
    [...pairs].map(([k]) => Buffer.from(k).toString('hex'));
  const all = changes.map((change) => Buffer.from(change.key).toString('hex'));
  expect(names(store.store('a').iterate())).toEqual(all);
  expect(names(store.store('a').iterate(undefined, undefined, true))).toEqual([...all].reverse());
  expect(names(store.store('a').iterate(key(2), key(4, 7), true))).toEqual(all.slice(256, 3 * 256 + 7).reverse());
  const reading = store.store('a').iterate();
  expect(Buffer.from(reading.next().value?.[0] as Uint8Array).toString('hex')).toBe(all[0]);
});

test('a store that an upgrade renamed has its old name again when its block is taken back', async () => {
  const change = { store: 'b', key: key(1), value: key(2) };
  store.commit(1n, [change]);
  const before = store.commit(2n, []);
  await store.close();
  const upgradesAfter = (height: bigint) =>
    height === 2n ? { added: [], renamed: [{ from: 'b', to: 'c' }], deleted: [] } : noStoreUpgrades;
  store = new LmdbCommitStore(folder, ['a', 'c'], { upgradesAfter });
  const after = store.commit(3n, [{ store: 'c', key: key(3), value: key(4) }]);
  expect([...store.store('c').iterate()].map(([at]) => at[0])).toEqual([1, 3]);
  await store.settled();
  expect(await store.rollback(2n)).toEqual(before);
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'b']);
  expect([...store.store('b').iterate()].map(([at]) => at[0])).toEqual([1]);
  await store.close();
  store = new LmdbCommitStore(folder, ['a', 'c'], { upgradesAfter });
  expect(store.commit(3n, [{ store: 'c', key: key(3), value: key(4) }])).toEqual(after);
  expect([...store.store('c').iterate()].map(([at]) => at[0])).toEqual([1, 3]);
});
