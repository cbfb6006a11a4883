/**
 * Follows what a container writes. How far it has been read is a mark on the disk, so that over a restart of the daemon,
 * of the container or of the engine no line is lost or given twice.
 */
import type { Clock } from './clock.ts';
import { type Engine, EngineError } from './engine.ts';
import { type Frame, FrameSplitter } from './frames.ts';
import type { Marks } from './marks.ts';

/** Of one instance: a program that writes faster is read slower, and loses what the engine’s files no longer hold. */
export const maxLogBytesPerSecond = 1024 * 1024;
/** Lines kept for messages about what went wrong. */
const tailLines = 10;
const retryMs = 1_000;
/** The last lines of a container that has ended are waited for so long. */
const drainMs = 5_000;

/** The last line that was taken: its time as the engine wrote it, and how many lines of that time were taken. */
interface LogPlace {
  readonly time: string;
  readonly taken: number;
}

export interface LogFollowerOptions {
  readonly engine: Pick<Engine, 'logs'>;
  readonly marks: Marks;
  readonly clock: Clock;
  readonly containerId: string;
  readonly emit: (stream: 'stdout' | 'stderr', line: string) => void;
}

export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #close = new AbortController();
  readonly #running: Promise<void>;
  readonly #tail: string[] = [];
  /** Streams whose last piece had no end: a line above 16 KiB, cut by the engine. */
  readonly #cut = new Set<'stdout' | 'stderr'>();
  #place: LogPlace | undefined;
  #wake = Promise.withResolvers<void>();
  #isLast = false;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
    this.#place = readPlace(options.marks.read(markName(options.containerId)));
    this.#running = this.#follow();
  }

  /** The container has started or ended: there may be more. */
  wake(): void {
    this.#wake.resolve();
  }

  /** The last lines that came. */
  tail(): readonly string[] {
    return this.#tail;
  }

  /** Reads what an ended container has left, then ends. */
  async drain(): Promise<void> {
    this.#isLast = true;
    this.wake();
    await Promise.race([this.#running, this.#options.clock.wait(drainMs, this.#close.signal)]);
    await this.close();
  }

  async close(): Promise<void> {
    this.#close.abort();
    this.wake();
    await this.#running;
  }

  /** Forgets the mark: the container is removed. */
  forget(): void {
    this.#options.marks.remove(markName(this.#options.containerId));
  }

  async #follow(): Promise<void> {
    const { signal } = this.#close;
    while (!signal.aborted) {
      const isLast = this.#isLast;
      this.#wake = Promise.withResolvers<void>();
      try {
        await this.#readOnce(signal);
        if (isLast) return;
        if (!this.#isLast) await this.#wake.promise;
      } catch (error) {
        if (error instanceof EngineError && error.status === 404) return;
        await this.#options.clock.wait(retryMs, signal);
      }
    }
  }

  /** Until the container ends, or the engine does. */
  async #readOnce(signal: AbortSignal): Promise<void> {
    const { engine, containerId, clock } = this.#options;
    // What has been taken of the last time is passed over: the engine tells from that time on.
    let skip = this.#place?.taken ?? 0;
    const skipTime = this.#place?.time;
    const stream = await engine.logs(containerId, this.#place === undefined ? undefined : sinceOf(this.#place.time));
    const stop = (): void => void stream.destroy();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const frames = new FrameSplitter();
    const budget = new Budget(clock);
    try {
      for await (const chunk of stream) {
        for (const frame of frames.push(chunk as Uint8Array)) {
          if (skip > 0 && timeOf(frame) === skipTime) skip -= 1;
          else this.#take(frame);
        }
        if (this.#place !== undefined) this.#mark(this.#place);
        await budget.spend((chunk as Uint8Array).length, signal);
        if (signal.aborted) return;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      stream.destroy();
    }
  }

  #take(frame: Frame): void {
    const time = timeOf(frame);
    const piece = frame.payload.subarray(time.length + 1).toString('utf8');
    const isEnd = piece.endsWith('\n');
    const text = piece.replace(/\r?\n$/, '');
    const isRest = this.#cut.has(frame.stream);
    if (isEnd) this.#cut.delete(frame.stream);
    else this.#cut.add(frame.stream);
    this.#place = { time, taken: this.#place?.time === time ? this.#place.taken + 1 : 1 };
    // The end of a line that was exactly as long as a piece.
    if (isRest && text === '') return;
    this.#tail.push(text);
    if (this.#tail.length > tailLines) this.#tail.shift();
    this.#options.emit(frame.stream, text);
  }

  #mark({ time, taken }: LogPlace): void {
    this.#options.marks.write(markName(this.#options.containerId), `${time} ${taken}`);
  }
}

/** Bytes a second. */
class Budget {
  readonly #clock: Clock;
  #fromMs: number;
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#fromMs = clock.elapsed();
  }

  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes < maxLogBytesPerSecond) return;
    const restMs = this.#fromMs + 1000 - this.#clock.elapsed();
    if (restMs > 0) await this.#clock.wait(restMs, signal);
    this.#fromMs = this.#clock.elapsed();
    this.#bytes = 0;
  }
}

function markName(containerId: string): string {
  return `log-${containerId}`;
}

/** `2026-01-02T03:04:05.123456789Z` at the begin of every frame. */
function timeOf({ payload }: Frame): string {
  return payload.subarray(0, Math.max(0, payload.indexOf(0x20))).toString('latin1');
}

/** The engine’s form of a time: seconds and nanoseconds. */
export function sinceOf(time: string): string {
  const [seconds = '', fraction = ''] = time.replace(/Z$/, '').split('.');
  return `${Math.floor(Date.parse(`${seconds}Z`) / 1000)}.${fraction.padEnd(9, '0')}`;
}

function readPlace(mark: string | undefined): LogPlace | undefined {
  const [time, taken] = (mark ?? '').split(' ');
  if (time === undefined || !Number.isFinite(Date.parse(time))) return undefined;
  return { time, taken: Number(taken) };
}
