/**
 * Tunnels that have been up, by their labels: while the chain cannot be looked at, their ends may find each other again and
 * nobody else (docs/OVERLAY.md, Admission). One small file, so that a restart forgets none of them.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { maxOfflineMs } from '../overlay/admission.ts';

/** The longest ago go first. */
export const maxKnownPairs = 4096;
/** One that stays up is written again so often at most. */
const renewedMs = 10 * 60_000;

export interface KnownPairsOptions {
  /** Absent: they are forgotten with the process. */
  readonly path?: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class KnownPairs {
  readonly #options: KnownPairsOptions;
  /** When each was up last; the longest ago first. */
  #upAtMs = new Map<string, number>();
  #isChanged = false;

  /** What a file holds that is not of this form counts for nothing: then the chain is looked at first. */
  constructor(options: KnownPairsOptions) {
    this.#options = options;
    for (const [label, atMs] of options.path === undefined ? [] : readPairs(options.path)) this.#set(label, atMs);
    this.#isChanged = false;
  }

  /** It was up in the last 24 hours. */
  has(label: string): boolean {
    const atMs = this.#upAtMs.get(label);
    return atMs !== undefined && this.#options.now() - atMs <= maxOfflineMs;
  }

  /** It is up. */
  add(label: string): void {
    const nowMs = this.#options.now();
    const before = this.#upAtMs.get(label);
    if (before === undefined || nowMs - before >= renewedMs) this.#set(label, nowMs);
  }

  /** Brings what has changed to the disk. @throws Error where that does not take it; it is tried again with the next call */
  flush(): void {
    const { path, now } = this.#options;
    if (path === undefined || !this.#isChanged) return;
    const since = now() - maxOfflineMs;
    this.#upAtMs = new Map([...this.#upAtMs].filter(([, atMs]) => atMs >= since));
    writeFileSync(`${path}.new`, JSON.stringify([...this.#upAtMs]), { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
    this.#isChanged = false;
  }

  #set(label: string, atMs: number): void {
    this.#upAtMs.delete(label);
    this.#upAtMs.set(label, atMs);
    this.#isChanged = true;
    if (this.#upAtMs.size <= maxKnownPairs) return;
    const [oldest] = this.#upAtMs.keys();
    if (oldest !== undefined) this.#upAtMs.delete(oldest);
  }
}

function readPairs(path: string): readonly (readonly [string, number])[] {
  try {
    const read = JSON.parse(readFileSync(path, 'utf8')) as unknown;
    return Array.isArray(read) ? read.filter(isPair) : [];
  } catch {
    return [];
  }
}

function isPair(value: unknown): value is readonly [string, number] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [label, atMs] = value as readonly unknown[];
  return typeof label === 'string' && typeof atMs === 'number' && Number.isFinite(atMs);
}
