/** Takes snapshots on a thread of its own, one at a time; the thread is started with the first. */
import { Worker } from 'node:worker_threads';
import type { TakenSnapshot } from './take.ts';

export interface SnapshotThreadOptions {
  /** the folder of the state */
  readonly state: string;
  /** of all stores */
  readonly names: readonly string[];
  /** the folder of snapshots */
  readonly snapshots: string;
  readonly chunkBytes?: number | undefined;
}

/** The height of which a snapshot is to be taken. */
export type Order = bigint;
export type Answer = { readonly snapshot: TakenSnapshot } | { readonly problem: string };

/** Where a snapshot is taken. */
export interface SnapshotTaker {
  /**
   * @param height of a version that is in the files and stays until this is over
   * @throws Error that says why there is none
   */
  take(height: bigint): Promise<TakenSnapshot>;
  close(): Promise<void>;
}

export class SnapshotThread implements SnapshotTaker {
  readonly #options: SnapshotThreadOptions;
  #worker: Worker | undefined;
  #waiting: PromiseWithResolvers<TakenSnapshot> | undefined;

  constructor(options: SnapshotThreadOptions) {
    this.#options = options;
  }

  take(height: bigint): Promise<TakenSnapshot> {
    if (this.#waiting !== undefined) return Promise.reject(new Error('a snapshot is being taken'));
    this.#worker ??= this.#start();
    this.#waiting = Promise.withResolvers<TakenSnapshot>();
    this.#worker.postMessage(height satisfies Order);
    return this.#waiting.promise;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./snapshot-worker.ts', import.meta.url), { workerData: this.#options });
    worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if ('snapshot' in answer) waiting?.resolve(answer.snapshot);
      else waiting?.reject(new Error(answer.problem));
    });
    worker.on('error', (error) => this.#lost(error));
    worker.on('exit', () => this.#lost(new Error('the thread that takes snapshots ended')));
    return worker;
  }

  #lost(error: unknown): void {
    this.#worker = undefined;
    this.#waiting?.reject(error instanceof Error ? error : new Error(String(error)));
    this.#waiting = undefined;
  }
}
