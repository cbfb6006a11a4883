/**
 * Looks through an image archive, as `docker save` or an OCI layout makes them, before the engine gets any of it: which
 * parts belong to the image, how large they are unpacked, and that no name leaves the archive.
 */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { pipeline, type Readable, Transform, Writable } from 'node:stream';
import { pipeline as finish } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { WorkloadError } from '../driver.ts';

export const archiveLimits = {
  maxEntries: 10_000,
  /** Manifests and configurations. */
  maxJsonBytes: 1024 * 1024,
  maxJsonTotalBytes: 16 * 1024 * 1024,
} as const;

/** One part of an archive: to be read to its end before the next. */
export type Entry = Readable & { readonly header: Header };

/** What an archive holds, by the names of its entries. */
export interface ArchiveContent {
  /** Bytes of each file, and of what is in it where it is compressed. */
  readonly files: ReadonlyMap<string, { readonly bytes: number; readonly unpackedBytes: number }>;
  /** Links from name to name; old archives have layers that are links to others. */
  readonly links: ReadonlyMap<string, string>;
  /** Files that begin as JSON does. */
  readonly texts: ReadonlyMap<string, string>;
}

export interface SizeLimits {
  /** What is fetched or read. */
  readonly maxBytes: number;
  /** What it takes on the disk. */
  readonly maxUnpackedBytes: number;
}

/** @throws WorkloadError `image` for what is no archive, too large, or names what is outside of it */
export async function scanArchive(path: string, name: string, limits: SizeLimits): Promise<ArchiveContent> {
  const { size } = await stat(path).catch(() => {
    throw new WorkloadError('failed', `the image archive ${name} is not on this machine`);
  });
  if (size > limits.maxBytes) {
    throw new WorkloadError('image', `${name}: an archive of ${size} bytes, at most ${limits.maxBytes} are allowed`);
  }
  const files = new Map<string, { bytes: number; unpackedBytes: number }>();
  const links = new Map<string, string>();
  const texts = new Map<string, string>();
  let jsonBytes = 0;
  let unpacked = 0;
  for await (const entry of archiveEntries(path, name, limits.maxUnpackedBytes)) {
    const entryName = safeName(entry.header.name, name);
    if (files.has(entryName) || links.has(entryName)) throw broken(name, `has ${entryName} twice`);
    if (files.size + links.size >= archiveLimits.maxEntries) {
      throw broken(name, `has more than ${archiveLimits.maxEntries} entries`);
    }
    if (entry.header.type === 'symlink' || entry.header.type === 'link') {
      links.set(entryName, linkTarget(entryName, entry, name));
    }
    if (entry.header.type !== 'file') {
      entry.resume();
      continue;
    }
    const read = await readEntry(entry, limits.maxUnpackedBytes - unpacked, name);
    files.set(entryName, { bytes: entry.header.size ?? 0, unpackedBytes: read.unpackedBytes });
    unpacked += read.unpackedBytes;
    if (read.text !== undefined) {
      jsonBytes += read.text.length;
      if (jsonBytes > archiveLimits.maxJsonTotalBytes) throw broken(name, 'has too many manifests');
      texts.set(entryName, read.text);
    }
  }
  return { files, links, texts };
}

/** The entries of an archive, itself compressed or not. Each must be read to its end. */
export async function* archiveEntries(path: string, name: string, maxUnpackedBytes: number): AsyncGenerator<Entry> {
  const tar = extract();
  const source = createReadStream(path);
  const bound = bounded(maxUnpackedBytes + archiveLimits.maxJsonTotalBytes, name);
  const done = (error: Error | null | undefined): void => void (error && tar.destroy(error));
  if (await isGzip(path)) pipeline(source, createGunzip(), bound, tar, done);
  else pipeline(source, bound, tar, done);
  try {
    // tar-stream’s streams are not Node’s own, but can all that is asked of them here.
    for await (const entry of tar) yield entry as unknown as Entry;
  } catch (error) {
    if (error instanceof WorkloadError) throw error;
    throw broken(name, `cannot be read as an archive: ${(error as Error).message}`);
  } finally {
    source.destroy();
    tar.destroy();
  }
}

/** A name within the archive, without `./`. */
export function safeName(entryName: string, archive: string): string {
  const plain = posix.normalize(entryName).replace(/\/$/, '');
  if (plain.startsWith('/') || plain === '..' || plain.startsWith('../') || plain.includes('\0')) {
    throw broken(archive, `names “${entryName.slice(0, 100)}”, which is outside of it`);
  }
  return plain;
}

function linkTarget(entryName: string, { header }: Entry, archive: string): string {
  const target = header.linkname ?? '';
  // A hard link names its target from the archive’s top, a symbolic one from its own folder.
  const from = header.type === 'link' ? '' : posix.dirname(entryName);
  return safeName(target.startsWith('/') ? target : posix.join(from, target), archive);
}

async function readEntry(
  entry: Entry,
  maxBytes: number,
  name: string,
): Promise<{ unpackedBytes: number; text?: string }> {
  const size = entry.header.size ?? 0;
  let unpackedBytes = 0;
  const kept: Buffer[] = [];
  let isJson: boolean | undefined;
  const count = new Writable({
    write(chunk: Buffer, _encoding, next) {
      unpackedBytes += chunk.length;
      isJson ??= size <= archiveLimits.maxJsonBytes && /[{[]/.test(String.fromCharCode(chunk[0] ?? 0));
      if (isJson) kept.push(chunk);
      next(unpackedBytes > maxBytes ? tooLarge(name) : null);
    },
  });
  const head = await peek(entry);
  const unpack = head === 'gzip' ? createGunzip() : head === 'zstd' ? createZstdDecompress() : undefined;
  const parts = unpack === undefined ? [entry, count] : [entry, unpack, count];
  await finish(parts as [Entry, Writable]).catch((error: unknown) => {
    if (error instanceof WorkloadError) throw error;
    throw broken(name, `has a part that cannot be unpacked: ${(error as Error).message}`);
  });
  return { unpackedBytes, ...(isJson && head === undefined ? { text: Buffer.concat(kept).toString('utf8') } : {}) };
}

/** How an entry is compressed, by its first bytes, which stay to be read. */
async function peek(entry: Entry): Promise<'gzip' | 'zstd' | undefined> {
  if ((entry.header.size ?? 0) < 4) return undefined;
  for (;;) {
    const chunk = entry.read() as Buffer | null;
    if (chunk !== null) {
      entry.unshift(chunk);
      if (chunk[0] === 0x1f && chunk[1] === 0x8b) return 'gzip';
      return chunk.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) ? 'zstd' : undefined;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    entry.once('readable', resolve).once('error', reject);
    await promise;
  }
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

/** Passes at most so many bytes on. */
function bounded(maxBytes: number, name: string): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      bytes += chunk.length;
      if (bytes > maxBytes) next(tooLarge(name));
      else next(null, chunk);
    },
  });
}

function tooLarge(name: string): WorkloadError {
  return new WorkloadError('image', `${name}: unpacked it is larger than this provider allows`);
}

export function broken(name: string, why: string): WorkloadError {
  return new WorkloadError('image', `${name}: the image archive ${why}`);
}
