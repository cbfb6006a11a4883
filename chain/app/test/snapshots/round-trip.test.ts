/** A snapshot leads to the same state: same app hash, same values, same proofs, same blocks from there on. */
import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { fromBase64, fromHex, toHex } from '@mu/lib/bytes';
import { fromEnvelope } from '../../src/snapshots/format.ts';
import type { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { type Chunked, restore, take } from './restoring.ts';
import { closeStore, grow, names, openStore, temporaryFolder } from './states.ts';

function values(store: LmdbCommitStore): Record<string, [string, string][]> {
  return Object.fromEntries(
    names.map((name) => [name, [...store.store(name).iterate()].map(([key, value]) => [toHex(key), toHex(value)])]),
  );
}

const inflated = ({ chunks }: Chunked): Uint8Array => inflateSync(Buffer.concat(chunks));

test('what is restored has the hash, the values and the proofs of what was taken, and goes on like it', async () => {
  const source = openStore();
  grow(source, { blocks: 25 });
  const snapshot = await take(source, 25n, 1_000);
  expect(snapshot.chunks.length).toBeGreaterThan(5);
  expect(snapshot.chunks.slice(0, -1).every(({ length }) => length === 1_000)).toBe(true);
  const folder = temporaryFolder();
  let copy = openStore(folder);
  await restore(copy, snapshot, source.last.appHash);
  expect(copy.last).toEqual(source.last);
  expect(values(copy)).toEqual(values(source));
  for (const [name, key] of [
    ['acc', Uint8Array.of(0, 0, 7)],
    ['bank', Uint8Array.of(9)],
    ['empty', Uint8Array.of(1)],
  ] as const) {
    expect(copy.read(name, key, 25n, true)).toEqual(source.read(name, key, 25n, true));
  }
  await closeStore(copy);
  copy = openStore(folder);
  expect(copy.last).toEqual(source.last);
  for (const store of [source, copy]) grow(store, { blocks: 10 });
  expect(copy.last).toEqual(source.last);
  expect(values(copy)).toEqual(values(source));
  // A snapshot of the copy is the same one as of the original.
  expect((await take(copy, 35n)).info).toEqual((await take(source, 35n)).info);
});

test('a version is taken as it was, while blocks go on and older versions are pruned', async () => {
  const source = openStore(undefined, { pruning: { keepRecent: 2, interval: 1 } });
  grow(source, { blocks: 20, keys: 2_000, perBlock: 150 });
  await source.settled();
  const { appHash } = source.last;
  const release = source.hold(20n);
  const taking = take(source, 20n, 10_000);
  for (let block = 0; block < 15; block += 1) {
    grow(source, { blocks: 1, keys: 2_000, perBlock: 100 });
    await source.settled();
  }
  const snapshot = await taking;
  release();
  expect(source.last.height).toBe(35n);
  const copy = openStore();
  await restore(copy, snapshot, appHash);
  expect(copy.last).toEqual({ height: 20n, appHash });
  await source.prune();
  expect(source.oldest).toBe(33);
});

test('a state of one block, and one without a single pair, are taken and restored', async () => {
  for (const perBlock of [1, 0]) {
    const source = openStore();
    grow(source, { blocks: 1, perBlock });
    const copy = openStore();
    await restore(copy, await take(source, 1n), source.last.appHash);
    expect(copy.last).toEqual(source.last);
  }
});

test('large values, and more nodes than one part has', async () => {
  const source = openStore();
  grow(source, { blocks: 1, keys: 60_000, perBlock: 14_000, valueBytes: 4 });
  grow(source, { blocks: 1, keys: 30, perBlock: 10, valueBytes: 1_000_000 });
  const copy = openStore();
  await restore(copy, await take(source, 2n), source.last.appHash);
  expect(copy.last).toEqual(source.last);
  expect(copy.figures.nodes).toBe(['acc', 'bank'].reduce((sum, name) => sum + 2 * copy.treeSize(name) - 1, 0));
}, 60_000);

interface Vector {
  readonly height: number;
  readonly format: number;
  readonly app_hash: string;
  readonly hash: string;
  readonly metadata: string;
  readonly chunks: readonly string[];
  readonly values: Record<string, Record<string, string>>;
}

test("the SDK's own snapshot is restored, and one taken of that state has the same content", async () => {
  const vector = JSON.parse(readFileSync(new URL('../vectors/snapshot.json', import.meta.url), 'utf8')) as Vector;
  const info = fromEnvelope({
    height: BigInt(vector.height),
    format: vector.format,
    chunks: vector.chunks.length,
    hash: fromHex(vector.hash),
    metadata: fromHex(vector.metadata),
  });
  const snapshot = { info, chunks: vector.chunks.map(fromBase64) };
  const store = openStore();
  await restore(store, snapshot, fromHex(vector.app_hash));
  expect(
    Object.fromEntries(Object.entries(values(store)).map(([name, pairs]) => [name, Object.fromEntries(pairs)])),
  ).toEqual(vector.values);
  // Packed by another zlib it has other bytes.
  expect(inflated(await take(store, 12n))).toEqual(inflated(snapshot));
});
