/** What a store of trees needs of whatever keeps its bytes: memory in tests, LMDB in a node. */
import type { NodeId } from '../iavl/node.ts';
import type { NodeRecords } from '../iavl/node-cache.ts';
import type { StoreRoot } from './commit-info.ts';
import type { Change, KVStore } from './kv-store.ts';

/** A committed version. */
export interface VersionRecord {
  /** of all stores, by name */
  readonly roots: readonly StoreRoot[];
  /** the first id that no node of this or an earlier version has */
  readonly nextId: NodeId;
  /** what the application noted about the block; may be empty */
  readonly note: Uint8Array;
}

/** All that a block leaves. It is written whole or not at all. */
export interface StateBatch {
  readonly height: number;
  readonly version: VersionRecord;
  /** the last values, by store and key, ascending */
  readonly changes: readonly Change[];
  /** records of the new nodes; the first has `firstId`, the others follow */
  readonly firstId: NodeId;
  readonly records: readonly Uint8Array[];
  /** nodes of earlier versions that this one no longer has */
  readonly orphans: readonly NodeId[];
}

/** A part of a first version that is too large for one write. */
export interface StatePart {
  /** by key, ascending; the bytes of one may be used until the next is asked for */
  readonly changes: Iterable<Change>;
  readonly firstId: NodeId;
  readonly records: readonly Uint8Array[];
}

export interface StateBackend extends NodeRecords {
  /** height of the last version; 0 before the first */
  readonly latest: number;
  /** undefined when it was never committed, or was pruned */
  version(height: number): VersionRecord | undefined;
  /** Latest values of a store. Only `write` changes them. */
  flat(store: string): KVStore;
  /**
   * Begins the first version, and erases what an earlier attempt left. Its parts can be read at once, and belong to no
   * version until the first `write`: a crash before that leaves an empty state.
   * @param names of the stores that it writes
   */
  beginFirst(names: readonly string[]): void;
  /** A part of the first version; it is in the files when this returns. */
  putPart(part: StatePart): void;
  /** Reads see the batch at once; when it is on the disk is the backend's matter. */
  write(batch: StateBatch): void;
}
