/**
 * Snapshots that were changed at random, by their grammar and byte by byte: each is refused as what it is, or is the one
 * that was changed. 50,000 inputs; `SNAPSHOT_FUZZ_INPUTS=1000000` runs as many, `SNAPSHOT_FUZZ_SEED` others.
 */
import { deflateSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { MemoryBackend } from '@mu/framework/store/memory-backend';
import { TreeCommitStore } from '@mu/framework/store/tree-commit-store';
import { toHex } from '@mu/lib/bytes';
import type { SnapshotItem } from 'cosmjs-types/cosmos/store/snapshots/v1/snapshot';
import { fromEnvelope, SnapshotError, toEnvelope } from '../../src/snapshots/format.ts';
import { ItemReader } from '../../src/snapshots/item-reader.ts';
import { type ImportTarget, StateImport } from '../../src/snapshots/state-import.ts';
import type { ImportBatch } from '../../src/store/lmdb-backend.ts';
import { chunked, restore, stream } from './restoring.ts';
import { grow, names, seeded } from './states.ts';

const inputs = Number(process.env['SNAPSHOT_FUZZ_INPUTS'] ?? 50_000);
const seed = Number(process.env['SNAPSHOT_FUZZ_SEED'] ?? 1);
const longMs = 60_000 + inputs * 5;

type Random = (below: number) => number;
type Item = Partial<SnapshotItem>;

const state = new TreeCommitStore(new MemoryBackend(), names);
grow(state, { blocks: 6, keys: 14, perBlock: 4, valueBytes: 6 });
const { appHash } = state.last;

function itemsOf(): Item[] {
  const items: Item[] = [];
  for (const { store, nodes } of state.nodes(6n)) {
    items.push({ store: { name: store } });
    for (const { key, value, version, height } of nodes) {
      const bytes = { key: Buffer.from(key, 'latin1'), value: value ?? new Uint8Array() };
      items.push({ iavl: { ...bytes, version: BigInt(version), height } });
    }
  }
  return items;
}

const content = stream(itemsOf());

/** Collects what would be written. */
class Collector implements ImportTarget {
  readonly records: string[] = [];
  readonly values: string[] = [];
  isFinished = false;

  beginImport(): void {
    this.isFinished = false;
  }

  async importBatch({ records, changes }: ImportBatch): Promise<void> {
    for (const record of records) this.records.push(toHex(record));
    for (const { store, key, value } of changes)
      this.values.push(`${store} ${toHex(key)} ${toHex(value as Uint8Array)}`);
  }

  async finishImport(batch: ImportBatch): Promise<void> {
    await this.importBatch(batch);
    this.isFinished = true;
  }

  dropImport(): void {
    this.records.length = 0;
  }
}

/** @returns what was written; undefined where the bytes were refused */
async function importBytes(bytes: Uint8Array, random: Random): Promise<Collector | undefined> {
  const target = new Collector();
  try {
    const reader = new ItemReader();
    const importing = new StateImport(target, names, 6);
    // In pieces of any size, as a stream brings them.
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + random(200));
      for (const item of reader.add(Buffer.from(bytes.subarray(at, end)))) importing.add(item);
      at = end;
    }
    reader.end();
    await importing.finish(appHash);
    return target;
  } catch (error) {
    if (error instanceof SnapshotError) return undefined;
    throw error;
  }
}

const byte = (bytes: Uint8Array, random: Random): Uint8Array => {
  const changed = Uint8Array.from(bytes);
  if (changed.length > 0) changed[random(changed.length)] = random(256);
  return changed;
};

/** Ways in which one item becomes another. */
const fieldChanges: readonly ((item: Item, random: Random) => Item)[] = [
  ({ store }, random) => ({
    store: { name: ['acc', 'bank', 'empty', 'one', '', 'x'][random(6)] ?? store?.name ?? '' },
  }),
  ({ iavl }, random) => (iavl ? { iavl: { ...iavl, key: byte(iavl.key, random) } } : {}),
  ({ iavl }, random) => (iavl ? { iavl: { ...iavl, value: byte(iavl.value, random) } } : {}),
  ({ iavl }, random) => (iavl ? { iavl: { ...iavl, value: new Uint8Array(random(3)) } } : {}),
  ({ iavl }, random) => (iavl ? { iavl: { ...iavl, version: iavl.version + BigInt(random(5) - 2) } } : {}),
  ({ iavl }, random) => (iavl ? { iavl: { ...iavl, version: 2n ** BigInt(random(63)) } } : {}),
  ({ iavl }, random) => (iavl ? { iavl: { ...iavl, height: iavl.height + random(5) - 2 } } : {}),
  ({ iavl }, random) => (iavl ? { iavl: { ...iavl, height: 2 ** random(31) } } : {}),
  ({ iavl }) => ({ ...(iavl ? { iavl } : {}), extension: { name: 'x', format: 1 } }),
];

