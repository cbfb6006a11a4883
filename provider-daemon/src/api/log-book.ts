/** The last lines that each lease has logged, on the disk of the provider; readers may follow. */
import { LineStore } from './line-store.ts';
import type { LogLine, LogRead, LogSource, NumberedLine } from './sources.ts';

export interface LogBookOptions {
  readonly folder: string;
  /** Of one file; of each lease two are kept, so at least this much of its log. */
  readonly segmentBytes: number;
  /** Longer lines are cut. */
  readonly maxLineChars: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onTrouble: (lease: bigint, error: unknown) => void;
}

/** What is kept of the log of a lease. */
export const logLimits = {
  segmentBytes: 4 * 1024 * 1024,
  maxLineChars: 4_096,
  /** Lines on their way to the disk: a program that writes faster than the disk loses some. */
  pendingBytes: 512 * 1024,
} as const;

/** What a line takes beside its text. */
const lineOverhead = 100;

export class LogBook implements LogSource {
  readonly #options: LogBookOptions;
  readonly #store: LineStore<LogLine>;

  constructor(options: Pick<LogBookOptions, 'now' | 'folder'> & Partial<LogBookOptions>) {
    this.#options = { ...logLimits, onTrouble: () => {}, ...options };
    const { folder, segmentBytes, onTrouble } = this.#options;
    const pendingBytes = Math.min(logLimits.pendingBytes, segmentBytes);
    this.#store = new LineStore({ folder, segmentBytes, pendingBytes, onTrouble });
  }

  append(lease: bigint, { service, stream, line }: Omit<LogLine, 'timeMs'>): void {
    const text = this.cut(line);
    const bytes = Buffer.byteLength(text) + lineOverhead;
    this.#store.append(lease, { timeMs: this.#options.now(), service, stream, line: text }, bytes);
  }

  /** A line as it is kept. */
  cut(line: string): string {
    return line.slice(0, this.#options.maxLineChars);
  }

  async *read(lease: bigint, { tail, after, follow, signal, ...filter }: LogRead): AsyncGenerator<NumberedLine> {
    let last = after ?? 0;
    // Within a text quotes are escaped: only the field itself is found so.
    const accept = (json: string): boolean =>
      filter.streams === undefined || filter.streams.some((one) => json.includes(`"stream":"${one}"`));
    if (tail !== undefined) {
      const kept: NumberedLine[] = [];
      for await (const line of this.#store.read(lease, { after: last, follow: false, signal, accept })) {
        last = line.seq;
        if (tail > 0 && matches(line, filter)) kept.push(line);
        if (kept.length > 2 * tail) kept.splice(0, kept.length - tail);
      }
      for (const line of kept.slice(-tail)) yield line;
      if (!follow) return;
    }
    for await (const line of this.#store.read(lease, { after: last, follow, signal, accept })) {
      if (matches(line, filter)) yield line;
    }
  }

  /** Erases the log of a lease that is over, and ends the streams of those who follow it. */
  forget(lease: bigint): Promise<void> {
    return this.#store.forget(lease);
  }

  /** Leases with a log. */
  leases(): Promise<bigint[]> {
    return this.#store.leases();
  }

  /** Erases what is left of leases that are none of these. */
  keepOnly(live: ReadonlySet<bigint>): Promise<void> {
    return this.#store.keepOnly(live);
  }

  settled(): Promise<void> {
    return this.#store.settled();
  }
}

function matches(
  { timeMs, service, stream }: LogLine,
  wanted: Pick<LogRead, 'sinceMs' | 'service' | 'streams'>,
): boolean {
  if (wanted.sinceMs !== undefined && timeMs < wanted.sinceMs) return false;
  if (wanted.service !== undefined && service !== wanted.service) return false;
  return wanted.streams === undefined || wanted.streams.includes(stream);
}
