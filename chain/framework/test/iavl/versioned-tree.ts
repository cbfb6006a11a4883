/** A tree with its versions over nodes in memory: what the vectors and the differential run drive. */

import type { Node, NodeId } from '@mu/framework/iavl/node';
import { NodeCache } from '@mu/framework/iavl/node-cache';
import { proveAbsenceInEmpty, proveKey } from '@mu/framework/iavl/proof';
import { recordLength, writeRecord } from '@mu/framework/iavl/record';
import { emptyTree, IavlTree, type TreeRoot } from '@mu/framework/iavl/tree';
import { TreeReader } from '@mu/framework/iavl/tree-reader';
import { postOrder } from '@mu/framework/iavl/walk';
import type { CommitmentProof } from 'cosmjs-types/cosmos/ics23/v1/proofs';

interface Version {
  readonly root: TreeRoot;
  /** the first id that no node of this or an earlier version has */
  readonly nextId: NodeId;
  /** nodes of earlier versions that this one no longer has */
  readonly orphans: readonly NodeId[];
}

/** As small as a cache of real nodes would be under pressure, so that records are read again and again. */
const cacheNodes = 512;

export class VersionedTree {
  readonly #records = new Map<NodeId, Buffer>();
  readonly #versions = new Map<number, Version>();
  #cache: NodeCache;
  #tree: IavlTree;
  #nextId: NodeId = 1;
  #last: number;

  /** @param initialVersion the number of the first version that is saved */
  constructor(initialVersion = 1) {
    this.#last = initialVersion - 1;
    this.#cache = this.#newCache();
    this.#tree = new IavlTree(this.#cache);
  }

  /** The working version. */
  get tree(): IavlTree {
    return this.#tree;
  }

  get last(): number {
    return this.#last;
  }

  /** The oldest version that is kept. */
  get first(): number {
    const [first = this.#last] = this.#versions.keys();
    return first;
  }

  /** Nodes of all versions that are kept. */
  get records(): number {
    return this.#records.size;
  }

  save(): Uint8Array {
    const version = this.#last + 1;
    const { root, orphans } = this.#tree.save(version, { add: (node) => this.#store(node) });
    this.#versions.set(version, { root, nextId: this.#nextId, orphans: [...orphans] });
    this.#last = version;
    this.#tree.settle(root);
    return root.hash;
  }

  /** Opens the last version from its records alone. */
  reload(): TreeRoot {
    this.#cache = this.#newCache();
    const root = this.#versions.get(this.#last)?.root ?? emptyTree;
    this.#tree = new IavlTree(this.#cache, root);
    return root;
  }

  /** Goes back to a version for good. */
  goBackTo(version: number): TreeRoot {
    for (let later = version + 1; later <= this.#last; later += 1) this.#versions.delete(later);
    const { nextId } = this.#version(version);
    for (let id = nextId; id < this.#nextId; id += 1) this.#records.delete(id);
    this.#nextId = nextId;
    this.#last = version;
    return this.reload();
  }

  /** Drops the versions up to one, and the nodes that no later version has. */
  prune(version: number): void {
    for (let old = this.first; old <= version; old += 1) {
      this.#versions.delete(old);
      for (const id of this.#version(old + 1).orphans) {
        if (!this.#records.delete(id)) throw new Error(`node ${id} was dropped twice, or never stored`);
      }
    }
  }

  rootAt(version: number): Uint8Array {
    return this.#version(version).root.hash;
  }

  get(version: number, key: Uint8Array): Uint8Array | undefined {
    return new TreeReader(this.#cache, this.#version(version).root).get(key);
  }

  /** Keys and values of a version, ascending. */
  pairs(version: number): IterableIterator<[Uint8Array, Uint8Array]> {
    return new TreeReader(this.#cache, this.#version(version).root).iterate();
  }

  prove(version: number, key: Uint8Array): CommitmentProof {
    const { id } = this.#version(version).root;
    return id === 0 ? proveAbsenceInEmpty(key) : proveKey(this.#cache, this.#cache.node(id), key);
  }

  /** The nodes of a version in the order of cosmos/iavl's exporter. */
  *nodes(version: number): IterableIterator<Node> {
    const { id } = this.#version(version).root;
    if (id !== 0) yield* postOrder(this.#cache, this.#cache.node(id));
  }

  #version(version: number): Version {
    const known = this.#versions.get(version);
    if (known === undefined) throw new Error(`version ${version} is not kept`);
    return known;
  }

  #store(node: Node): void {
    node.id = this.#nextId;
    this.#nextId += 1;
    const record = Buffer.alloc(recordLength(node));
    writeRecord(record, 0, node);
    this.#records.set(node.id, record);
    if (node.height > 0) this.#cache.put(node.id, record);
  }

  #newCache(): NodeCache {
    return new NodeCache({ nodeRecord: (id) => this.#records.get(id) }, cacheNodes);
  }
}
