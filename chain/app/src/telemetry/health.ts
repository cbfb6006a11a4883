/** Whether a node does what it is there for: blocks come, and nothing has ended it. */

export interface Health {
  readonly ok: boolean;
  /** why not; empty when all is well */
  readonly reason: string;
  /** of the last block committed since the start; 0 before it */
  readonly height: number;
  readonly block_age_ms: number;
}

export interface PulseOptions {
  /** milliseconds of a clock that only goes forward */
  readonly now: () => number;
  /** 0: the age of the last block says nothing, as where blocks are made on demand */
  readonly maxBlockAgeMs: number;
}

/** Feels the blocks of a node. */
export class Pulse {
  readonly #options: PulseOptions;
  #lastAt: number;
  #height = 0n;
  #failure: Error | undefined;

  constructor(options: PulseOptions) {
    this.#options = options;
    // A node that has just started has as long as one that has just made a block.
    this.#lastAt = options.now();
  }

  committed(height: bigint): void {
    this.#height = height;
    this.#lastAt = this.#options.now();
  }

  failed(error: Error): void {
    this.#failure ??= error;
  }

  health(): Health {
    const age = Math.round(this.#options.now() - this.#lastAt);
    const reason = this.#failure?.message ?? this.#lateness(age);
    return { ok: reason === '', reason, height: Number(this.#height), block_age_ms: age };
  }

  #lateness(age: number): string {
    const { maxBlockAgeMs } = this.#options;
    if (maxBlockAgeMs === 0 || age <= maxBlockAgeMs) return '';
    const since = this.#height === 0n ? 'since the start' : `after block ${this.#height}`;
    return `no block was committed for ${age} ms ${since}, more than telemetry.max_block_age_ms (${maxBlockAgeMs})`;
  }
}
