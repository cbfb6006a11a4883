/** Snapshots behind ABCI: what a node takes, lists, sends, is offered and restores. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  ResponseApplySnapshotChunk_Result as Applied,
  ResponseOfferSnapshot_Result as Offered,
  RequestLoadSnapshotChunk,
  RequestOfferSnapshot,
  type ResponseApplySnapshotChunk,
  Snapshot,
} from 'cosmjs-types/tendermint/abci/types';
import { SnapshotFiles } from '../../src/snapshots/snapshot-files.ts';
import { SnapshotManager, type SnapshotManagerOptions } from '../../src/snapshots/snapshot-manager.ts';
import type { SnapshotTaker } from '../../src/snapshots/snapshot-thread.ts';
import { takeSnapshot } from '../../src/snapshots/take.ts';
import type { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { chunked, packed, stream } from './restoring.ts';
import { closeStore, grow, names, openStore, temporaryFolder } from './states.ts';

interface Node {
  readonly store: LmdbCommitStore;
  readonly files: SnapshotFiles;
  readonly manager: SnapshotManager;
  readonly notices: string[];
  restored: number;
}

function nodeOver(store: LmdbCommitStore, options: Partial<SnapshotManagerOptions> = {}): Node {
  const files = options.files ?? new SnapshotFiles(temporaryFolder());
  const notices: string[] = [];
  const note = (_: unknown, text: string): number => notices.push(text);
  const log = { info: note, warn: note, error: note } as unknown as SnapshotManagerOptions['log'];
  const taker: SnapshotTaker = {
    take: (height) => takeSnapshot({ source: store, files, height, chunkBytes: 2_000 }),
    close: async () => undefined,
  };
  const node: Node = {
    store,
    files,
    notices,
    restored: 0,
    manager: new SnapshotManager({
      ...{ store, names, files, taker, interval: 5, keepRecent: 2, log },
      onRestored: () => {
        node.restored += 1;
      },
      ...options,
    }),
  };
  return node;
}

async function growTaking({ store, manager }: Node, blocks: number): Promise<void> {
  for (let block = 0; block < blocks; block += 1) {
    grow(store, { blocks: 1 });
    manager.committed(store.last.height);
    await manager.idle();
  }
}

const heights = async ({ manager }: Node): Promise<bigint[]> =>
  (await manager.listSnapshots()).snapshots.map(({ height }) => height);

const chunkOf = async ({ manager }: Node, height: bigint, chunk: number, format = 3): Promise<Uint8Array> =>
  (await manager.loadSnapshotChunk(RequestLoadSnapshotChunk.fromPartial({ height, format, chunk }))).chunk;

/** A node that has taken a snapshot, and what another one is offered of it. */
async function served(): Promise<{ peer: Node; offer: RequestOfferSnapshot; chunks: Uint8Array[] }> {
  const peer = nodeOver(openStore());
  await growTaking(peer, 5);
  const [snapshot] = (await peer.manager.listSnapshots()).snapshots as [Snapshot];
  const chunks = await Promise.all(Array.from({ length: snapshot.chunks }, (_, index) => chunkOf(peer, 5n, index)));
  return { peer, offer: RequestOfferSnapshot.fromPartial({ snapshot, appHash: peer.store.last.appHash }), chunks };
}

const offerTo = async ({ manager }: Node, offer: RequestOfferSnapshot): Promise<Offered> =>
  (await manager.offerSnapshot(offer)).result;

async function applyAll(node: Node, chunks: readonly Uint8Array[]): Promise<ResponseApplySnapshotChunk> {
  let last: ResponseApplySnapshotChunk | undefined;
  for (const [index, chunk] of chunks.entries()) {
    last = await node.manager.applySnapshotChunk({ index, chunk, sender: `peer${index % 2}` });
    if (last.result !== Applied.ACCEPT) break;
  }
  return last as ResponseApplySnapshotChunk;
}

test('one is taken at each interval, the newest stay, and each chunk can be had', async () => {
  const node = nodeOver(openStore());
  await growTaking(node, 16);
  expect(await heights(node)).toEqual([15n, 10n]);
  expect(await node.manager.newest()).toMatchObject({ height: 15n });
  const [snapshot] = (await node.manager.listSnapshots()).snapshots as [Snapshot];
  expect(snapshot.format).toBe(3);
  expect(snapshot.chunks).toBeGreaterThan(3);
  expect(await chunkOf(node, 15n, 0)).toHaveLength(2_000);
  expect(await chunkOf(node, 15n, snapshot.chunks)).toHaveLength(0);
  expect(await chunkOf(node, 14n, 0)).toHaveLength(0);
  expect(await chunkOf(node, 15n, 0, 2)).toHaveLength(0);
});

test('all stay where none is to go, and none is taken where none is asked for', async () => {
  const node = nodeOver(openStore(), { keepRecent: 0, interval: 2 });
  await growTaking(node, 6);
  expect(await heights(node)).toEqual([6n, 4n, 2n]);
  const without = nodeOver(openStore(), { interval: 0 });
  await growTaking(without, 3);
  expect(await heights(without)).toEqual([]);
});

