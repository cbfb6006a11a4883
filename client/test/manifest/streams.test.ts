/** Files that are too large for memory: hashed, checked and read in one pass each. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { concatBytes, toHex } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { leafPrefix, RunningRoot } from '@mu/lib/merkle';
import { bytesOf, bytesSource, joined, pathSource } from '../../src/manifest/file-source.ts';
import {
  fileEntry,
  pieceProofs,
  RunningHash,
  splitPieces,
  verifiedChunks,
  verifyFile,
  verifyPiece,
} from '../../src/manifest/files.ts';
import { manifestLimits } from '../../src/manifest/head.ts';
import { seeded } from './fixture.ts';

const mib = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'mu-streams-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([1, 262_143, 262_144, 262_145, 600_000])('a file of %d bytes has the same entry in one pass', (size) => {
  const bytes = seeded('bytes')(size);
  const running = new RunningHash('a', size);
  for (let at = 0; at < size; at += 65_521) running.update(bytes.subarray(at, at + 65_521));
  expect({ path: 'a', ...running.done() }).toEqual(fileEntry('a', bytes));
});

test('a hash of fewer bytes than were said is none', () => {
  const running = new RunningHash('a', 2);
  running.update(new Uint8Array(1));
  expect(() => running.done()).toThrow('1 of 2 bytes');
});

test('a large file has pieces of a mebibyte, and is hashed without being held', () => {
  const size = manifestLimits.largeFileBytes + 3;
  const block = new Uint8Array(mib);
  const running = new RunningHash('a', size);
  const root = new RunningRoot();
  for (let left = size; left > 0; left -= mib) {
    const part = block.subarray(0, Math.min(left, mib));
    running.update(part);
    root.add(sha256(concatBytes(leafPrefix, part)));
  }
  expect(running.done()).toEqual({ size, piece_size: mib, merkle_root: toHex(root.root()) });
});

test.each([65_536, 1_048_576])('a file is checked by pieces of %d bytes where its entry says so', (pieceSize) => {
  const bytes = seeded('pieces')(2_500_000);
  const running = new RunningRoot();
  for (const piece of splitPieces(bytes, pieceSize)) running.add(sha256(concatBytes(leafPrefix, piece)));
  const entry = { path: 'a', size: bytes.length, piece_size: pieceSize, merkle_root: toHex(running.root()) };
  verifyFile(entry, bytes);
  const proofs = pieceProofs(bytes, pieceSize);
  splitPieces(bytes, pieceSize).forEach((piece, at) => {
    verifyPiece(entry, at, piece, proofs[at]!);
  });
  expect(() => verifyFile({ ...entry, piece_size: 131_072 }, bytes)).toThrow('not the file');
});

test('a file is checked on its way: what is another one, longer or shorter ends with an error', async () => {
  const bytes = seeded('way')(300_000);
  const entry = fileEntry('a', bytes);
  const read = async (given: Uint8Array): Promise<number> => {
    let length = 0;
    for await (const chunk of verifiedChunks(entry, bytesSource(given).chunks())) length += chunk.length;
    return length;
  };
  expect(await read(bytes)).toBe(300_000);
  await expect(read(bytes.with(299_999, bytes[299_999]! ^ 1))).rejects.toThrow('not the file');
  await expect(read(bytes.subarray(1))).rejects.toThrow('299999 bytes instead of 300000');
  await expect(read(concatBytes(bytes, bytes))).rejects.toThrow('instead of 300000');
});

test('a file on the disk is read as often as it is asked for, and as far as it was at first', async () => {
  const path = join(folder, 'file');
  const bytes = seeded('disk')(200_000);
  writeFileSync(path, bytes);
  const source = pathSource(path, 150_000);
  for (const _ of [1, 2]) expect(toHex(await bytesOf(source))).toBe(toHex(bytes.subarray(0, 150_000)));
  truncateSync(path, 149_999);
  await expect(bytesOf(source)).rejects.toThrow('shorter by 1 bytes');
  expect(await bytesOf(pathSource(path, 0))).toEqual(new Uint8Array());
});

test('several sources are one', async () => {
  const source = joined([
    bytesSource(Uint8Array.of(1, 2)),
    bytesSource(new Uint8Array()),
    bytesSource(Uint8Array.of(3)),
  ]);
  expect([source.size, ...(await bytesOf(source))]).toEqual([3, 1, 2, 3]);
});
