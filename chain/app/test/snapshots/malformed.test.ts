/** Content that is no state: each is named, and nothing of it stays. */
import { deflateSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryBackend } from '@mu/framework/store/memory-backend';
import { TreeCommitStore } from '@mu/framework/store/tree-commit-store';
import { utf8 } from '@mu/lib/bytes';
import type { SnapshotItem } from 'cosmjs-types/cosmos/store/snapshots/v1/snapshot';
import { fromEnvelope, SnapshotError, toEnvelope } from '../../src/snapshots/format.ts';
import { type Chunked, chunked, delimited, packed, restore, sha256, stream } from './restoring.ts';
import { names, openStore } from './states.ts';

type Part = Partial<SnapshotItem>;

const store = (name: string): Part => ({ store: { name } });

const node = (height: number, key: string, version: number, value = ''): Part => ({
  iavl: { height, key: utf8(key), version: BigInt(version), value: utf8(value) },
});

/** Two leaves under a root, as they are exported; height 5. */
const tree = (): Part[] => [node(0, 'a', 1, 'x'), node(0, 'b', 2, 'y'), node(1, 'b', 2)];

/** Everything that is no node of the first store. */
const others = (): Part[] => names.slice(1).map(store);

const inStore = (...nodes: Part[]): Part[] => [store('acc'), ...nodes, ...others()];

/** The hash of the state that `inStore(...tree())` is. */
function appHash(): Uint8Array {
  const state = new TreeCommitStore(new MemoryBackend(), names);
  const [first, second] = [new BranchMultiStore(state), new BranchMultiStore(state)];
  first.store('acc').set(utf8('a'), utf8('x'));
  state.commit(1n, first.changes());
  second.store('acc').set(utf8('b'), utf8('y'));
  return state.commit(2n, second.changes()).appHash;
}

async function problemOf(
  snapshot: Chunked,
  options: { appHash?: Uint8Array; freeBytes?: number } = {},
): Promise<string> {
  const target = openStore();
  const done = restore(target, snapshot, options.appHash ?? appHash(), options);
  const error: unknown = await done.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SnapshotError);
  expect(target.last.height).toBe(0n);
  expect(target.figures).toMatchObject({ nodes: 0, versions: 0 });
  for (const name of names) expect([...target.store(name).iterate()]).toEqual([]);
  return (error as Error).message;
}

const ofItems = (items: readonly Part[]): Promise<string> => problemOf(packed(5n, stream(items)));

test('the snapshot that all others are made from is right', async () => {
  const target = openStore();
  await restore(target, packed(5n, stream(inStore(...tree()))), appHash());
  expect(target.last).toEqual({ height: 5n, appHash: appHash() });
});

