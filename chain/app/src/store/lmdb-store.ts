/** The committed state of a node: trees and flat values over LMDB, with old versions as the plan says. */

import type { CommitInfo } from '@mu/framework/store/commit-store';
import type { Change } from '@mu/framework/store/kv-store';
import type { VersionRecord } from '@mu/framework/store/state-backend';
import { TreeCommitStore, type TreeStoreOptions } from '@mu/framework/store/tree-commit-store';
import { type ImportBatch, LmdbBackend, type StateStep } from './lmdb-backend.ts';
import { Pruner } from './pruner.ts';
import type { PruningPlan } from './pruning.ts';

export interface LmdbStoreOptions extends TreeStoreOptions {
  /** nothing is pruned where it is left out */
  readonly pruning?: PruningPlan;
  /** told of each point between writes; tests end the process there */
  readonly onStep?: (step: StateStep) => void;
  /** learns of a background work that failed */
  readonly onFailure?: (error: unknown) => void;
}

export class LmdbCommitStore extends TreeCommitStore {
  readonly #backend: LmdbBackend;
  readonly #pruner: Pruner;

  /**
   * @param path the folder, created where it is missing
   * @param names of all stores, as the modules declare them
   * @throws StateFolderError when the folder is of another format
   */
  constructor(path: string, names: readonly string[], options: LmdbStoreOptions = {}) {
    const backend = new LmdbBackend(path, options.onStep);
    super(backend, names, options);
    this.#backend = backend;
    const plan = options.pruning ?? { keepRecent: undefined, interval: 0 };
    this.#pruner = new Pruner(backend, plan, options.onFailure ?? (() => undefined));
  }

  /** The oldest version that is kept; 0 before the first. */
  get oldest(): number {
    return this.#backend.oldest;
  }

  /** What the files hold, for metrics. */
  get figures(): LmdbBackend['figures'] {
    return this.#backend.figures;
  }

  override commit(height: bigint, changes: readonly Change[], note?: Uint8Array): CommitInfo {
    const info = super.commit(height, changes, note);
    this.#pruner.committed(Number(height));
    return info;
  }

  /** Keeps a version from being pruned until the returned function is called. */
  hold(height: bigint): () => void {
    return this.#pruner.hold(Number(height));
  }

  /** Prunes what the plan says as of now, and waits for it. */
  prune(): Promise<void> {
    return this.#pruner.now();
  }

  /**
   * Takes back every version above a height.
   * @throws AbciError invalid height (26) when that version is not kept
   */
  async rollback(height: bigint): Promise<CommitInfo> {
    await this.settled();
    this.#backend.rollback(Number(height), [...this.changesBetween(this.last.height, height)]);
    this.refresh();
    return this.last;
  }

  /** @throws StateFolderError when the folder holds a state */
  beginImport(names: readonly string[]): void {
    this.#backend.beginImport(names);
  }

  /** A part of a state that comes from elsewhere; no version has it before `finishImport`. */
  importBatch(batch: ImportBatch): Promise<void> {
    return this.#backend.importBatch(batch);
  }

  /** The last part with the version that they make, which is the store's latest from now on. */
  async finishImport(batch: ImportBatch, height: number, version: VersionRecord): Promise<void> {
    await this.#backend.finishImport(batch, height, version);
    this.refresh();
  }

  /** Erases what an import that was not finished has left. */
  dropImport(): void {
    this.#backend.dropImport();
  }

  /** Waits until every commit is in the files. @throws Error when a write failed */
  settled(): Promise<void> {
    return this.#backend.settled();
  }

  async close(): Promise<void> {
    await this.#pruner.stop();
    await this.#backend.close();
  }
}
