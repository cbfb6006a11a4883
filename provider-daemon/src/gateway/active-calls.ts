/** Requests under way: ends those whose client sends its body, or takes its answer, too slowly. */
import { refusals, refuse } from './answers.ts';
import type { Call } from './call.ts';
import type { GatewayLimits } from './limits.ts';

type RateLimits = Pick<GatewayLimits, 'bodyIntervalMs' | 'bodyIntervalBytes' | 'stallMs'>;

interface Watched {
  /** Bytes of the body when the interval began. */
  received: number;
  intervalSince: number;
  given: number;
  /** Bytes that waited for the client. */
  left: number;
  stalledSince: number | undefined;
}

export class ActiveCalls {
  readonly #limits: RateLimits;
  readonly #now: () => number;
  readonly #calls = new Map<Call, Watched>();

  constructor(limits: RateLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Watches a call until it closes. */
  add(call: Call): void {
    this.#calls.set(call, { received: 0, intervalSince: this.#now(), given: 0, left: 0, stalledSince: undefined });
    call.onClose(() => this.#calls.delete(call));
  }

  sweep(): void {
    const now = this.#now();
    for (const [call, watched] of [...this.#calls]) {
      if (this.#sendsTooSlowly(call, watched, now)) {
        call.last = true;
        refuse(call, refusals.tooSlow);
      } else if (this.#takesNothing(call, watched, now)) call.cut();
    }
  }

  /** Only where we wait for the body: not where we hold it back, nor where the workload has begun to answer already. */
  #sendsTooSlowly(call: Call, watched: Watched, now: number): boolean {
    const waits = call.hasBody && !call.bodyComplete && call.status === 0 && call.body.readableFlowing === true;
    if (!waits) {
      watched.intervalSince = now;
      watched.received = call.bodyBytes;
      return false;
    }
    if (now - watched.intervalSince < this.#limits.bodyIntervalMs) return false;
    const isSlow = call.bodyBytes - watched.received < this.#limits.bodyIntervalBytes;
    watched.intervalSince = now;
    watched.received = call.bodyBytes;
    return isSlow;
  }

  #takesNothing(call: Call, watched: Watched, now: number): boolean {
    const { writableLength } = call.output;
    const hasMoved = watched.given !== call.answerBytes || watched.left !== writableLength;
    watched.given = call.answerBytes;
    watched.left = writableLength;
    if (call.status === 0 || !call.isHeldUp || hasMoved) {
      watched.stalledSince = undefined;
      return false;
    }
    watched.stalledSince ??= now;
    return now - watched.stalledSince >= this.#limits.stallMs;
  }
}