/** By the grammar: items are dropped, doubled, swapped, moved, changed. */
function changeItems(random: Random): Uint8Array {
  const items = itemsOf();
  for (let count = 1 + random(3); count > 0 && items.length > 1; count -= 1) {
    const at = random(items.length);
    const item = items[at] as Item;
    const kind = random(4 + fieldChanges.length);
    if (kind === 0) items.splice(at, 1);
    else if (kind === 1) items.splice(at, 0, item);
    else if (kind === 2) items.splice(random(items.length), 0, ...items.splice(at, 1));
    else if (kind === 3) items.splice(at, 1 + random(8));
    else items[at] = fieldChanges[kind - 4]?.(item, random) ?? item;
  }
  return stream(items);
}

/** Byte by byte: changed, put in, taken out, cut off, a part put elsewhere. */
function changeBytes(original: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(original);
  for (let count = 1 + random(3); count > 0; count -= 1) {
    const at = random(bytes.length + 1);
    const kind = random(6);
    const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
    if (kind === 0) bytes = Buffer.concat([head, Uint8Array.of(random(256)), tail.subarray(1)]);
    else if (kind === 1) bytes = Buffer.concat([head, Uint8Array.of(random(256)), tail]);
    else if (kind === 2) bytes = Buffer.concat([head, tail.subarray(1 + random(4))]);
    else if (kind === 3) bytes = Buffer.from(head);
    else if (kind === 4)
      bytes = Buffer.concat([head, original.subarray(random(original.length)).subarray(0, random(40)), tail]);
    else if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random(8));
  }
  return bytes;
}

test(
  'changed items and changed bytes are refused, or are the same state',
  async () => {
    const original = (await importBytes(content, seeded(seed))) as Collector;
    expect(original.isFinished).toBe(true);
    const random = seeded(seed);
    const before = process.memoryUsage().rss;
    let same = 0;
    const count = Math.floor(inputs * 0.8);
    for (let input = 0; input < count; input += 1) {
      const bytes = input % 2 === 0 ? changeItems(random) : changeBytes(content, random);
      const result = await importBytes(bytes, random);
      if (result === undefined) continue;
      same += 1;
      expect([input, result.records, result.values]).toEqual([input, original.records, original.values]);
    }
    // Some changes change nothing: a byte to itself, a name to itself. Most do.
    expect(same).toBeLessThan(count / 4);
    expect(process.memoryUsage().rss - before).toBeLessThan(400_000_000);
  },
  longMs,
);

test(
  'changed chunks are refused, whatever their hashes say',
  async () => {
    const chunk = deflateSync(content);
    const random = seeded(seed + 1);
    for (let input = 0; input < inputs / 50; input += 1) {
      const bytes = changeBytes(chunk, random);
      const cut = random(bytes.length + 1);
      const target = new Collector();
      const done = restore(target, chunked(6n, [bytes.subarray(0, cut), bytes.subarray(cut)]), appHash);
      const error: unknown = await done.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) expect(target.isFinished).toBe(true);
      else expect([input, error]).toEqual([input, expect.any(SnapshotError)]);
    }
  },
  longMs,
);

test(
  'changed offers are refused, or say something that can be',
  () => {
    const random = seeded(seed + 2);
    const offer = toEnvelope(chunked(6n, [content, appHash, content]).info);
    for (let input = 0; input < inputs * 0.18; input += 1) {
      const kind = random(4);
      const changed = {
        ...offer,
        ...(kind === 0 ? { chunks: random(5) } : {}),
        ...(kind === 1 ? { height: BigInt(random(3)) * 2n ** BigInt(random(64)) } : {}),
        ...(kind === 2 ? { hash: changeBytes(offer.hash, random) } : {}),
        ...(kind === 3 ? { metadata: changeBytes(offer.metadata, random) } : {}),
      };
      try {
        const info = fromEnvelope(changed);
        expect(info.chunkHashes).toHaveLength(changed.chunks);
        expect(toEnvelope(info)).toEqual({ ...changed, metadata: new Uint8Array(changed.metadata) });
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error;
      }
    }
  },
  longMs,
);
