/**
 * What is kept of each lease as numbered lines, on the disk: its log, its events. Writers never wait: lines go to the disk
 * behind them, and those for which there is no room (a disk that is full, or slower than the writer) are lost, which
 * readers see by the gap in the numbers. Readers read files, each at its own pace, and hold nobody up.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LineCursor } from './line-cursor.ts';
import { SegmentFiles } from './segment-files.ts';

export interface LineStoreOptions {
  /** Has a folder for each lease. */
  readonly folder: string;
  /** Of one file; two are kept of each lease. */
  readonly segmentBytes: number;
  /** Lines on their way to the disk, of each lease: what comes beyond is lost. */
  readonly pendingBytes: number;
  /** Told once when lines begin to be lost, and once when they are kept again. */
  readonly onTrouble: (lease: bigint, error: unknown) => void;
}

/** A line with its number: one higher than the line's before, or more where lines were lost. */
export type Numbered<T> = T & { readonly seq: number };

export interface ReadOptions {
  /** Lines with a higher number. */
  readonly after: number;
  /** Go on with lines as they come, until the signal or the end of the lease. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** Passes over lines by their JSON, before it is parsed: a long log is read several times faster. */
  readonly accept?: (json: string) => boolean;
}

interface Page<T> {
  readonly files: SegmentFiles;
  pending: T[];
  pendingBytes: number;
  /** Lines that found no room since the last one that did. */
  lost: number;
  /** Number of the last line, kept or lost; undefined before the disk was looked at. */
  last: number | undefined;
  /** Grows with everything that is written. */
  version: number;
  flushing: Promise<void> | undefined;
  failing: boolean;
  ended: boolean;
  readonly waiting: Set<() => void>;
}

export class LineStore<T extends object> {
  readonly #options: LineStoreOptions;
  readonly #pages = new Map<bigint, Page<T>>();

  constructor(options: LineStoreOptions) {
    this.#options = options;
  }

  append(lease: bigint, value: T, bytes: number): void {
    const page = this.#page(lease);
    if (page.pendingBytes + bytes > this.#options.pendingBytes) {
      page.lost += 1;
      return;
    }
    page.pending.push(value);
    page.pendingBytes += bytes;
    this.#flush(lease, page);
  }

  /** Ends when all that is there has been read, or, where it follows, at the signal or when the lease is forgotten. */
  async *read(lease: bigint, { after, follow, signal, accept }: ReadOptions): AsyncGenerator<Numbered<T>> {
    const page = this.#page(lease);
    await this.#flush(lease, page);
    const cursor = new LineCursor<Numbered<T>>(page.files, after, accept);
    try {
      while (!signal.aborted) {
        const { version, ended } = page;
        for await (const line of cursor.toEnd()) {
          yield line;
          if (signal.aborted) return;
        }
        if (page.version !== version) continue;
        if (!follow || ended) return;
        await nextChange(page, version, signal);
      }
    } finally {
      await cursor.close();
    }
  }

  /** A lease that is over: those who follow it get the rest and end, and what was kept is erased. */
  async forget(lease: bigint): Promise<void> {
    const page = this.#page(lease);
    await this.#flush(lease, page);
    page.ended = true;
    changed(page);
    if (this.#pages.get(lease) === page) this.#pages.delete(lease);
    await this.#erase(lease);
  }

  /** Leases of which something is on the disk. */
  async leases(): Promise<bigint[]> {
    const names = await readdir(this.#options.folder).catch(() => []);
    return names.filter((name) => /^\d{1,20}$/.test(name)).map(BigInt);
  }

  /** Erases what is left of leases that are none of these. */
  async keepOnly(live: ReadonlySet<bigint>): Promise<void> {
    for (const lease of await this.leases()) {
      if (live.has(lease)) continue;
      if (this.#pages.has(lease)) await this.forget(lease);
      else await this.#erase(lease);
    }
  }

  /** What cannot be erased now, as a late line has just come, is swept later. */
  async #erase(lease: bigint): Promise<void> {
    try {
      await rm(join(this.#options.folder, lease.toString()), { recursive: true, force: true });
    } catch (error) {
      this.#options.onTrouble(lease, error);
    }
  }

  /** Brings everything to the disk. */
  async settled(): Promise<void> {
    await Promise.all([...this.#pages].map(([lease, page]) => this.#flush(lease, page)));
  }

  #page(lease: bigint): Page<T> {
    const known = this.#pages.get(lease);
    if (known !== undefined) return known;
    const { folder, segmentBytes } = this.#options;
    const page: Page<T> = {
      files: new SegmentFiles(join(folder, lease.toString()), segmentBytes),
      pending: [],
      pendingBytes: 0,
      lost: 0,
      last: undefined,
      version: 0,
      flushing: undefined,
      failing: false,
      ended: false,
      waiting: new Set(),
    };
    this.#pages.set(lease, page);
    return page;
  }

  #flush(lease: bigint, page: Page<T>): Promise<void> {
    page.flushing ??= this.#write(lease, page).finally(() => {
      page.flushing = undefined;
    });
    return page.flushing;
  }

  async #write(lease: bigint, page: Page<T>): Promise<void> {
    try {
      page.last ??= await page.files.load();
    } catch (error) {
      // Nothing can be read there: what comes is numbered as if nothing had been.
      page.last = 0;
      this.#options.onTrouble(lease, error);
    }
    while (page.pending.length > 0 && !page.ended) {
      const values = page.pending;
      const lost = page.lost;
      page.pending = [];
      page.pendingBytes = 0;
      page.lost = 0;
      // Lost ones came after those that had room.
      const first = page.last + 1;
      page.last += values.length + lost;
      const lines = values.map((value, at) => `${JSON.stringify({ seq: first + at, ...value })}\n`);
      try {
        await page.files.append(lines.join(''), first);
        if (page.failing) this.#options.onTrouble(lease, undefined);
        page.failing = false;
        changed(page);
      } catch (error) {
        if (!page.failing) this.#options.onTrouble(lease, error);
        page.failing = true;
      }
    }
  }
}

function changed<T>(page: Page<T>): void {
  page.version += 1;
  for (const wake of page.waiting) wake();
}

/** Resolves when something was written since, or the reader goes. */
async function nextChange<T>(page: Page<T>, version: number, signal: AbortSignal): Promise<void> {
  if (page.version !== version || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  page.waiting.add(wake);
  signal.addEventListener('abort', wake, { once: true });
  await promise;
  signal.removeEventListener('abort', wake);
  page.waiting.delete(wake);
}
