/** Committed state in memory: for tests and simulations, with the roots and proofs of the one on disk. */
import { MemoryBackend } from './memory-backend.ts';
import { TreeCommitStore } from './tree-commit-store.ts';

export class MemoryCommitStore extends TreeCommitStore {
  /** @param names of all stores, as the modules declare them */
  constructor(names: readonly string[]) {
    super(new MemoryBackend(), names);
  }
}