const wrongItems: Record<string, [Part[], RegExp]> = {
  'a store that this chain does not have': [
    [store('acc'), ...tree(), store('bonk'), ...others()],
    /"bonk" comes where bank/,
  ],
  'a store twice': [[store('acc'), ...tree(), store('acc'), ...others()], /"acc" comes where bank/],
  'a store too many': [[...inStore(...tree()), store('two')], /"two" comes where no further one/],
  'a store that is missing': [inStore(...tree()).slice(0, -1), /store one is missing/],
  'no stores': [[], /store acc is missing|cannot be unpacked/],
  'a node before the first store': [[...tree(), ...inStore()], /before the first store/],
  'an extension': [[...inStore(...tree()), { extension: { name: 'wasm', format: 1 } }], /neither a store nor a node/],
  'a payload': [[...inStore(...tree()), { extensionPayload: { payload: utf8('p') } }], /neither a store nor a node/],
  'an item with nothing in it': [[...inStore(...tree()), {}], /an item of the stream has 0 bytes/],
  'keys that do not ascend': [inStore(node(0, 'b', 1), node(0, 'a', 1), node(1, 'a', 1)), /do not ascend/],
  'a key twice': [inStore(node(0, 'a', 1), node(0, 'a', 1), node(1, 'a', 1)), /do not ascend/],
  'a version above the height': [inStore(node(0, 'a', 6, 'x')), /version 6 in a snapshot of height 5/],
  'no version': [inStore(node(0, 'a', 0, 'x')), /version 0/],
  'a negative version': [inStore(node(0, 'a', -1, 'x')), /negative, too large/],
  'a negative height': [inStore(node(-1, 'a', 1, 'x')), /negative, too large/],
  'no key': [inStore(node(0, '', 1, 'x')), /no key/],
  'a height that its children do not make': [inStore(...tree().slice(0, 2), node(2, 'b', 2)), /height 2 stands over/],
  'an inner node without children': [inStore(node(1, 'b', 2)), /no two children/],
  'an inner node with one child': [inStore(node(0, 'a', 1), node(1, 'b', 2)), /no two children/],
  'an inner node with a value': [inStore(...tree().slice(0, 2), node(1, 'b', 2, 'v')), /has a value/],
  'an inner node with another key': [inStore(...tree().slice(0, 2), node(1, 'a', 2)), /not its right child's least/],
  'a parent older than its child': [inStore(...tree().slice(0, 2), node(1, 'b', 1)), /older than its child/],
  'nodes without a parent': [inStore(...tree().slice(0, 2)), /2 nodes have no parent/],
  'a tree out of balance': [
    inStore(
      ...[node(0, 'a', 1), node(0, 'b', 1), node(0, 'c', 1), node(0, 'd', 1)],
      ...[node(1, 'd', 1), node(2, 'c', 1), node(3, 'b', 1)],
    ),
    /not balanced/,
  ],
  'a value that is missing': [inStore(node(0, 'a', 1), ...tree().slice(1)), /has app hash/],
  'another value': [inStore(node(0, 'a', 1, 'z'), ...tree().slice(1)), /has app hash/],
  'another version of a node': [inStore(node(0, 'a', 2, 'x'), ...tree().slice(1)), /has app hash/],
  'a pair too many': [
    [store('acc'), ...tree(), store('bank'), node(0, 'a', 1), store('empty'), store('one')],
    /has app hash/,
  ],
};

for (const [name, [items, problem]] of Object.entries(wrongItems)) {
  test(`items: ${name}`, async () => {
    expect(await ofItems(items)).toMatch(problem);
  });
}

const right = (): Uint8Array => stream(inStore(...tree()));
const raw = (...bytes: number[]): Uint8Array => delimited(Uint8Array.from(bytes));

const wrongBytes: Record<string, [() => Uint8Array, RegExp]> = {
  'a stream that ends within an item': [() => right().subarray(0, -1), /ends within an item/],
  'a stream that ends within a length': [() => Buffer.concat([right(), Uint8Array.of(0x80)]), /ends within an item/],
  'a length without an end': [
    () => Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    /length of an item is too large/,
  ],
  'an item that is larger than any': [
    () => Uint8Array.of(0xff, 0xff, 0xff, 0x7f),
    /an item of the stream has 268435455 bytes/,
  ],
  'a field that is longer than its item': [() => raw(0x0a, 5, 0x0a), /longer than its item/],
  'bytes behind a store': [() => raw(0x0a, 3, 0x0a, 1, 0x61, 0x61), /bytes follow the content/],
  'a store without a name': [() => raw(0x0a, 0), /no name/],
  'a store with an empty name': [() => raw(0x0a, 2, 0x0a, 0), /impossible length/],
  'a store with another field': [() => raw(0x0a, 5, 0x0a, 1, 0x61, 0x10, 1), /unknown field/],
  'a name that is no text': [() => raw(0x0a, 3, 0x0a, 1, 0xff), /no text/],
  'a field twice': [() => raw(0x12, 6, 0x0a, 1, 0x61, 0x0a, 1, 0x62), /field twice/],
  'fields out of order': [() => raw(0x12, 5, 0x18, 1, 0x0a, 1, 0x61), /out of order/],
  'an unknown field': [() => raw(0x12, 5, 0x0a, 1, 0x61, 0x28, 1), /unknown field/],
  'a number that is cut off': [() => raw(0x12, 5, 0x0a, 1, 0x61, 0x18, 0x80), /cut off/],
};

for (const [name, [content, problem]] of Object.entries(wrongBytes)) {
  test(`bytes: ${name}`, async () => {
    expect(await problemOf(packed(5n, content()))).toMatch(problem);
  });
}

test('packing: cut off, damaged, followed by more, in the same chunk or in another', async () => {
  const whole = deflateSync(right());
  const more = Uint8Array.of(1, 2, 3);
  expect(await problemOf(chunked(5n, [whole.subarray(0, -6)]))).toMatch(/cannot be unpacked: unexpected end/);
  expect(await problemOf(chunked(5n, [Uint8Array.of(7, ...whole)]))).toMatch(/cannot be unpacked/);
  expect(await problemOf(chunked(5n, [Buffer.concat([whole, more])]))).toMatch(/bytes follow the end/);
  expect(await problemOf(chunked(5n, [whole, more]))).toMatch(/bytes follow the end/);
  expect(await problemOf(chunked(5n, [whole, whole]))).toMatch(/bytes follow the end/);
  const flipped = Buffer.from(whole);
  flipped[flipped.length - 1] = (flipped.at(-1) as number) ^ 1;
  expect(await problemOf(chunked(5n, [flipped]))).toMatch(/cannot be unpacked: incorrect data check/);
});

test('an app hash that is not the one of the header', async () => {
  expect(await problemOf(packed(5n, right()), { appHash: sha256(right()) })).toMatch(/the chain has/);
});

test('a hash over all chunks that is not theirs', async () => {
  const snapshot = packed(5n, right());
  const info = { ...snapshot.info, hash: sha256(utf8('another')) };
  expect(await problemOf({ ...snapshot, info })).toMatch(/not the one that was offered/);
});

test('a bomb: a small chunk that unpacks to more than a state would', async () => {
  const leaf = Buffer.alloc(4_000_000);
  const items: Part[] = [store('acc')];
  for (let count = 0; count < 12; count += 1) {
    items.push({ iavl: { height: 0, key: utf8(`k${String.fromCharCode(97 + count)}`), version: 1n, value: leaf } });
  }
  const bomb = packed(5n, stream(items));
  expect(bomb.chunks[0]?.length).toBeLessThan(60_000);
  expect(await problemOf(bomb, { freeBytes: 1_000_000 })).toMatch(/unpack to more than/);
});

test('leaves without end: they wait for no parent', async () => {
  const leaves = Array.from({ length: 100 }, (_, at) => node(0, `k${at + 100}`, 1));
  expect(await ofItems(inStore(...leaves))).toMatch(/without their parents/);
});

test('the offer: each field', () => {
  const { info } = chunked(5n, [utf8('a'), utf8('b')]);
  const offer = toEnvelope(info);
  expect(fromEnvelope(offer)).toEqual(info);
  const wrong = (change: Partial<typeof offer>) => () => fromEnvelope({ ...offer, ...change });
  expect(wrong({ height: 0n })).toThrow(/height 0/);
  expect(wrong({ height: 2n ** 63n })).toThrow(/height/);
  expect(wrong({ hash: new Uint8Array(31) })).toThrow(/hash has 31/);
  expect(wrong({ chunks: 1 })).toThrow(/1 chunks and the metadata 2/);
  expect(wrong({ chunks: 0, metadata: new Uint8Array() })).toThrow(/no chunks/);
  expect(wrong({ metadata: utf8('no') })).toThrow(/metadata/);
  expect(wrong({ metadata: Uint8Array.of(...offer.metadata, 0x10, 1) })).toThrow(/malformed/);
  expect(wrong({ metadata: offer.metadata.subarray(0, -1) })).toThrow(SnapshotError);
  expect(wrong({ metadata: new Uint8Array(5_000_000) })).toThrow(/5000000/);
  expect(wrong({ metadata: toEnvelope({ ...info, chunkHashes: [utf8('a'), utf8('b')] }).metadata })).toThrow(
    /32 bytes/,
  );
});
