/**
 * The working version of an IAVL tree: sets and removes with the rotations of cosmos/iavl v1 (mutable_tree.go), so that
 * the same operations lead to the same root.
 */
import { checkKey } from '../store/kv-store.ts';
import { toMapKey } from '../store/sorted-map.ts';
import { innerHash, leafHash, measure, type Node, type NodeId, newInner, newLeaf, setLeft, setRight } from './node.ts';
import type { NodeSource } from './node-cache.ts';
import { findLeaf, hashOf, leftOf, rightOf } from './walk.ts';

/** SHA-256 of nothing: the root of an empty tree. */
const emptyRoot: Uint8Array = Uint8Array.from(
  Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex'),
);

/** A stored version: its root and what it hashes to. */
export interface TreeRoot {
  /** 0 for an empty tree */
  readonly id: NodeId;
  readonly hash: Uint8Array;
}

export const emptyTree: TreeRoot = { id: 0, hash: emptyRoot };

/** Takes the new nodes of a version, children before parents. */
export interface NodeSink {
  /** Stores a node whose version and hashes are known, and gives it its id. */
  add(node: Node): void;
}

/** A key with its new value; no value: it is removed. */
export interface Operation {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** The same with the key as nodes have it. */
interface Write {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

export class IavlTree {
  readonly #source: NodeSource;
  #root: Node | undefined;
  #stored: TreeRoot;
  /** stored nodes that the working version no longer has */
  #orphans: NodeId[] = [];
  /** whether the set under way made a new leaf beside the others: only then do heights and sizes change */
  #inserted = false;

  constructor(source: NodeSource, stored: TreeRoot = emptyTree) {
    this.#source = source;
    this.#stored = stored;
    this.#root = stored.id === 0 ? undefined : source.node(stored.id);
  }

  /** Leaves of the working version. */
  get size(): number {
    return this.#root?.size ?? 0;
  }

  /** The version that was stored last; the working one begins there. */
  get stored(): TreeRoot {
    return this.#stored;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#leafAt(toMapKey(key))?.value;
  }

  has(key: Uint8Array): boolean {
    return this.#leafAt(toMapKey(key)) !== undefined;
  }

  /** @returns whether the key existed. A value equal to the old one makes a new leaf all the same. */
  set(key: Uint8Array, value: Uint8Array): boolean {
    return this.#put(checkedKey(key), value);
  }

  /** @returns whether the key existed; an absent one changes nothing */
  remove(key: Uint8Array): boolean {
    return this.#take(toMapKey(key));
  }

  /**
   * All operations of a block, with the root that one after another would give.
   *
   * Keys that exist are set first, in one walk that meets each node once. That is no other tree: setting them changes no
   * shape, and of two nodes whose order a rotation changes both are new anyway. What adds and removes keys follows, in
   * its order.
   * @param operations each key once, ascending
   */
  apply(operations: readonly Operation[]): void {
    const writes = operations.map(({ key, value }): Write => ({ key: checkedKey(key), value }));
    const others = this.#root === undefined ? writes : this.#update(this.#root, writes);
    for (const { key, value } of others) {
      if (value === undefined) this.#take(key);
      else this.#put(key, value);
    }
  }

  /**
   * Hands over the new nodes that keys above all others will not change: those beside the right edge. A tree that grows in
   * ascending order is stored in parts so, in little memory.
   */
  flush(version: number, sink: NodeSink): void {
    let node = this.#root;
    while (node !== undefined && node.id === 0 && node.height > 0) {
      const { left } = node;
      if (left?.id === 0) {
        node.hashes ??= new Uint8Array(64);
        node.hashes.set(saveNode(left, version, sink), 0);
        node.leftId = left.id;
        node.left = undefined;
      }
      node = node.right;
    }
  }