test('one at a time: a height that comes meanwhile is left out, and the version stays until its snapshot is there', async () => {
  const store = openStore(undefined, { pruning: { keepRecent: 2, interval: 1 } });
  const files = new SnapshotFiles(temporaryFolder());
  const gate = Promise.withResolvers<void>();
  const taker: SnapshotTaker = {
    take: async (height) => {
      await gate.promise;
      return takeSnapshot({ source: store, files, height });
    },
    close: async () => undefined,
  };
  const node = nodeOver(store, { files, taker, interval: 2 });
  for (let block = 0; block < 9; block += 1) {
    grow(store, { blocks: 1 });
    node.manager.committed(store.last.height);
    await store.settled();
  }
  await store.prune();
  expect(store.oldest).toBe(2);
  expect(node.notices.filter((text) => text.includes('still being taken'))).toHaveLength(3);
  gate.resolve();
  await node.manager.idle();
  expect(await heights(node)).toEqual([2n]);
  await store.prune();
  expect(store.oldest).toBe(7);
});

test('a chunk that the disk has damaged is not sent', async () => {
  const { peer, chunks } = await served();
  writeFileSync(peer.files.chunkFile(5n, 3, 1), Uint8Array.of(...(chunks[1] as Uint8Array).subarray(1), 0));
  expect(await chunkOf(peer, 5n, 1)).toHaveLength(0);
  expect(await chunkOf(peer, 5n, 0)).toEqual(Buffer.from(chunks[0] as Uint8Array));
});

test('what a crash has left half-made is removed at the start, and a snapshot that fails leaves nothing', async () => {
  const files = new SnapshotFiles(temporaryFolder());
  mkdirSync(join(files.root, '.new-5-3-999'), { recursive: true });
  writeFileSync(join(files.root, '.new-5-3-999', '0'), 'half');
  mkdirSync(join(files.root, '10'));
  const node = nodeOver(openStore(), { files });
  await growTaking(node, 5);
  expect(readdirSync(files.root)).toEqual(['5']);
  await expect(takeSnapshot({ source: node.store, files, height: 99n })).rejects.toThrow(/future/);
  expect(readdirSync(files.root)).toEqual(['5']);
});

test('a snapshot is restored: the store has its height and hash, and whoever asks is told', async () => {
  const { peer, offer, chunks } = await served();
  const node = nodeOver(openStore());
  expect(await offerTo(node, offer)).toBe(Offered.ACCEPT);
  expect(await applyAll(node, chunks)).toMatchObject({ result: Applied.ACCEPT });
  expect(node.store.last).toEqual(peer.store.last);
  expect(node.restored).toBe(1);
  await growTaking(node, 5);
  expect(await heights(node)).toEqual([10n]);
});

test("a lying peer's chunk is asked for again, and its sender is rejected", async () => {
  const { peer, offer, chunks } = await served();
  const node = nodeOver(openStore());
  await offerTo(node, offer);
  const lie = Uint8Array.from(chunks[0] as Uint8Array);
  lie[100] = (lie[100] as number) ^ 1;
  for (const chunk of [lie, new Uint8Array(), chunks[1] as Uint8Array, new Uint8Array(16_000_001)]) {
    expect(await node.manager.applySnapshotChunk({ index: 0, chunk, sender: 'liar' })).toMatchObject({
      result: Applied.RETRY,
      refetchChunks: [0],
      rejectSenders: ['liar'],
    });
  }
  expect(await applyAll(node, chunks)).toMatchObject({ result: Applied.ACCEPT, rejectSenders: [] });
  expect(node.store.last).toEqual(peer.store.last);
});

test('a snapshot of another state is rejected with all who sent it, nothing stays, and the next one is taken', async () => {
  const { peer, offer, chunks } = await served();
  const node = nodeOver(openStore());
  expect(await offerTo(node, { ...offer, appHash: new Uint8Array(32).fill(1) })).toBe(Offered.ACCEPT);
  const rejected = await applyAll(node, chunks);
  expect(rejected.result).toBe(Applied.REJECT_SNAPSHOT);
  expect([...rejected.rejectSenders].sort()).toEqual(['peer0', 'peer1']);
  expect(node.store.last.height).toBe(0n);
  expect(node.store.figures.nodes).toBe(0);
  expect(node.restored).toBe(0);
  expect(
    await node.manager.applySnapshotChunk({ index: 0, chunk: chunks[0] as Uint8Array, sender: 'p' }),
  ).toMatchObject({
    result: Applied.ABORT,
  });
  expect(await offerTo(node, offer)).toBe(Offered.ACCEPT);
  await applyAll(node, chunks);
  expect(node.store.last).toEqual(peer.store.last);
});

