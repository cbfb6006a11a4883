/** After the disk has refused something nothing is asked for, for a while: the same would come to nothing again. */
import { ManifestError } from '@mu/client/manifest/errors';
import type { ExchangeOptions } from './exchange-options.ts';

export class DiskHold {
  readonly #options: Pick<ExchangeOptions, 'timers' | 'events'>;
  readonly #holdMs: number;
  #notBeforeMs = 0;

  constructor(options: Pick<ExchangeOptions, 'timers' | 'events'>, holdMs: number) {
    this.#options = options;
    this.#holdMs = holdMs;
  }

  get isHeldUp(): boolean {
    return this.#options.timers.now() < this.#notBeforeMs;
  }

  /** Told once, however many writes fail together. */
  fails(error: unknown): void {
    if (this.isHeldUp) return;
    this.#notBeforeMs = this.#options.timers.now() + this.#holdMs;
    const what = error instanceof ManifestError ? error.message : `the disk takes it not: ${(error as Error).message}`;
    this.#options.events.trouble(`${what}; it is tried again in ${this.#holdMs / 1000} s`);
  }
}
