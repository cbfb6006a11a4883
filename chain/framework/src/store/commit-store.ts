/** Committed state: what a block leaves behind, and the hash that validators agree on. */
import type { ProofOps } from 'cosmjs-types/tendermint/crypto/proof';
import { sha256 } from '../hash.ts';
import type { Change, MultiStore } from './kv-store.ts';

/** What is kept beside the stores, in the same atomic write. */
export interface CommitInfo {
  /** of the last committed block; 0 before the first */
  readonly height: bigint;
  readonly appHash: Uint8Array;
}

/** A value at a committed height, with its proof where one was asked for. */
export interface StoredValue {
  /** undefined: the key is absent, and the proof says so */
  readonly value: Uint8Array | undefined;
  readonly height: bigint;
  /** `ics23:iavl` and `ics23:simple`, to the app hash that stands in the header of height + 1 */
  readonly proof?: ProofOps;
}

/** Stores that are written outside of a block. */
export interface GenesisStores extends MultiStore {
  /** Nothing more is written: all of it can be read from the commit store. */
  end(): void;
}

/**
 * The interface between the application and whatever keeps its state. Reads see the last commit; `workingHash` says what
 * a commit would lead to (FinalizeBlock answers it) and `commit` makes it so, in one atomic write: stores, trees, height
 * and hash together, so that a crash at any moment leaves the state of some block.
 *
 * A tree receives each key that the block touched once, in ascending byte order, with its last value or its removal; a
 * key set to its old value counts as touched (design §4; so does the SDK's cachekv).
 */
export interface CommitStore extends MultiStore {
  readonly last: CommitInfo;
  /**
   * The stores that genesis is written to, of any size: it goes to the files as it comes, and belongs to no version until
   * the first commit, whose changes are laid over it. What was written before is forgotten.
   */
  beginGenesis(): GenesisStores;
  workingHash(height: bigint, changes: readonly Change[]): Uint8Array;
  /** @param note of the application about this block, which no hash covers; found again by `note` */
  commit(height: bigint, changes: readonly Change[], note?: Uint8Array): CommitInfo;
  /** What was noted about a committed block; undefined where nothing was, or the version is not kept. */
  note(height: bigint): Uint8Array | undefined;
  /**
   * All stores as a block left them.
   * @throws AbciError invalid height (26) for a version that is not kept
   */
  at(height: bigint): MultiStore;
  /**
   * Reads a key of a committed version for `store/<name>/key` queries.
   * @param height 0 for the latest
   * @throws AbciError invalid height (26) for a version that is not kept, unknown request (6) for a store that does not
   *   exist, invalid request (18) for a proof at a height whose app hash stands in no header
   */
  read(store: string, key: Uint8Array, height: bigint, prove: boolean): StoredValue;
}

/** The app hash before the first block: SHA-256 of nothing, as the SDK answers InitChain. */
export const emptyAppHash: Uint8Array = sha256(new Uint8Array());
