/** A file that is far larger than what may be in memory of it. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { BuiltManifest } from '@mu/client/manifest/build';
import { encodeDelivery } from '@mu/client/manifest/bundle';
import { manifestLimits } from '@mu/client/manifest/head';
import { parseManifest } from '@mu/client/manifest/parse';
import { PieceHasher } from '@mu/client/manifest/piece-hasher';
import { toHex, u32be, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import { maxPieceBytes } from '../../src/manifests/manifest-folder.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { PieceBuffers } from '../../src/manifests/piece-buffers.ts';
import { receiveDelivery } from '../../src/manifests/receive.ts';
import { counted } from '../support/surroundings.ts';
import { factsOf, twoFiles } from './fixture.ts';

const size = 64 * 1024 * 1024;
const chunkBytes = 64 * 1024;
const { files: paths } = { files: twoFiles.head.files.map(({ path }) => path) };

/** Bytes of a file, in one buffer that is filled anew each time: whoever keeps a chunk keeps something else. */
async function* chunksOf(file: number): AsyncGenerator<Uint8Array> {
  const chunk = new Uint8Array(chunkBytes).fill(file + 1);
  for (let at = 0; at < size; at += chunkBytes) {
    new DataView(chunk.buffer).setUint32(0, at);
    yield chunk;
  }
}

/** The manifest of two functions, with large files in place of theirs. */
async function largeManifest(): Promise<BuiltManifest> {
  const files = [];
  for (const [file, path] of paths.entries()) {
    const hasher = new PieceHasher(manifestLimits.pieceBytes);
    for await (const chunk of chunksOf(file)) hasher.update(chunk);
    files.push({ path, size, piece_size: manifestLimits.pieceBytes, merkle_root: toHex(hasher.root()) });
  }
  const manifest = parseManifest(utf8(canonicalJson({ ...twoFiles.head, files })));
  return { ...manifest, files: new Map(), sectionKeys: twoFiles.sectionKeys };
}

async function* bodyOf(built: BuiltManifest): AsyncGenerator<Uint8Array> {
  const message = encodeDelivery({ headBytes: built.headBytes, keys: built.sectionKeys, files: paths });
  yield u32be(message.length);
  yield message;
  for (const file of paths.keys()) yield* chunksOf(file);
}

async function hashOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) hash.update(chunk);
  return new Uint8Array(hash.digest());
}

let base: string;
let journal: Journal;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'mu-large-'));
  journal = openJournal(join(base, 'journal'), { chainId: 'mu-1', provider: 'mu1p', nodeId: 'n' });
});
afterEach(async () => {
  await journal.close();
  rmSync(base, { recursive: true });
});

test('files of 64 MiB are taken, checked and handed on with a few pieces in memory', async () => {
  const built = await largeManifest();
  const facts = factsOf(built);
  const buffers = new PieceBuffers(1, maxPieceBytes);
  const open = (name: string, index: Journal['manifests']): ManifestStore =>
    new ManifestStore({ folder: join(base, name), index, random: counted().random, buffers });
  await receiveDelivery(
    { chunks: bodyOf(built), sha256: await hashOf(bodyOf(built)) },
    facts,
    open('a', journal.manifests),
  );
  // By nothing but one buffer, a restart and two starts at the same time are served.
  const store = open('a', journal.manifests);
  const stored = store.load(facts)!;
  const [carried, ...held] = await Promise.all([store.carried(facts), ...paths.map((path) => stored.fileOf(path))]);
  expect([buffers.peak, buffers.live]).toEqual([1, 0]);
  expect(carried?.have().isFull).toBe(true);
  for (const [file, { sha256 }] of held.entries()) expect(sha256).toBe(toHex(await hashOf(chunksOf(file))));

  const last = carried!.pieces.count - 1;
  for (const piece of [0, 1, 255, 256, last]) {
    const { bytes, aunts } = (await carried!.read(piece))!;
    expect([bytes.length, aunts.length]).toEqual([carried!.pieces.bytesOf(piece), 8]);
    expect(carried!.verify(piece, { bytes, aunts })).toBe(true);
  }
}, 60_000);

test('buffers are lent so many at a time, and to all in turn', async () => {
  const buffers = new PieceBuffers(2, 8);
  const given = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const order: number[] = [];
  const work = given.map(({ promise }, at) =>
    buffers.use(async (buffer) => {
      order.push(at);
      expect(buffer).toHaveLength(8);
      await promise;
      if (at === 1) throw new Error('it failed');
    }),
  );
  const ended = Promise.allSettled(work);
  expect([order, buffers.live]).toEqual([[0, 1], 2]);
  for (const { resolve } of given) resolve();
  expect((await ended).map(({ status }) => status)).toEqual(
    [0, 1, 2, 3, 4].map((at) => (at === 1 ? 'rejected' : 'fulfilled')),
  );
  expect([order, buffers.live, buffers.peak]).toEqual([[0, 1, 2, 3, 4], 0, 2]);
});
