/** Archives: what is written is read again; what is not an archive of a snapshot is named. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { pack } from 'tar-stream';
import { readArchive, writeArchive } from '../../src/snapshots/archive.ts';
import { encodeDescription, SnapshotError, type SnapshotInfo } from '../../src/snapshots/format.ts';
import { restoreStored } from '../../src/snapshots/restore.ts';
import { SnapshotFiles } from '../../src/snapshots/snapshot-files.ts';
import { takeSnapshot } from '../../src/snapshots/take.ts';
import { chunked } from './restoring.ts';
import { grow, names, openStore, temporaryFolder } from './states.ts';

async function archived(): Promise<{ file: string; info: SnapshotInfo; appHash: Uint8Array; files: SnapshotFiles }> {
  const store = openStore();
  grow(store, { blocks: 6 });
  const files = new SnapshotFiles(temporaryFolder());
  const { height, format, hash, chunkHashes } = await takeSnapshot({
    source: store,
    files,
    height: 6n,
    chunkBytes: 3_000,
  });
  const info = { height, format, hash, chunkHashes };
  const file = join(temporaryFolder(), 'snapshot.tar.gz');
  await writeArchive(files, info, file);
  return { file, info, appHash: store.last.appHash, files };
}

async function tarOf(entries: readonly (readonly [string, Uint8Array])[]): Promise<string> {
  const tar = pack();
  for (const [name, bytes] of entries) tar.entry({ name }, Buffer.from(bytes));
  tar.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of tar) parts.push(part as Uint8Array);
  const file = join(temporaryFolder(), 'made.tar.gz');
  writeFileSync(file, gzipSync(Buffer.concat(parts)));
  return file;
}

test('a snapshot goes through an archive to another machine, and is restored there', async () => {
  const { file, info, appHash } = await archived();
  const files = new SnapshotFiles(temporaryFolder());
  expect(await readArchive(file, files)).toEqual(info);
  expect(await files.get(6n, 3)).toMatchObject(info);
  const copy = openStore();
  await restoreStored(files, { target: copy, names, snapshot: info, appHash: undefined });
  expect(copy.last).toEqual({ height: 6n, appHash });
});

test('a stored snapshot that is damaged, or not of the state that was asked for, is not restored', async () => {
  const { info, files, appHash } = await archived();
  const target = openStore();
  const with_ = (hash: Uint8Array) => restoreStored(files, { target, names, snapshot: info, appHash: hash });
  await expect(with_(new Uint8Array(32))).rejects.toThrow(/app hash/);
  writeFileSync(files.chunkFile(6n, 3, 1), 'x');
  await expect(with_(appHash)).rejects.toThrow(/chunk 1 .* missing or damaged/);
  await expect(writeArchive(files, info, join(temporaryFolder(), 'a'))).rejects.toThrow(/chunk 1 .* damaged/);
  expect(target.figures.nodes).toBe(0);
});

test('each fault of an archive is named, and nothing of it stays', async () => {
  const chunk = Buffer.from('chunk');
  const { info } = chunked(5n, [chunk, chunk]);
  const description = ['_snapshot', encodeDescription(info)] as const;
  const { file } = await archived();
  const whole = readFileSync(file);
  const cut = join(temporaryFolder(), 'cut.tar.gz');
  writeFileSync(cut, whole.subarray(0, whole.length >>> 1));
  const damaged = join(temporaryFolder(), 'damaged.tar.gz');
  const content = Buffer.from(gunzipSync(whole));
  content[3_000] = (content[3_000] as number) ^ 1;
  writeFileSync(damaged, gzipSync(content));
  const text = join(temporaryFolder(), 'text');
  writeFileSync(text, 'text');
  const faults: [string, RegExp][] = [
    [text, /damaged: incorrect header/],
    [cut, /damaged: unexpected end/],
    [damaged, /damaged/],
    [await tarOf([]), /does not begin with _snapshot/],
    [await tarOf([['0', chunk]]), /does not begin with _snapshot/],
    [await tarOf([['_snapshot', Buffer.from('no')]]), /description of the snapshot is damaged|format 0/],
    [await tarOf([['_snapshot', encodeDescription({ ...info, format: 2 })]]), /format 2; this mud reads format 3/],
    [await tarOf([description]), /chunk 0 is missing/],
    [await tarOf([description, ['0', chunk]]), /chunk 1 is missing/],
    [await tarOf([description, ['1', chunk], ['0', chunk]]), /"1" where 0 is expected/],
    [await tarOf([description, ['0', chunk], ['1', chunk], ['2', chunk]]), /"2" where 2 is expected/],
    [await tarOf([description, ['0', chunk], ['1', Buffer.from('other')]]), /chunk 1 of the archive is damaged/],
    [await tarOf([description, ['0', Buffer.alloc(16_000_001)]]), /"0" in the archive is no chunk/],
    [
      await tarOf([
        ['_snapshot', encodeDescription({ ...info, hash: createHash('sha256').digest() })],
        ...[['0', chunk] as const, ['1', chunk] as const],
      ]),
      /hash over all chunks/,
    ],
  ];
  const files = new SnapshotFiles(temporaryFolder());
  for (const [made, problem] of faults) {
    const error: unknown = await readArchive(made, files).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(SnapshotError);
    expect(String(error)).toMatch(problem);
  }
  expect(readdirSync(files.root)).toEqual([]);
  await expect(readArchive(join(files.root, 'nowhere'), files)).rejects.toThrow(/ENOENT/);
});
