/** Memory for pieces that are read to be checked: a bound on it, however many manifests and files are checked at once. */

export class PieceBuffers {
  readonly #most: number;
  readonly #bytes: number;
  readonly #waiting: (() => void)[] = [];
  #live = 0;
  #peak = 0;

  /** @param most buffers at a time @param bytes of each */
  constructor(most: number, bytes: number) {
    this.#most = most;
    this.#bytes = bytes;
  }

  /** Buffers in use at this moment. */
  get live(): number {
    return this.#live;
  }

  /** The most that were in use at a time. */
  get peak(): number {
    return this.#peak;
  }

  /** Lends a buffer for as long as the work takes; waits while all are lent. What is in it at first means nothing. */
  async use<T>(work: (buffer: Uint8Array) => Promise<T>): Promise<T> {
    // Whoever gives one back hands its place on, so that nobody comes between.
    if (this.#live === this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#live += 1;
    this.#peak = Math.max(this.#peak, this.#live);
    try {
      return await work(Buffer.allocUnsafeSlow(this.#bytes));
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#live -= 1;
      else next();
    }
  }
}
