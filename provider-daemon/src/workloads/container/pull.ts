/** One pull: progress for the log, and an end to it when it takes more than it said or the disk has. */
import { statfs } from 'node:fs/promises';
import type { ImageReference } from '@mu/client/registry/reference';
import { WorkloadError } from '../driver.ts';
import type { SizeLimits } from './archive-scan.ts';
import type { Clock } from './clock.ts';
import { type Engine, EngineError, type PullProgress, type RegistryCredentials } from './engine.ts';

/** A line of progress at most this often. */
const tellEveryMs = 3_000;
const guardEveryMs = 250;
/** A pull that shows no progress for so long is given up. */
const silenceMs = 120_000;

/** Watches the disk during a pull: layers grow when they are unpacked, and nothing says how much beforehand. */
export interface PullGuard {
  readonly clock: Clock;
  /** Bytes that are free where the engine stores images; undefined where that cannot be told. */
  readonly freeBytes: () => Promise<number | undefined>;
  /** Never less than this stays free. */
  readonly reserveBytes: number;
}

export interface PullOptions {
  readonly credentials: RegistryCredentials | undefined;
  readonly limits: SizeLimits;
  readonly guard: PullGuard;
  readonly tell: (line: string) => void;
  /** Of the manifest. */
  readonly layers: number;
  readonly bytes: number;
}

/** @throws WorkloadError `image` where it cannot be had or turns out larger than allowed */
export async function pullImage(engine: Engine, reference: ImageReference, options: PullOptions): Promise<void> {
  const end = new AbortController();
  let failure: WorkloadError | undefined;
  const giveUp = (error: WorkloadError): void => {
    failure ??= error;
    end.abort();
  };
  const done = new AbortController();
  const progress = new PullTotals(options);
  const watching = watch(reference, { progress, options, giveUp, signal: done.signal });
  try {
    for await (const line of await engine.pull(reference.canonical, options.credentials, end.signal)) {
      const text = progress.add(line, options.guard.clock.elapsed());
      if (text !== undefined) options.tell(text);
      if (progress.fetchedBytes > options.limits.maxBytes) {
        giveUp(
          new WorkloadError('image', `${reference.canonical}: more than ${options.limits.maxBytes} bytes to fetch`),
        );
      }
    }
    if (failure !== undefined) throw failure;
  } catch (error) {
    if (failure !== undefined) throw failure;
    // The engine answers; the registry’s refusal is in its text.
    if (error instanceof EngineError && !error.gone) throw new WorkloadError('image', error.message);
    throw error;
  } finally {
    done.abort();
    await watching;
  }
}

/** Sums over the layers of a pull. */
export class PullTotals {
  readonly #options: Pick<PullOptions, 'layers' | 'bytes'>;
  readonly #layers = new Map<string, { fetched: number; complete: boolean }>();
  #toldMs = Number.NEGATIVE_INFINITY;
  /** When the last line came. */
  lastMs: number | undefined;

  constructor(options: Pick<PullOptions, 'layers' | 'bytes'>) {
    this.#options = options;
  }

  get fetchedBytes(): number {
    let sum = 0;
    for (const { fetched } of this.#layers.values()) sum += fetched;
    return sum;
  }

  /** @returns a line for the log, where it is time for one */
  add({ layer, status, current, total }: PullProgress, nowMs: number): string | undefined {
    this.lastMs = nowMs;
    if (layer === undefined || !/^[0-9a-f]{12}$/.test(layer)) return undefined;
    const known = this.#layers.get(layer) ?? { fetched: 0, complete: false };
    // What a layer claims to be counts as soon as it is claimed.
    if (status === 'Downloading') known.fetched = Math.max(known.fetched, current, total);
    if (status === 'Pull complete' || status === 'Already exists') known.complete = true;
    this.#layers.set(layer, known);
    if (nowMs - this.#toldMs < tellEveryMs) return undefined;
    this.#toldMs = nowMs;
    const complete = [...this.#layers.values()].filter((entry) => entry.complete).length;
    return `fetching: ${complete} of ${this.#options.layers} layers are here`;
  }
}

interface Watch {
  readonly progress: PullTotals;
  readonly options: PullOptions;
  readonly giveUp: (error: WorkloadError) => void;
  readonly signal: AbortSignal;
}

async function watch(reference: ImageReference, { progress, options, giveUp, signal }: Watch): Promise<void> {
  const { clock, freeBytes, reserveBytes } = options.guard;
  const { maxBytes, maxUnpackedBytes } = options.limits;
  const startedMs = clock.elapsed();
  const before = await freeBytes();
  while (!signal.aborted) {
    await clock.wait(guardEveryMs, signal);
    if (clock.elapsed() - (progress.lastMs ?? startedMs) > silenceMs) {
      giveUp(new WorkloadError('image', `${reference.canonical}: no progress for ${silenceMs / 1000} s`));
    }
    const free = await freeBytes();
    if (before === undefined || free === undefined) continue;
    // Both the fetched and the unpacked layers stand on the disk for a while. Who has written what nobody tells: where it was
    // others, the next try may come through.
    if (before - free > maxBytes + maxUnpackedBytes) {
      const larger = `unpacked it is larger than ${maxUnpackedBytes} bytes`;
      giveUp(
        new WorkloadError('image', `${reference.canonical}: ${larger}, or others fill the engine's disk meanwhile`),
      );
    } else if (free < reserveBytes && before - free > 0) {
      giveUp(new WorkloadError('failed', `no room for ${reference.canonical}: ${free} bytes are free on the disk`));
    }
  }
}

/** Free bytes at a folder of this machine; undefined where the engine’s is not here. */
export async function freeBytesAt(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
