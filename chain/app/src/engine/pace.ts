/** When blocks are made: by the clock, as transactions arrive, or when told to. */

export type BlockTiming =
  /** A block every so many milliseconds, from the beginning of one to the beginning of the next; empty ones too. */
  | { mode: 'timed'; intervalMs: number }
  /** A block as soon as a transaction waits, with all that wait by then; and a first one, so that there is a height. */
  | { mode: 'instant' }
  /** Only by `advance`. */
  | { mode: 'manual' };

/** An instant block that took none of the waiting transactions is followed by the next one only after this. */
const stuckDelayMs = 250;

export class BlockPace {
  readonly #timing: BlockTiming;
  readonly #produce: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #isMaking = false;
  /** Instant mode: what to do when the block being made is done. */
  #next: 'nothing' | 'soon' | 'later' = 'nothing';
  #isRunning = false;
  #startedAtMs = 0;

  /** @param produce makes one block; it never rejects */
  constructor(timing: BlockTiming, produce: () => Promise<void>) {
    this.#timing = timing;
    this.#produce = produce;
  }

  /** @param isFirst no block was ever made */
  start(isFirst: boolean): void {
    this.#isRunning = true;
    if (this.#timing.mode === 'timed') this.#schedule(0);
    if (this.#timing.mode === 'instant' && isFirst) this.#soon();
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
  }

  txArrived(): void {
    if (this.#timing.mode !== 'instant') return;
    this.#next = 'soon';
    if (!this.#isMaking) this.#soon();
  }

  /**
   * @param isWaiting transactions still wait
   * @param hasMoved the block took some of those that waited before it, or none did
   */
  blockMade(isWaiting: boolean, hasMoved: boolean): void {
    if (this.#timing.mode !== 'instant' || !isWaiting) return;
    this.#next = hasMoved ? 'soon' : 'later';
    if (!this.#isMaking) this.#goOn();
  }

  #goOn(): void {
    if (this.#next === 'soon') this.#soon();
    if (this.#next === 'later') this.#schedule(stuckDelayMs);
  }

  /** After the events that are already there, so that transactions of one moment share a block. */
  #soon(): void {
    if (!this.#isRunning || this.#immediate !== undefined) return;
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      void this.#run();
    });
  }

  #schedule(delayMs: number): void {
    if (!this.#isRunning) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), delayMs);
  }

  async #run(): Promise<void> {
    if (!this.#isRunning || this.#isMaking) return;
    this.#isMaking = true;
    this.#next = 'nothing';
    this.#startedAtMs = performance.now();
    await this.#produce();
    this.#isMaking = false;
    if (this.#timing.mode === 'instant') this.#goOn();
    if (this.#timing.mode !== 'timed') return;
    const spentMs = performance.now() - this.#startedAtMs;
    this.#schedule(Math.max(0, this.#timing.intervalMs - spentMs));
  }
}
