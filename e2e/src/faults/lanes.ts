/** Faults that are tried several at a time, since each of them waits for blocks and for the engine most of the time. */
import { World } from './world.ts';

/** One fault. */
export interface Job<T> {
  readonly name: string;
  /** @param world gives the lane's, which is to be left as it was */
  run(world: () => Promise<World>): Promise<T>;
}

interface Pending<T> {
  readonly job: Job<T>;
  readonly outcome: PromiseWithResolvers<T>;
}

/**
 * Each lane takes the next job as soon as its last one is over, and has a world of its own for all of them. A job that fails
 * ends no other: its lane goes on in a new world.
 */
export class Lanes<T> {
  readonly #left: readonly Pending<T>[];
  readonly #outcomes: ReadonlyMap<string, Promise<T>>;
  readonly #lanes: readonly Promise<void>[];
  #next = 0;
  #closed = false;

  /** Begins. @param count of lanes */
  constructor(jobs: readonly Job<T>[], count: number) {
    this.#left = jobs.map((job) => ({ job, outcome: Promise.withResolvers<T>() }));
    this.#outcomes = new Map(this.#left.map(({ job, outcome }) => [job.name, outcome.promise]));
    // Whoever asks for it learns of a failure; until then others may fail first.
    for (const { outcome } of this.#left) outcome.promise.catch(() => undefined);
    this.#lanes = Array.from({ length: count }, () => this.#lane());
  }

  /** What came of a job. @throws what the job threw */
  async outcome(name: string): Promise<T> {
    const found = this.#outcomes.get(name);
    if (found === undefined) throw new RangeError(`no job has the name ${name}`);
    return found;
  }

  /** Ends after the jobs that run now, with nothing left behind. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#lanes);
  }

  async #lane(): Promise<void> {
    let world: Promise<World> | undefined;
    const stop = async (): Promise<void> => {
      await (await world?.catch(() => undefined))?.stop();
      world = undefined;
    };
    const here = (): Promise<World> => {
      world ??= World.start();
      return world;
    };
    for (let one = this.#take(); one !== undefined; one = this.#take()) {
      const { job, outcome } = one;
      try {
        outcome.resolve(await job.run(here));
      } catch (error) {
        outcome.reject(error);
        // What a failure has left would fail the next ones too.
        await stop();
      }
    }
    await stop();
  }

  #take(): Pending<T> | undefined {
    if (this.#closed) return undefined;
    this.#next += 1;
    return this.#left[this.#next - 1];
  }
}
