import type { Timers } from '../../../src/overlay/timers.ts';

/** Time that passes when a test says so. */
export class ManualTimers implements Timers {
  #now = 1_800_000_000_000;
  #due: { at: number; run: () => void }[] = [];

  readonly now = (): number => this.#now;

  readonly after = (ms: number, run: () => void): (() => void) => {
    const entry = { at: this.#now + ms, run };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((one) => one !== entry);
    };
  };

  /** Somebody sets the clock: what waits waits as long as it would have. */
  set(byMs: number): void {
    this.#now += byMs;
    this.#due = this.#due.map((one) => Object.assign(one, { at: one.at + byMs }));
  }

  /** Runs what becomes due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = end;
  }
}
