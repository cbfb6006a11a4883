/** A stored version of a tree as a store that can only be read. */
import type { KVStore } from '../store/kv-store.ts';
import { fromMapKey, toMapKey } from '../store/sorted-map.ts';
import type { Node } from './node.ts';
import type { NodeSource } from './node-cache.ts';
import type { TreeRoot } from './tree.ts';
import { findLeaf, leavesBetween } from './walk.ts';

export class TreeReader implements KVStore {
  readonly #source: NodeSource;
  readonly #root: Node | undefined;

  constructor(source: NodeSource, { id }: TreeRoot) {
    this.#source = source;
    this.#root = id === 0 ? undefined : source.node(id);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#root === undefined ? undefined : findLeaf(this.#source, this.#root, toMapKey(key))?.value;
  }

  has(key: Uint8Array): boolean {
    return this.get(key) !== undefined;
  }

  set(): never {
    throw new Error('a committed version is not written to');
  }

  delete(): never {
    throw new Error('a committed version is not written to');
  }

  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    if (this.#root === undefined) return;
    const low = start === undefined ? undefined : toMapKey(start);
    const high = end === undefined ? undefined : toMapKey(end);
    for (const leaf of leavesBetween(this.#source, this.#root, { low, high, reverse })) {
      yield [fromMapKey(leaf.key), leaf.value as Uint8Array];
    }
  }
}