  /** Drops what was done since the last version was stored. */
  rollback(): void {
    this.settle(this.#stored);
  }

  /** Hashes the new nodes and hands each to the sink. The tree is not stored before `settle`. */
  save(version: number, sink: NodeSink): { readonly root: TreeRoot; readonly orphans: readonly NodeId[] } {
    if (this.#root === undefined) return { root: emptyTree, orphans: this.#orphans };
    // The root may be a stored node that was a child before: its sibling was removed.
    const hash = this.#root.id === 0 ? saveNode(this.#root, version, sink) : hashOf(this.#root);
    return { root: { id: this.#root.id, hash }, orphans: this.#orphans };
  }

  /** The version that `save` made is stored: the next one begins there. */
  settle(root: TreeRoot): void {
    this.#stored = root;
    this.#orphans = [];
    this.#root = root.id === 0 ? undefined : this.#source.node(root.id);
  }

  #leafAt(key: string): Node | undefined {
    return this.#root === undefined ? undefined : findLeaf(this.#source, this.#root, key);
  }

  #put(key: string, value: Uint8Array): boolean {
    this.#inserted = this.#root === undefined;
    this.#root = this.#root === undefined ? newLeaf(key, value) : this.#set(this.#root, key, value);
    return !this.#inserted;
  }

  #take(key: string): boolean {
    // Looked for before, so that the path is not taken apart for nothing.
    if (this.#leafAt(key) === undefined) return false;
    this.#root = this.#remove(this.#root as Node, key).node;
    return true;
  }

  /** A stored node becomes a new one: nobody else has this copy of it. */
  #renew(node: Node): void {
    if (node.id === 0) return;
    this.#orphans.push(node.id);
    node.id = 0;
  }

  /** Sets what exists. @returns the other writes, in their order */
  #update(root: Node, writes: readonly Write[]): Write[] {
    const part: Part = { writes, low: 0, high: writes.length, others: [] };
    if (root.height > 0) this.#updateInner(root, undefined, part);
    else {
      const leaf = leafFor(root.key, part);
      if (leaf !== undefined && root.id !== 0) this.#orphans.push(root.id);
      this.#root = leaf ?? root;
    }
    return part.others;
  }

  /**
   * Sets what exists below an inner node.
   * @param least the least key below the node, where the way down told it; undefined at the left edge of the tree
   * @returns whether something was set: the node is a new one then
   */
  #updateInner(node: Node, least: string | undefined, part: Part): boolean {
    const { writes, low, high, others } = part;
    const middle = firstFrom(writes, node.key, low, high);
    let changed = false;
    if (low < middle) {
      const child = this.#updateChild(node, true, least, { writes, low, high: middle, others });
      if (child !== undefined) {
        setLeft(node, child);
        changed = true;
      }
    }
    if (middle < high) {
      const child = this.#updateChild(node, false, node.key, { writes, low: middle, high, others });
      if (child !== undefined) {
        setRight(node, child);
        changed = true;
      }
    }
    if (changed) this.#renew(node);
    return changed;
  }

  /** @returns the child where it is a new node now */
  #updateChild(parent: Node, isLeft: boolean, least: string | undefined, part: Part): Node | undefined {
    const known = isLeft ? parent.left : parent.right;
    const id = isLeft ? parent.leftId : parent.rightId;
    if ((isLeft ? parent.leftHeight : parent.rightHeight) > 0) {
      const child = known ?? this.#source.node(id);
      return this.#updateInner(child, least, part) ? child : undefined;
    }
    // A leaf's key is the least one below itself: it need not be read to be replaced.
    const key = least ?? (known ?? this.#source.node(id)).key;
    const leaf = leafFor(key, part);
    if (leaf !== undefined && id !== 0) this.#orphans.push(id);
    return leaf;
  }