test('an offer that cannot be right is refused', async () => {
  const { peer, offer } = await served();
  const node = nodeOver(openStore());
  const snapshot = offer.snapshot as Snapshot;
  const wrong = (change: Partial<Snapshot>): Promise<Offered> =>
    offerTo(node, { ...offer, snapshot: { ...snapshot, ...change } });
  expect(await wrong({ format: 2 })).toBe(Offered.REJECT_FORMAT);
  expect(await wrong({ format: 4 })).toBe(Offered.REJECT_FORMAT);
  expect(await wrong({ height: 0n })).toBe(Offered.REJECT);
  expect(await wrong({ chunks: snapshot.chunks + 1 })).toBe(Offered.REJECT);
  expect(await wrong({ metadata: new Uint8Array([1]) })).toBe(Offered.REJECT);
  expect(await wrong({ hash: new Uint8Array() })).toBe(Offered.REJECT);
  expect(await offerTo(node, { ...offer, appHash: new Uint8Array() })).toBe(Offered.REJECT);
  expect(await offerTo(node, RequestOfferSnapshot.fromPartial({ appHash: offer.appHash }))).toBe(Offered.REJECT);
  expect(await offerTo(peer, offer)).toBe(Offered.ABORT);
  expect(peer.store.last.height).toBe(5n);
});

test('an engine that loses its place begins again; a second offer gives up the first', async () => {
  const { peer, offer, chunks } = await served();
  const node = nodeOver(openStore());
  await offerTo(node, offer);
  const chunk = chunks[1] as Uint8Array;
  expect(await node.manager.applySnapshotChunk({ index: 1, chunk, sender: '' })).toMatchObject({
    result: Applied.RETRY_SNAPSHOT,
  });
  await offerTo(node, offer);
  await applyAll(node, chunks.slice(0, 2));
  await offerTo(node, offer);
  await applyAll(node, chunks);
  expect(node.store.last).toEqual(peer.store.last);
});

test('a crash in the middle of a restore leaves an empty state, which is cleared at the next start', async () => {
  const big = openStore();
  grow(big, { blocks: 1, keys: 1_000_000, perBlock: 15_000, valueBytes: 10 });
  const { appHash, height } = big.last;
  const from = nodeOver(big, { interval: 1 });
  from.manager.committed(height);
  await from.manager.idle();
  const [snapshot] = (await from.manager.listSnapshots()).snapshots as [Snapshot];
  const chunks = await Promise.all(Array.from({ length: snapshot.chunks }, (_, index) => chunkOf(from, height, index)));
  const folder = temporaryFolder();
  const crashed = nodeOver(openStore(folder));
  await offerTo(crashed, RequestOfferSnapshot.fromPartial({ snapshot, appHash }));
  await applyAll(crashed, chunks.slice(0, -1));
  expect(crashed.store.figures.nodes).toBeGreaterThan(19_999);
  // Nobody gives the restore up: as after kill -9, what was written stays in the files.
  await closeStore(crashed.store);
  const again = nodeOver(openStore(folder));
  expect(again.store.last.height).toBe(0n);
  expect(again.store.figures).toMatchObject({ nodes: 0, versions: 0 });
  for (const name of names) expect([...again.store.store(name).iterate()]).toEqual([]);
  expect(await offerTo(again, RequestOfferSnapshot.fromPartial({ snapshot, appHash }))).toBe(Offered.ACCEPT);
  expect(await applyAll(again, chunks)).toMatchObject({ result: Applied.ACCEPT });
  expect(again.store.last).toEqual({ height, appHash });
}, 60_000);

test('a disk that takes no more ends the restore without a verdict on the peers', async () => {
  const { offer, chunks } = await served();
  const store = openStore();
  const node = nodeOver(store);
  store.finishImport = () => Promise.reject(new Error('MDB_MAP_FULL: the disk is full'));
  await offerTo(node, offer);
  expect(await applyAll(node, chunks)).toMatchObject({ result: Applied.ABORT, rejectSenders: [] });
  expect(store.last.height).toBe(0n);
});

test('a stop while a snapshot is restored leaves nothing', async () => {
  const { offer, chunks } = await served();
  const node = nodeOver(openStore());
  await offerTo(node, offer);
  await applyAll(node, chunks.slice(0, 2));
  await node.manager.close();
  expect(node.store.figures).toMatchObject({ nodes: 0, versions: 0 });
  expect(existsSync(node.files.root)).toBe(true);
});

test('a snapshot whose content is no state is rejected at the chunk that shows it', async () => {
  const { info, chunks } = packed(5n, stream([{ store: { name: 'nobody' } }]));
  const { metadata } = (await import('../../src/snapshots/format.ts')).toEnvelope(info);
  const node = nodeOver(openStore());
  const snapshot = Snapshot.fromPartial({ height: 5n, format: 3, chunks: 1, hash: info.hash, metadata });
  await offerTo(node, RequestOfferSnapshot.fromPartial({ snapshot, appHash: new Uint8Array(32) }));
  expect(await applyAll(node, chunks)).toMatchObject({ result: Applied.REJECT_SNAPSHOT, rejectSenders: ['peer0'] });
  expect(chunked(5n, chunks).info).toEqual(info);
});
