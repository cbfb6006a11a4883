/**
 * Numbered lines in a folder: files of bounded size, of which the newest two stay. What is written is not synced: a crash
 * of the machine may lose the last lines, a crash of the daemon none that were written.
 */
import { appendFile, mkdir, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/** One file: named by the number of its first line. */
export interface Segment {
  readonly first: number;
  readonly path: string;
}

const nameOf = (first: number): string => `${String(first).padStart(16, '0')}.jsonl`;
const namePattern = /^(\d{16})\.jsonl$/;
/** A file being written, and the one before. */
const keptSegments = 2;

export class SegmentFiles {
  readonly #folder: string;
  readonly #segmentBytes: number;
  #segments: Segment[] = [];
  /** Of the newest file. */
  #bytes = 0;

  constructor(folder: string, segmentBytes: number) {
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
  }

  /** Oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Finds what is there; half a line at the end, which a crash left, is cut off. @returns the number of the last line, 0 for none */
  async load(): Promise<number> {
    const names = await readdir(this.#folder).catch(() => []);
    const firsts = names.flatMap((name) => namePattern.exec(name)?.[1] ?? []).sort();
    this.#segments = firsts.map((first) => ({ first: Number(first), path: join(this.#folder, nameOf(Number(first))) }));
    const newest = this.#segments.at(-1);
    if (newest === undefined) return 0;
    const bytes = await readFile(newest.path);
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end < bytes.length) await truncate(newest.path, end);
    this.#bytes = end;
    const last = bytes.subarray(0, end).toString('utf8').trimEnd().split('\n').at(-1) ?? '';
    return numberOf(last) ?? newest.first - 1;
  }

  /**
   * Appends whole lines; all of them or none.
   * @param first the number of the first one
   * @throws where the disk takes no more
   */
  async append(text: string, first: number): Promise<void> {
    const bytes = Buffer.from(text);
    let newest = this.#segments.at(-1);
    if (newest === undefined || this.#bytes + bytes.length > this.#segmentBytes) newest = await this.#next(first);
    try {
      await appendFile(newest.path, bytes, { mode: 0o600 });
      this.#bytes += bytes.length;
    } catch (error) {
      // A part may have been written; where even that cannot be undone, a reader passes over the broken line.
      await truncate(newest.path, this.#bytes).catch(() => undefined);
      throw error;
    }
  }

  async #next(first: number): Promise<Segment> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const segment = { first, path: join(this.#folder, nameOf(first)) };
    // Old ones go before the new one needs their room.
    while (this.#segments.length >= keptSegments) await rm(this.#segments.shift()!.path, { force: true });
    await (await open(segment.path, 'a', 0o600)).close();
    this.#segments.push(segment);
    this.#bytes = 0;
    return segment;
  }
}

/** The number of a line; undefined for what is no line of ours. */
export function numberOf(line: string): number | undefined {
  const found = /^\{"seq":(\d{1,15}),/.exec(line);
  return found === null ? undefined : Number(found[1]);
}
