/** Committed state: what a block leaves behind, and the hash that validators agree on. */

import { utf8 } from '@mu/lib/bytes';
import { sha256 } from '../hash.ts';
import type { Change, MultiStore } from './kv-store.ts';

/** What is kept beside the stores, in the same atomic write. */
export interface CommitInfo {
  /** of the last committed block; 0 before the first */
  readonly height: bigint;
  readonly appHash: Uint8Array;
}

/** A value at a committed height, with a proof where one was asked for. */
export interface StoredValue {
  readonly value: Uint8Array | undefined;
  readonly height: bigint;
}

/**
 * The interface between the application and whatever keeps its state. Reads see the last commit; `workingHash` says what
 * a commit would lead to (FinalizeBlock answers it) and `commit` makes it so, durable and in one atomic write: stores,
 * height and hash together, so that a crash at any moment leaves the state of some block.
 */
export interface CommitStore extends MultiStore {
  readonly last: CommitInfo;
  workingHash(changes: readonly Change[]): Uint8Array;
  commit(height: bigint, changes: readonly Change[]): CommitInfo;
  /**
   * Reads a key of a committed version for `store/<name>/key` queries.
   * @param height 0 for the latest
   * @throws AbciError invalid height (26) for a version that is not kept, not supported (37) for a proof of a store
   *   without one, unknown request (6) for a store that does not exist
   */
  read(store: string, key: Uint8Array, height: bigint, prove: boolean): StoredValue;
  /** Facts of the chain that no block changes, kept under a name; undefined before they are set. */
  constant(name: string): Uint8Array | undefined;
  /** Sets a constant; it is durable with the first commit after it. */
  setConstant(name: string, value: Uint8Array): void;
}

/**
 * The app hash while state is kept flat: SHA-256(previous hash ‖ the block's changes by store and key). Each change is
 * store name, key and value, each behind its length in 4 bytes big-endian; a delete has 0xffffffff for the value's length.
 */
export function changesHash(previous: Uint8Array, changes: readonly Change[]): Uint8Array {
  let total = previous.length;
  for (const change of changes) total += 12 + change.store.length + change.key.length + (change.value?.length ?? 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set(previous);
  let at = previous.length;
  const append = (part: Uint8Array | undefined): void => {
    view.setUint32(at, part?.length ?? 0xffffffff);
    at += 4;
    if (part === undefined) return;
    bytes.set(part, at);
    at += part.length;
  };
  for (const { store, key, value } of changes) {
    append(utf8(store));
    append(key);
    append(value);
  }
  return sha256(bytes);
}

/** The app hash before the first block: SHA-256 of nothing, as the SDK answers InitChain. */
export const emptyAppHash: Uint8Array = sha256(new Uint8Array());
