/**
 * A snapshot in one file, as the Cosmos SDK's `snapshots dump` writes it: a gzipped tar with the description first and
 * each chunk after it.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createGzip } from 'node:zlib';
import { equalBytes } from '@mu/lib/bytes';
import { extract, pack } from 'tar-stream';
import { decodeDescription, encodeDescription, maxChunkBytes, SnapshotError, type SnapshotInfo } from './format.ts';
import { descriptionName, type SnapshotFiles, writeDurably } from './snapshot-files.ts';

/** A description of as many chunks as CometBFT can offer. */
const maxDescriptionBytes = 4_100_000;

/**
 * Writes an archive; the file has its name when it is whole.
 * @throws SnapshotError when there is no such snapshot, or it is damaged
 */
export async function writeArchive(files: SnapshotFiles, snapshot: SnapshotInfo, output: string): Promise<void> {
  const tar = pack();
  const unfinished = `${output}.new-${process.pid}`;
  // The chunks are packed already.
  const written = pipeline(tar, createGzip({ level: constants.Z_BEST_SPEED }), createWriteStream(unfinished));
  try {
    await Promise.all([written, addEntries(tar, files, snapshot)]);
    await rename(unfinished, output);
  } catch (error) {
    tar.destroy();
    await written.catch(() => undefined);
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function addEntries(tar: ReturnType<typeof pack>, files: SnapshotFiles, snapshot: SnapshotInfo): Promise<void> {
  const { height, format, chunkHashes } = snapshot;
  await addEntry(tar, descriptionName, encodeDescription(snapshot));
  for (const [index, hash] of chunkHashes.entries()) {
    const chunk = await files.chunk(height, format, index);
    if (chunk === undefined || !equalBytes(sha256(chunk), hash)) {
      throw new SnapshotError(`chunk ${index} of the snapshot of height ${height} is damaged: delete the snapshot`);
    }
    await addEntry(tar, String(index), chunk);
  }
  tar.finalize();
}

function addEntry(tar: ReturnType<typeof pack>, name: string, bytes: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  tar.entry({ name, mode: 0o644 }, Buffer.from(bytes), (error) => (error ? reject(error) : resolve()));
  return promise;
}

/**
 * Reads an archive into the folder of snapshots.
 * @throws SnapshotError when it is no archive of a snapshot, or one of its chunks is another one
 */
export async function readArchive(file: string, files: SnapshotFiles): Promise<SnapshotInfo> {
  const entries = entriesOf(file);
  try {
    const first = await entries.next();
    if (first.done === true || first.value.name !== descriptionName) {
      throw new SnapshotError(`${file} is no archive of a snapshot: it does not begin with ${descriptionName}`);
    }
    const snapshot = decodeDescription(first.value.bytes);
    const folder = await files.begin(snapshot.height, snapshot.format);
    try {
      await readChunks(entries, snapshot, folder);
      await files.publish(folder, snapshot);
      return snapshot;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  } finally {
    await entries.return(undefined);
  }
}

interface Entry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

async function readChunks(entries: AsyncGenerator<Entry>, snapshot: SnapshotInfo, folder: string): Promise<void> {
  const whole = createHash('sha256');
  let index = 0;
  for await (const { name, bytes } of entries) {
    const expected = snapshot.chunkHashes[index];
    if (expected === undefined || name !== String(index)) {
      throw new SnapshotError(`the archive has a file ${JSON.stringify(name)} where ${index} is expected`);
    }
    if (!equalBytes(sha256(bytes), expected)) throw new SnapshotError(`chunk ${index} of the archive is damaged`);
    whole.update(bytes);
    await writeDurably(join(folder, name), bytes);
    index += 1;
  }
  if (index < snapshot.chunkHashes.length) throw new SnapshotError(`chunk ${index} is missing in the archive`);
  if (!equalBytes(whole.digest(), snapshot.hash)) throw new SnapshotError('the hash over all chunks is another one');
}

/** The files of an archive in their order. */
async function* entriesOf(file: string): AsyncGenerator<Entry> {
  const tar = extract();
  const unpacked = pipeline(createReadStream(file), createGunzip(), tar);
  // It ends the reading with the same error.
  unpacked.catch(() => undefined);
  try {
    for await (const entry of tar) {
      const { name, size = 0, type } = entry.header;
      const most = name === descriptionName ? maxDescriptionBytes : maxChunkBytes;
      if (type !== 'file' || size > most) throw new SnapshotError(`${JSON.stringify(name)} in the archive is no chunk`);
      const parts: Uint8Array[] = [];
      for await (const part of entry) parts.push(part as Uint8Array);
      yield { name, bytes: Buffer.concat(parts) };
    }
  } catch (error) {
    if (error instanceof SnapshotError || (error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
    throw new SnapshotError(`${file} is damaged: ${(error as Error).message}`);
  } finally {
    tar.destroy();
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
