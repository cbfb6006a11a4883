/**
 * Builds a tree from its nodes in the order of cosmos/iavl's exporter. Every hash is computed from keys and values, and
 * what no hash covers is checked: the keys of inner nodes, the order of leaves, the balance.
 */
import { innerHash, leafHash, Node, type NodeId } from '@mu/framework/iavl/node';
import { emptyTree, type NodeSink, type TreeRoot } from '@mu/framework/iavl/tree';
import { SnapshotError } from './format.ts';
import type { NodeItem } from './item-reader.ts';

/** The highest tree that records can hold; it has more leaves than there are atoms to store them. */
const maxTreeHeight = 63;

/** A tree whose parent has not come yet. */
interface Subtree {
  readonly id: NodeId;
  readonly height: number;
  readonly size: number;
  readonly version: number;
  readonly hash: Uint8Array;
  readonly least: string;
}

export class TreeImport {
  readonly #sink: NodeSink;
  readonly #maxVersion: number;
  readonly #waiting: Subtree[] = [];
  #lastKey: string | undefined;

  /** @param maxVersion the height of the snapshot: no node is of a later version */
  constructor(sink: NodeSink, maxVersion: number) {
    this.#sink = sink;
    this.#maxVersion = maxVersion;
  }

  /** @returns the node, which the sink has. @throws SnapshotError when no tree has it at this place */
  add(item: NodeItem): Node {
    if (item.version < 1 || item.version > this.#maxVersion) {
      throw new SnapshotError(`a node has version ${item.version} in a snapshot of height ${this.#maxVersion}`);
    }
    if (item.key.length === 0) throw new SnapshotError('a node has no key');
    return item.height === 0 ? this.#addLeaf(item) : this.#addInner(item);
  }

  /** @throws SnapshotError when the nodes do not make one tree */
  finish(): TreeRoot {
    const [root, ...others] = this.#waiting;
    if (others.length > 0) throw new SnapshotError(`${others.length + 1} nodes have no parent`);
    return root === undefined ? emptyTree : { id: root.id, hash: root.hash };
  }

  #addLeaf({ key, value = new Uint8Array(), version }: NodeItem): Node {
    if (this.#lastKey !== undefined && key <= this.#lastKey) throw new SnapshotError('keys of leaves do not ascend');
    // Each waiting tree is the left neighbour of a node on the way down to this leaf.
    if (this.#waiting.length > maxTreeHeight) throw new SnapshotError('nodes come without their parents');
    this.#lastKey = key;
    const node = this.#stored(new Node(key, value, 0, 1), version);
    this.#waiting.push({ id: node.id, height: 0, size: 1, version, hash: leafHash(key, value, version), least: key });
    return node;
  }

  #addInner({ key, value, version, height }: NodeItem): Node {
    const right = this.#waiting.pop();
    const left = this.#waiting.pop();
    if (left === undefined || right === undefined) throw new SnapshotError('an inner node has no two children');
    if (value !== undefined) throw new SnapshotError('an inner node has a value');
    if (height !== Math.max(left.height, right.height) + 1 || height > maxTreeHeight) {
      throw new SnapshotError(`a node of height ${height} stands over heights ${left.height} and ${right.height}`);
    }
    if (Math.abs(left.height - right.height) > 1) throw new SnapshotError('the tree is not balanced');
    if (key !== right.least) throw new SnapshotError("the key of an inner node is not its right child's least");
    if (version < left.version || version < right.version) throw new SnapshotError('a node is older than its child');
    const hashes = new Uint8Array(64);
    hashes.set(left.hash, 0);
    hashes.set(right.hash, 32);
    const size = left.size + right.size;
    const node = new Node(key, undefined, height, size);
    node.hashes = hashes;
    node.leftId = left.id;
    node.leftHeight = left.height;
    node.leftSize = left.size;
    node.rightId = right.id;
    node.rightHeight = right.height;
    this.#stored(node, version);
    const hash = innerHash(height, size, version, hashes);
    this.#waiting.push({ id: node.id, height, size, version, hash, least: left.least });
    return node;
  }

  #stored(node: Node, version: number): Node {
    node.version = version;
    this.#sink.add(node);
    return node;
  }
}
