/** Forgets old versions in the background: a part at a time, so that no block waits for it. */
import type { LmdbBackend } from './lmdb-backend.ts';
import { oldestToKeep, type PruningPlan } from './pruning.ts';

/** Nodes that are removed at once: a few milliseconds. */
const partSize = 2_000;

export class Pruner {
  readonly #backend: LmdbBackend;
  readonly #plan: PruningPlan;
  readonly #onFailure: (error: unknown) => void;
  readonly #held = new Map<symbol, number>();
  #below = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(backend: LmdbBackend, plan: PruningPlan, onFailure: (error: unknown) => void) {
    this.#backend = backend;
    this.#plan = plan;
    this.#onFailure = onFailure;
  }

  /** Keeps a version, and all after it, until the returned function is called. */
  hold(height: number): () => void {
    const token = Symbol(String(height));
    this.#held.set(token, height);
    return () => void this.#held.delete(token);
  }

  /** Called after each commit; returns at once. */
  committed(height: number): void {
    const oldest = oldestToKeep(this.#plan, height, this.#held.values());
    if (oldest === undefined || oldest <= this.#below) return;
    this.#below = oldest;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Prunes what the plan says as of the latest version, and waits for it. */
  async now(): Promise<void> {
    const { keepRecent } = this.#plan;
    if (keepRecent === undefined) return;
    await this.#backend.settled();
    const below = Math.min(this.#backend.latest - keepRecent, ...this.#held.values());
    // A chain that is younger than what it keeps has nothing to forget.
    if (below <= 0) return;
    this.#below = below;
    await this.#run();
  }

  /** Ends after the part that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped && (await this.#backend.prune(this.#below, partSize)));
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
