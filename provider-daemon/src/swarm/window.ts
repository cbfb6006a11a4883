/**
 * How many pieces go side by side. One at a time spreads a piece soonest (its receiver can hand it on), more are needed
 * where the other side is the slower one. So: one more while more do not slow each other down, fewer when they do.
 */
import { slowTimes } from './limits.ts';

export interface WindowOptions {
  readonly least: number;
  readonly most: number;
  /** by how much an undisturbed piece widens it */
  readonly step: number;
}

/** Up to this much more than the shortest time is undisturbed. */
const undisturbed = 1.25;
/** From this much more on, pieces hinder one another. */
const hindered = 1.75;
/** By so much the shortest time grows with each piece, so that a network that has become slower is learnt. */
const forgetting = 1.01;
/** The weight of a new time in the usual one. */
const weight = 0.2;

export class Window {
  readonly #options: WindowOptions;
  #size: number;
  #shortestMs = Number.POSITIVE_INFINITY;
  #usualMs: number | undefined;

  constructor(options: WindowOptions) {
    this.#options = options;
    this.#size = options.least;
  }

  /** Pieces that may go side by side. */
  get size(): number {
    return Math.floor(this.#size);
  }

  /** A full piece took so long. */
  sample(tookMs: number): void {
    const { least, most, step } = this.#options;
    const ms = Math.max(tookMs, 1);
    this.#shortestMs = Math.min(this.#shortestMs * forgetting, ms);
    this.#usualMs = this.#usualMs === undefined ? ms : this.#usualMs + weight * (ms - this.#usualMs);
    if (ms <= undisturbed * this.#shortestMs) this.#size = Math.min(most, this.#size + step);
    else if (ms > hindered * this.#shortestMs) this.#size = Math.max(least, this.#size - 2 * step);
  }

  /** The time after which a piece counts as slow: `slowTimes` times the usual one, at least `leastMs`. */
  slowAfterMs(leastMs: number): number {
    return Math.max(leastMs, slowTimes * (this.#usualMs ?? 0));
  }

  /** True for a piece that takes so long that it should not hold up others. */
  isHeldUp(ageMs: number): boolean {
    return ageMs > undisturbed * this.#shortestMs;
  }
}
