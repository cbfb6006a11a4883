/**
 * Leave for so many bytes a second, saved up to a burst. What is larger than the burst needs all of it and leaves a debt,
 * so that on the average the rate is kept whatever the sizes.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number | undefined;

  /** @param perSecond bytes; infinite: no limit. @throws RangeError unless both are above 0 */
  constructor(perSecond: number, burst: number) {
    if (!(perSecond > 0 && burst > 0))
      throw new RangeError(`${perSecond} bytes a second, ${burst} at once: both above 0`);
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  has(bytes: number, nowMs: number): boolean {
    return this.readyMs(bytes, nowMs) <= nowMs;
  }

  /** When so many bytes may go. */
  readyMs(bytes: number, nowMs: number): number {
    this.#fill(nowMs);
    const missing = Math.min(bytes, this.#burst) - this.#tokens;
    return missing <= tolerance ? nowMs : nowMs + missing / this.#perMs;
  }

  take(bytes: number, nowMs: number): void {
    this.#fill(nowMs);
    if (this.#perMs !== Number.POSITIVE_INFINITY) this.#tokens -= bytes;
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens === this.#burst;
  }

  #fill(nowMs: number): void {
    const passed = Math.max(0, nowMs - (this.#atMs ?? nowMs));
    this.#atMs = Math.max(nowMs, this.#atMs ?? nowMs);
    if (passed > 0) this.#tokens = Math.min(this.#burst, this.#tokens + passed * this.#perMs);
  }
}

/** Bytes; a time computed from tokens may fall short of them by a rounding. */
const tolerance = 1e-3;
