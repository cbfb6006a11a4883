/** Keeps the picture of the engine: its events, and all read anew whenever it was away. */
import { backOffMs } from '../../back-off.ts';
import type { Clock } from './clock.ts';
import { type Engine, EngineError, type EngineEvent } from './engine.ts';
import { label } from './names.ts';

const reconnect = { first: 100, most: 5_000 };
/** Everything is read again this often: no missed event stands for ever, and an engine that hangs is noticed. */
const reviewEveryMs = 30_000;

export interface EngineWatchOptions {
  readonly engine: Engine;
  readonly provider: string;
  readonly clock: Clock;
  readonly onEvent: (event: EngineEvent) => void;
  /** Reads everything anew. @throws EngineError where the engine is away */
  readonly onReview: () => Promise<void>;
  /** The engine went away (with why), or is back (undefined). */
  readonly onChange: (why: string | undefined) => void;
}

export class EngineWatch {
  readonly #options: EngineWatchOptions;
  readonly #close = new AbortController();
  readonly #running: Promise<unknown>;
  #goneSinceMs: number | undefined;

  constructor(options: EngineWatchOptions) {
    this.#options = options;
    this.#running = Promise.all([this.#follow(), this.#review()]);
  }

  /** Since when the engine has not answered, in ms since 1970. */
  get goneSinceMs(): number | undefined {
    return this.#goneSinceMs;
  }

  async close(): Promise<void> {
    this.#close.abort();
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { engine, provider, clock, onEvent } = this.#options;
    const { signal } = this.#close;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const events = await engine.events(`${label.provider}=${provider}`, signal);
        // Only now: what happens while everything is read is told by an event.
        await this.#read();
        attempt = 0;
        for await (const event of events) onEvent(event);
        throw new EngineError(`the container engine at ${engine.endpoint} ended the stream of its events`);
      } catch (error) {
        if (signal.aborted) return;
        this.#lost(error as Error);
        await clock.wait(backOffMs(attempt, reconnect), signal);
      }
    }
  }

  async #review(): Promise<void> {
    const { signal } = this.#close;
    while (!signal.aborted) {
      await this.#options.clock.wait(reviewEveryMs, signal);
      if (signal.aborted) return;
      await this.#read().catch((error: Error) => this.#lost(error));
    }
  }

  async #read(): Promise<void> {
    await this.#options.onReview();
    if (this.#goneSinceMs === undefined) return;
    this.#goneSinceMs = undefined;
    this.#options.onChange(undefined);
  }

  #lost(error: Error): void {
    if (this.#close.signal.aborted || this.#goneSinceMs !== undefined) return;
    this.#goneSinceMs = this.#options.clock.now();
    this.#options.onChange(error.message);
  }
}
