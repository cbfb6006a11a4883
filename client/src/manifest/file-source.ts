/** Files that are read as a stream, as often as they are asked for: one of gigabytes takes no more memory than a small one. */
import { createReadStream } from 'node:fs';

/** Bytes of a chunk, at most. Small, so that a slow line takes one long before it counts as standing still. */
const chunkBytes = 64 * 1024;

/** Bytes that can be read from their beginning, any number of times. */
export interface FileSource {
  readonly size: number;
  /** All bytes in their order. @throws where they cannot be read, or are not what they were */
  chunks(): AsyncIterable<Uint8Array>;
}

/** A source that is in memory anyway. */
export interface BytesSource extends FileSource {
  readonly bytes: Uint8Array;
}

export function bytesSource(bytes: Uint8Array): BytesSource {
  return {
    bytes,
    size: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

/**
 * A file on the disk. What it grows to after `size` was taken is not read.
 * @param size bytes, as the file had them when it was looked at
 */
export function pathSource(path: string, size: number): FileSource & { readonly path: string } {
  return {
    path,
    size,
    async *chunks() {
      if (size === 0) return;
      let left = size;
      for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes, end: size - 1 })) {
        left -= (chunk as Uint8Array).length;
        yield chunk as Uint8Array;
      }
      if (left > 0)
        throw new Error(`${path} has become shorter by ${left} bytes while it was used: run the command again`);
    },
  };
}

/** Several sources as one, one after the other. */
export function joined(parts: readonly FileSource[]): FileSource {
  return {
    size: parts.reduce((sum, { size }) => sum + size, 0),
    async *chunks() {
      for (const part of parts) yield* part.chunks();
    },
  };
}

/** All of a source in memory. Only for what is small: the caller knows that it is. */
export async function bytesOf(source: FileSource): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of source.chunks()) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}
