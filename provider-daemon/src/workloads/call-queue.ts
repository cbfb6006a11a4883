/**
 * Calls of one function that wait for an instance. One that cannot be served soon is refused early, so that its caller can
 * turn elsewhere: what counts is how fast calls have ended lately, not how many wait.
 */
import { type Invocation, type InvocationResult, type OutputSink, WorkloadError } from './driver.ts';

export interface QueueLimits {
  /** Calls that wait at most; one more is `busy`. */
  readonly maxQueued: number;
  /** After so long it is decided whether a call waits on; one that will not be served soon is `busy`. In ms. */
  readonly patienceMs: number;
  /** Soon: expected within so long. In ms. */
  readonly soonMs: number;
  /** A call that has waited so long is `busy`, whatever was expected. In ms. */
  readonly maxQueuedMs: number;
}

/** What a function's waiting calls may hope for. */
export interface Outlook {
  /** Instances that will be ready before long: so many calls wait for one each. */
  readonly starting: number;
  /** The function begins to be called: whoever has come with the first call waits with it. */
  readonly isFresh: boolean;
  /** Calls that end in a millisecond; 0: none of those that run seems to end. */
  readonly rate: number;
  /** All that could serve is held by calls that seem not to end at all: a call need not wait to be told. */
  readonly isStuck: boolean;
}

export interface WaitingCall {
  readonly invocation: Invocation;
  readonly output: OutputSink;
  readonly settle: PromiseWithResolvers<InvocationResult>;
}

interface Entry extends WaitingCall {
  readonly since: number;
  timer: NodeJS.Timeout | undefined;
  /** Takes away its timer and its listener. */
  leave(): void;
}

export class CallQueue {
  readonly #limits: QueueLimits;
  readonly #outlook: () => Outlook;
  readonly #entries: Entry[] = [];

  constructor(limits: QueueLimits, outlook: () => Outlook) {
    this.#limits = limits;
    this.#outlook = outlook;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** @throws WorkloadError (rejects) `busy`, `canceled`, or what `reject` was given */
  add(invocation: Invocation, output: OutputSink): Promise<InvocationResult> {
    if (invocation.signal?.aborted === true) return Promise.reject(canceled());
    const { starting, isStuck } = this.#outlook();
    if (isStuck) return Promise.reject(busy('the calls that run do not come to an end'));
    // For each instance that starts one call has its place already.
    const most = this.#limits.maxQueued + starting;
    if (this.size >= most) return Promise.reject(busy(`${this.size} calls are waiting already`));
    const settle = Promise.withResolvers<InvocationResult>();
    const onAbort = () => this.#drop(entry, canceled());
    const entry: Entry = {
      ...{ invocation, output, settle, timer: undefined, since: performance.now() },
      leave() {
        clearTimeout(entry.timer);
        invocation.signal?.removeEventListener('abort', onAbort);
      },
    };
    invocation.signal?.addEventListener('abort', onAbort, { once: true });
    entry.timer = setTimeout(() => this.#decide(entry, true), this.#limits.patienceMs);
    this.#entries.push(entry);
    return settle.promise;
  }

  /** The one that has waited for longest; it waits no more. */
  next(): WaitingCall | undefined {
    const entry = this.#entries.shift();
    entry?.leave();
    return entry;
  }

  reject(error: WorkloadError): void {
    for (const entry of this.#entries.splice(0)) {
      entry.leave();
      entry.settle.reject(error);
    }
  }

  /** The first time it is decided for good, unless the calls before it do not come to an end. */
  #decide(entry: Entry, isFirst: boolean): void {
    const { maxQueuedMs, patienceMs, soonMs } = this.#limits;
    const { starting, isFresh, rate } = this.#outlook();
    const before = this.#entries.indexOf(entry);
    const waitMs = rate === 0 ? Number.POSITIVE_INFINITY : isFirst ? (before + 1) / rate : 0;
    const hasHope = before < starting || isFresh || waitMs <= soonMs;
    const waited = performance.now() - entry.since;
    if (!hasHope || waited >= maxQueuedMs) this.#drop(entry, busy(`no instance was free for ${Math.round(waited)} ms`));
    else entry.timer = setTimeout(() => this.#decide(entry, false), patienceMs);
  }

  #drop(entry: Entry, error: WorkloadError): void {
    const at = this.#entries.indexOf(entry);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    entry.leave();
    entry.settle.reject(error);
  }
}

/** What a call is expected to take before any has ended, in ms. */
const firstMs = 10;
/** Weight of the newest call in the mean. */
const newest = 0.2;
/** A call counts as one that ends until it has run so much longer than others do. */
const overdueFactor = 3;

/** How fast a function's calls end. */
export class CallPace {
  readonly #leastMs: number;
  #meanMs = firstMs;

  /** @param leastMs what runs for no longer is never overdue */
  constructor(leastMs: number) {
    this.#leastMs = leastMs;
  }

  /** A call has ended, in whatever way, after so long. */
  ended(ms: number): void {
    this.#meanMs += newest * (ms - this.#meanMs);
  }

  /** Calls that end in a millisecond. @param runningMs how long each instance has run its call; 0: it runs none */
  rate(runningMs: readonly number[]): number {
    return runningMs.filter((ms) => !this.isOverdue(ms, this.#leastMs)).length / Math.max(this.#meanMs, 0.01);
  }

  /** Whether a call runs longer than others do, and longer than `leastMs`. */
  isOverdue(runningMs: number, leastMs: number): boolean {
    return runningMs > Math.max(this.#meanMs * overdueFactor, leastMs);
  }
}

export function canceled(): WorkloadError {
  return new WorkloadError('canceled', 'the caller is gone');
}

function busy(why: string): WorkloadError {
  return new WorkloadError('busy', why);
}
