/** Stored nodes by id: those used lately are kept in memory, at most as many as configured. */
import type { Node, NodeId } from './node.ts';
import { readRecord } from './record.ts';

/** Where stored nodes are. */
export interface NodeRecords {
  /** The record of a node; the bytes may be used until the next call. Undefined when there is none. */
  nodeRecord(id: NodeId): Buffer | undefined;
}

/** What looks nodes up by their id. */
export interface NodeSource {
  /** @throws Error when it is not stored: the state is damaged, or the version was pruned */
  node(id: NodeId): Node;
}

/**
 * Two generations: when the young one is full it becomes the old one, and what is not asked for again goes with it. The
 * cost of making room is one node a lookup, never a walk over all.
 */
export class NodeCache implements NodeSource {
  readonly #records: NodeRecords;
  readonly #capacity: number;
  #young = new Map<NodeId, Node>();
  #old = new Map<NodeId, Node>();
  hits = 0;
  misses = 0;

  /** @param capacity nodes at most, both generations together */
  constructor(records: NodeRecords, capacity: number) {
    this.#records = records;
    this.#capacity = Math.max(2, Math.floor(capacity / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  node(id: NodeId): Node {
    const young = this.#young.get(id);
    if (young !== undefined) {
      this.hits += 1;
      return young;
    }
    let node = this.#old.get(id);
    if (node === undefined) {
      this.misses += 1;
      const record = this.#records.nodeRecord(id);
      if (record === undefined) throw new Error(`node ${id} of the state is missing`);
      node = readRecord(id, record);
    } else {
      this.hits += 1;
      this.#old.delete(id);
    }
    this.put(node);
    return node;
  }

  /** Keeps a node that was just stored. */
  put(node: Node): void {
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(node.id, node);
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
  }
}