  #set(node: Node, key: string, value: Uint8Array): Node {
    if (node.height === 0) return this.#setLeaf(node, key, value);
    this.#renew(node);
    if (key < node.key) setLeft(node, this.#set(leftOf(this.#source, node), key, value));
    else setRight(node, this.#set(rightOf(this.#source, node), key, value));
    if (!this.#inserted) return node;
    measure(node);
    return this.#balance(node);
  }

  #setLeaf(leaf: Node, key: string, value: Uint8Array): Node {
    if (key === leaf.key) {
      if (leaf.id !== 0) this.#orphans.push(leaf.id);
      return newLeaf(key, value);
    }
    this.#inserted = true;
    if (key < leaf.key) return newInner(leaf.key, newLeaf(key, value), leaf);
    return newInner(key, leaf, newLeaf(key, value));
  }

  /** Removes a key that is there. @returns what stands in the node's place, and the least key of it where that changed */
  #remove(node: Node, key: string): { readonly node: Node | undefined; readonly least: string | undefined } {
    if (node.height === 0) {
      if (node.id !== 0) this.#orphans.push(node.id);
      return { node: undefined, least: undefined };
    }
    this.#renew(node);
    if (key < node.key) {
      const done = this.#remove(leftOf(this.#source, node), key);
      // The left child held the key: the right one takes this node's place, and its least key is this node's.
      if (done.node === undefined) return { node: rightOf(this.#source, node), least: node.key };
      setLeft(node, done.node);
      measure(node);
      return { node: this.#balance(node), least: done.least };
    }
    const done = this.#remove(rightOf(this.#source, node), key);
    if (done.node === undefined) return { node: leftOf(this.#source, node), least: undefined };
    setRight(node, done.node);
    if (done.least !== undefined) node.key = done.least;
    measure(node);
    return { node: this.#balance(node), least: undefined };
  }

  /** @param node a new one */
  #balance(node: Node): Node {
    const lean = leanOf(node);
    if (lean > 1) {
      const left = leftOf(this.#source, node);
      if (leanOf(left) < 0) setLeft(node, this.#rotateLeft(left));
      return this.#rotateRight(node);
    }
    if (lean < -1) {
      const right = rightOf(this.#source, node);
      if (leanOf(right) > 0) setRight(node, this.#rotateRight(right));
      return this.#rotateLeft(node);
    }
    return node;
  }

  #rotateRight(node: Node): Node {
    const top = leftOf(this.#source, node);
    this.#renew(node);
    this.#renew(top);
    setLeft(node, rightOf(this.#source, top));
    measure(node);
    setRight(top, node);
    measure(top);
    return top;
  }

  #rotateLeft(node: Node): Node {
    const top = rightOf(this.#source, node);
    this.#renew(node);
    this.#renew(top);
    setRight(node, leftOf(this.#source, top));
    measure(node);
    setLeft(top, node);
    measure(top);
    return top;
  }
}

/** Some of the writes of a block: from `low` on, up to `high`. */
interface Part {
  readonly writes: readonly Write[];
  readonly low: number;
  readonly high: number;
  /** collects those that are no update of a key that exists */
  readonly others: Write[];
}

function checkedKey(key: Uint8Array): string {
  checkKey(key);
  return toMapKey(key);
}

function leanOf(node: Node): number {
  return node.height === 0 ? 0 : node.leftHeight - node.rightHeight;
}

/** The new leaf for a key that one of the writes sets; the other writes are set aside in their order. */
function leafFor(key: string, { writes, low, high, others }: Part): Node | undefined {
  let leaf: Node | undefined;
  for (let at = low; at < high; at += 1) {
    const write = writes[at] as Write;
    if (write.key === key && write.value !== undefined) leaf = newLeaf(key, write.value);
    else others.push(write);
  }
  return leaf;
}

/** The first write in a part whose key is not below another key. */
function firstFrom(writes: readonly Write[], key: string, low: number, high: number): number {
  let from = low;
  let to = high;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((writes[middle] as Write).key < key) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Hashes a new node below which everything is hashed first. @returns its hash */
function saveNode(node: Node, version: number, sink: NodeSink): Uint8Array {
  node.version = version;
  if (node.height === 0) {
    sink.add(node);
    return leafHash(node.key, node.value as Uint8Array, version);
  }
  const hashes = childHashes(node, version, sink);
  node.hashes = hashes;
  sink.add(node);
  return innerHash(node.height, node.size, version, hashes);
}

/** The children's hashes: of a new child computed now, of a stored one that moved from what is known of it. */
function childHashes(node: Node, version: number, sink: NodeSink): Uint8Array {
  const hashes = node.hashes ?? new Uint8Array(64);
  const { left, right } = node;
  if (left !== undefined) {
    hashes.set(left.id === 0 ? saveNode(left, version, sink) : hashOf(left), 0);
    node.leftId = left.id;
    node.left = undefined;
  }
  if (right !== undefined) {
    hashes.set(right.id === 0 ? saveNode(right, version, sink) : hashOf(right), 32);
    node.rightId = right.id;
    node.right = undefined;
  }
  return hashes;
}
