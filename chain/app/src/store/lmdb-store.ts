/** The committed state of a node: trees and flat values over LMDB. */
import { TreeCommitStore } from '@mu/framework/store/tree-commit-store';
import { LmdbBackend } from './lmdb-backend.ts';

export interface LmdbStoreOptions {
  /** nodes of the trees that are kept in memory */
  readonly cacheNodes?: number;
}

export class LmdbCommitStore extends TreeCommitStore {
  readonly #backend: LmdbBackend;

  /**
   * @param path the folder, created where it is missing
   * @param names of all stores, as the modules declare them
   * @throws StateFolderError when the folder is of another format
   */
  constructor(path: string, names: readonly string[], options: LmdbStoreOptions = {}) {
    const backend = new LmdbBackend(path);
    super(backend, names, options);
    this.#backend = backend;
  }

  /** Waits until every commit is in the files. @throws Error when a write failed */
  settled(): Promise<void> {
    return this.#backend.settled();
  }

  async close(): Promise<void> {
    await this.#backend.close();
  }
}
