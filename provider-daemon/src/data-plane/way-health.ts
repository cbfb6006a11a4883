/**
 * What calls have come to by each way: one that has refused is tried last for a while, as load balancers eject what fails.
 * Nobody is asked for it; the calls themselves tell. It is a matter of order alone: nothing is refused because of it.
 */
import { backOffMs } from '../back-off.ts';

export const wayHealthLimits = {
  /** Tried last for so long after a refusal, and twice as long after each one in a row. */
  firstMs: 5000,
  mostMs: 60_000,
  /** A refusal so long after the last one is the first one again: nothing may have been answered in between. */
  forgottenMs: 300_000,
} as const;

/** What one call by a way comes to. */
export interface CallOutcome {
  /** The far side has taken it, and something of it has come back. */
  answered(): void;
  /** The far side does not take it. */
  refused(): void;
}

interface Refusals {
  readonly inRow: number;
  readonly atMs: number;
  readonly lastForMs: number;
}

export class WayHealth {
  readonly #now: () => number;
  /** Ways that are gone are forgotten with the objects that they were. */
  readonly #refusals = new WeakMap<object, Refusals>();

  /** @param now milliseconds of any clock; where it is set back, ways are forgiven early */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Those that have refused lately last, else as they were. */
  inOrder<Way extends object>(ways: readonly Way[]): Way[] {
    const isLast = (way: Way): boolean => this.#isLast(way);
    return [...ways.filter((way) => !isLast(way)), ...ways.filter(isLast)];
  }

  /** A call goes by this way. Of those that were under way at the same time one refusal counts: they tell the same. */
  begin(way: object): CallOutcome {
    const seen = this.#refusals.get(way);
    return {
      answered: () => void this.#refusals.delete(way),
      refused: () => {
        if (this.#refusals.get(way) === seen) this.#refusals.set(way, this.#after(seen));
      },
    };
  }

  #isLast(way: object): boolean {
    const refusals = this.#refusals.get(way);
    if (refusals === undefined) return false;
    const sinceMs = this.#now() - refusals.atMs;
    return sinceMs >= 0 && sinceMs < refusals.lastForMs;
  }

  #after(before: Refusals | undefined): Refusals {
    const { firstMs: first, mostMs: most, forgottenMs } = wayHealthLimits;
    const nowMs = this.#now();
    const inRow = before === undefined || nowMs - before.atMs >= forgottenMs ? 0 : before.inRow;
    return { atMs: nowMs, inRow: inRow + 1, lastForMs: backOffMs(inRow, { first, most }) };
  }
}
