/** A reader's place in the files of a lease. Files that go while it reads stay readable to it. */
import { type FileHandle, open } from 'node:fs/promises';
import { numberOf, type Segment, type SegmentFiles } from './segment-files.ts';

const chunkBytes = 64 * 1024;

export class LineCursor<T> {
  readonly #files: SegmentFiles;
  readonly #accept: ((text: string) => boolean) | undefined;
  /** The number of the last line that was given. */
  #after: number;
  #segment: Segment | undefined;
  #handle: FileHandle | undefined;
  /** In the file: behind the last whole line. */
  #position = 0;

  /** @param accept passes over lines by their text, before the dear part of reading them */
  constructor(files: SegmentFiles, after: number, accept?: (text: string) => boolean) {
    this.#files = files;
    this.#after = after;
    this.#accept = accept;
  }

  /** All lines up to what is written now, and on while files follow. */
  async *toEnd(): AsyncGenerator<T> {
    for (;;) {
      // Looked for before the file is read: once a newer one is there, nothing more comes to this one.
      const next = this.#nextSegment();
      if (this.#handle !== undefined) yield* this.#lines(this.#handle);
      if (next === undefined) return;
      await this.close();
      this.#handle = await openIfThere(next.path);
      this.#segment = next;
      this.#position = 0;
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** The one behind the present; at first the newest one that may hold the wanted line. */
  #nextSegment(): Segment | undefined {
    const { segments } = this.#files;
    const present = this.#segment;
    if (present !== undefined) return segments.find(({ first }) => first > present.first);
    return segments.findLast(({ first }) => first <= this.#after + 1) ?? segments[0];
  }

  async *#lines(handle: FileHandle): AsyncGenerator<T> {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    let rest = Buffer.alloc(0);
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, chunkBytes, this.#position + rest.length);
      if (bytesRead === 0) return;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf(0x0a) + 1;
      rest = bytes.subarray(end);
      this.#position += end;
      for (const text of bytes.subarray(0, end).toString('utf8').split('\n')) {
        const line = this.#lineOf(text);
        if (line !== undefined) yield line;
      }
    }
  }

  /** Undefined for one that was given before, and for one that a full disk has broken. */
  #lineOf(text: string): T | undefined {
    const seq = numberOf(text);
    if (seq === undefined || seq <= this.#after) return undefined;
    if (this.#accept?.(text) === false) return undefined;
    try {
      const line = JSON.parse(text) as T;
      this.#after = seq;
      return line;
    } catch {
      return undefined;
    }
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch {
    return undefined;
  }
}
