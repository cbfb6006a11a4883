/** The last lines that each lease has logged, in memory; readers may follow. */
import type { LogLine, LogSource } from './sources.ts';

export interface LogBookOptions {
  /** Lines kept for each lease. */
  readonly linesPerLease: number;
  /** Longer lines are cut. */
  readonly maxLineChars: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Page {
  readonly lines: LogLine[];
  /** How many lines have ever been written: the place of a reader survives that old ones are dropped. */
  written: number;
  /** The lease is over. */
  ended: boolean;
  readonly waiting: Set<() => void>;
}

export class LogBook implements LogSource {
  readonly #options: LogBookOptions;
  readonly #pages = new Map<bigint, Page>();

  constructor(options: Pick<LogBookOptions, 'now'> & Partial<LogBookOptions>) {
    this.#options = { linesPerLease: 2_000, maxLineChars: 4_096, ...options };
  }

  append(lease: bigint, { service, stream, line }: Omit<LogLine, 'timeMs'>): void {
    const page = this.#page(lease);
    page.lines.push({ timeMs: this.#options.now(), service, stream, line: line.slice(0, this.#options.maxLineChars) });
    page.written += 1;
    if (page.lines.length > this.#options.linesPerLease) page.lines.shift();
    for (const wake of page.waiting) wake();
  }

  /** Forgets a lease that is over, and ends the streams of those who follow it. */
  forget(lease: bigint): void {
    const page = this.#pages.get(lease);
    if (page === undefined) return;
    this.#pages.delete(lease);
    page.ended = true;
    for (const wake of page.waiting) wake();
  }

  async *read(
    lease: bigint,
    { tail, follow, signal }: { readonly tail: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LogLine> {
    const page = this.#page(lease);
    let at = page.written - Math.min(tail, page.lines.length);
    for (;;) {
      for (; at < page.written; at += 1) {
        // A reader too slow for the writer skips what has been dropped.
        const line = page.lines[page.lines.length - (page.written - at)];
        if (line !== undefined) yield line;
        if (signal.aborted) return;
      }
      if (!follow || page.ended || signal.aborted) return;
      await nextLine(page, signal);
    }
  }

  #page(lease: bigint): Page {
    const page = this.#pages.get(lease) ?? { lines: [], written: 0, ended: false, waiting: new Set<() => void>() };
    this.#pages.set(lease, page);
    return page;
  }
}

/** Resolves at the next line, or when the reader goes. */
async function nextLine(page: Page, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  page.waiting.add(wake);
  signal.addEventListener('abort', wake, { once: true });
  await promise;
  signal.removeEventListener('abort', wake);
  page.waiting.delete(wake);
}
