/**
 * The working version of an IAVL tree: sets and removes with the rotations of cosmos/iavl v1 (mutable_tree.go), so that
 * the same operations lead to the same root.
 */
import { toMapKey } from '../store/sorted-map.ts';
import { innerHash, leafHash, Node, type NodeId, newInner, newLeaf } from './node.ts';
import type { NodeSource } from './node-cache.ts';
import { maxKeyLength } from './record.ts';
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
    const leaf = this.#leafAt(toMapKey(key));
    return leaf?.value;
  }

  has(key: Uint8Array): boolean {
    return this.#leafAt(toMapKey(key)) !== undefined;
  }

  /** @returns whether the key existed. A value equal to the old one makes a new leaf all the same. */
  set(key: Uint8Array, value: Uint8Array): boolean {
    if (key.length === 0 || key.length > maxKeyLength) {
      throw new Error(`a key has 1 to ${maxKeyLength} bytes, not ${key.length}`);
    }
    const text = toMapKey(key);
    this.#inserted = this.#root === undefined;
    this.#root = this.#root === undefined ? newLeaf(text, value) : this.#set(this.#root, text, value);
    return !this.#inserted;
  }

  /** @returns whether the key existed; an absent one changes nothing */
  remove(key: Uint8Array): boolean {
    const text = toMapKey(key);
    // Looked for before, so that the path is not taken apart for nothing.
    if (this.#leafAt(text) === undefined) return false;
    this.#root = this.#remove(this.#root as Node, text).node;
    return true;
  }

  /** Drops what was done since the last version was stored. */
  rollback(): void {
    this.#root = this.#stored.id === 0 ? undefined : this.#source.node(this.#stored.id);
    this.#orphans = [];
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
    // Children are found by their ids from now on, so that memory is bounded by the cache.
    this.#root = root.id === 0 ? undefined : this.#source.node(root.id);
  }

  #leafAt(key: string): Node | undefined {
    return this.#root === undefined ? undefined : findLeaf(this.#source, this.#root, key);
  }

  /** The node itself where it is new; a copy that can be changed where it is stored. */
  #writable(node: Node): Node {
    if (node.id === 0) return node;
    this.#orphans.push(node.id);
    const copy = new Node(node.key, undefined, node.height, node.size);
    copy.leftId = node.leftId;
    copy.rightId = node.rightId;
    copy.hashes = node.hashes === undefined ? undefined : Uint8Array.prototype.slice.call(node.hashes);
    return copy;
  }

  #set(node: Node, key: string, value: Uint8Array): Node {
    if (node.height === 0) return this.#setLeaf(node, key, value);
    const own = this.#writable(node);
    if (key < own.key) setLeft(own, this.#set(leftOf(this.#source, own), key, value));
    else setRight(own, this.#set(rightOf(this.#source, own), key, value));
    if (!this.#inserted) return own;
    this.#measure(own);
    return this.#balance(own);
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
    const own = this.#writable(node);
    if (key < own.key) {
      const done = this.#remove(leftOf(this.#source, own), key);
      // The left child held the key: the right one takes this node's place, and its least key is this node's.
      if (done.node === undefined) return { node: rightOf(this.#source, own), least: own.key };
      setLeft(own, done.node);
      this.#measure(own);
      return { node: this.#balance(own), least: done.least };
    }
    const done = this.#remove(rightOf(this.#source, own), key);
    if (done.node === undefined) return { node: leftOf(this.#source, own), least: undefined };
    setRight(own, done.node);
    if (done.least !== undefined) own.key = done.least;
    this.#measure(own);
    return { node: this.#balance(own), least: undefined };
  }

  #measure(node: Node): void {
    const left = leftOf(this.#source, node);
    const right = rightOf(this.#source, node);
    node.height = Math.max(left.height, right.height) + 1;
    node.size = left.size + right.size;
  }

  #lean(node: Node): number {
    return leftOf(this.#source, node).height - rightOf(this.#source, node).height;
  }

  #balance(node: Node): Node {
    const lean = this.#lean(node);
    if (lean > 1) {
      const left = leftOf(this.#source, node);
      if (this.#lean(left) < 0) setLeft(node, this.#rotateLeft(this.#writable(left)));
      return this.#rotateRight(node);
    }
    if (lean < -1) {
      const right = rightOf(this.#source, node);
      if (this.#lean(right) > 0) setRight(node, this.#rotateRight(this.#writable(right)));
      return this.#rotateLeft(node);
    }
    return node;
  }

  /** @param node a new one */
  #rotateRight(node: Node): Node {
    const top = this.#writable(leftOf(this.#source, node));
    setLeft(node, rightOf(this.#source, top));
    setRight(top, node);
    this.#measure(node);
    this.#measure(top);
    return top;
  }

  /** @param node a new one */
  #rotateLeft(node: Node): Node {
    const top = this.#writable(rightOf(this.#source, node));
    setRight(node, leftOf(this.#source, top));
    setLeft(top, node);
    this.#measure(node);
    this.#measure(top);
    return top;
  }
}

function setLeft(node: Node, child: Node): void {
  node.left = child;
  node.leftId = child.id;
}

function setRight(node: Node, child: Node): void {
  node.right = child;
  node.rightId = child.id;
}

/** Hashes a new node below which everything is hashed first. @returns its hash */
function saveNode(node: Node, version: number, sink: NodeSink): Uint8Array {
  node.version = version;
  if (node.height === 0) {
    node.hash = leafHash(node.key, node.value as Uint8Array, version);
  } else {
    node.hashes = childHashes(node, version, sink);
    node.hash = innerHash(node.height, node.size, version, node.hashes);
  }
  sink.add(node);
  return node.hash;
}

/**
 * The children's hashes: of a new child computed now, of a stored one taken from where it is known. The children are let
 * go: from now on their ids lead to them.
 */
function childHashes(node: Node, version: number, sink: NodeSink): Uint8Array {
  const hashes = node.hashes ?? new Uint8Array(64);
  if (node.left !== undefined) {
    hashes.set(node.left.id === 0 ? saveNode(node.left, version, sink) : hashOf(node.left), 0);
    node.leftId = node.left.id;
    node.left = undefined;
  }
  if (node.right !== undefined) {
    hashes.set(node.right.id === 0 ? saveNode(node.right, version, sink) : hashOf(node.right), 32);
    node.rightId = node.right.id;
    node.right = undefined;
  }
  return hashes;
}
