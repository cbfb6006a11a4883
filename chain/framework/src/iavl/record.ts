/**
 * Nodes as they are stored. An inner node carries what its parent's way needs of its children, hashes above all, so that
 * a path can be changed, hashed and proved without reading what lies beside it.
 *
 * inner: height, and in its two highest bits which child is higher 1 ‖ version 6 ‖ size 6 ‖ left size 6 ‖ left id 6 ‖
 *        right id 6 ‖ left hash 32 ‖ right hash 32 ‖ key
 * leaf:  0 ‖ version 6 ‖ key length 2 ‖ key ‖ value
 * Numbers are big-endian.
 */
import { Node, type NodeId, putKey } from './node.ts';

const innerFixed = 95;
const leafFixed = 9;
const hashesAt = 31;
const heightMask = 0x3f;
const leftIsHigher = 0x40;
const rightIsHigher = 0x80;

export function recordLength(node: Node): number {
  return node.height === 0
    ? leafFixed + node.key.length + (node.value as Uint8Array).length
    : innerFixed + node.key.length;
}

/** Writes a node whose version, and whose children's ids and hashes, are known. @returns the place behind it */
export function writeRecord(target: Uint8Array, at: number, node: Node): number {
  putUint48(target, at + 1, node.version);
  return node.height === 0 ? writeLeaf(target, at, node) : writeInner(target, at, node);
}

function writeLeaf(target: Uint8Array, at: number, { key, value }: Node): number {
  target[at] = 0;
  target[at + 7] = key.length >>> 8;
  target[at + 8] = key.length;
  const valueAt = putKey(target, at + leafFixed, key);
  target.set(value as Uint8Array, valueAt);
  return valueAt + (value as Uint8Array).length;
}

function writeInner(target: Uint8Array, at: number, node: Node): number {
  const lean = node.leftHeight - node.rightHeight;
  target[at] = node.height | (lean > 0 ? leftIsHigher : lean < 0 ? rightIsHigher : 0);
  putUint48(target, at + 7, node.size);
  putUint48(target, at + 13, node.leftSize);
  putUint48(target, at + 19, node.leftId);
  putUint48(target, at + 25, node.rightId);
  target.set(node.hashes as Uint8Array, at + hashesAt);
  return putKey(target, at + innerFixed, node.key);
}

/** Whether a record is an inner node's. */
export function isInnerRecord(record: Uint8Array): boolean {
  return record[0] !== 0;
}

/**
 * Reads a stored node. Its bytes are copied where they are kept: they may be the reader's buffer, used again and again.
 * @param start where the record begins in `bytes`, and where it ends
 * @throws Error on a damaged record
 */
export function readRecord(id: NodeId, bytes: Buffer, start: number, end: number): Node {
  const first = bytes[start] as number;
  if (end - start < (first === 0 ? leafFixed : innerFixed)) throw new Error(`node ${id} of the state is damaged`);
  const node = first === 0 ? readLeaf(bytes, start, end) : readInner(bytes, start, end);
  node.id = id;
  node.version = getUint48(bytes, start + 1);
  return node;
}

function readLeaf(bytes: Buffer, start: number, end: number): Node {
  const keyAt = start + leafFixed;
  const keyEnd = keyAt + (((bytes[start + 7] as number) << 8) | (bytes[start + 8] as number));
  return new Node(bytes.toString('latin1', keyAt, keyEnd), Uint8Array.prototype.slice.call(bytes, keyEnd, end), 0, 1);
}

function readInner(bytes: Buffer, start: number, end: number): Node {
  const first = bytes[start] as number;
  const height = first & heightMask;
  const node = new Node(
    bytes.toString('latin1', start + innerFixed, end),
    undefined,
    height,
    getUint48(bytes, start + 7),
  );
  node.leftSize = getUint48(bytes, start + 13);
  node.leftId = getUint48(bytes, start + 19);
  node.rightId = getUint48(bytes, start + 25);
  node.leftHeight = (first & rightIsHigher) !== 0 ? height - 2 : height - 1;
  node.rightHeight = (first & leftIsHigher) !== 0 ? height - 2 : height - 1;
  const hashes = new Uint8Array(64);
  const from = start + hashesAt;
  for (let index = 0; index < 64; index += 1) hashes[index] = bytes[from + index] as number;
  node.hashes = hashes;
  return node;
}

export function putUint48(target: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  target[at] = high >>> 8;
  target[at + 1] = high;
  target[at + 2] = value >>> 24;
  target[at + 3] = value >>> 16;
  target[at + 4] = value >>> 8;
  target[at + 5] = value;
}

export function getUint48(source: Uint8Array, at: number): number {
  const low =
    (((source[at + 2] as number) << 24) |
      ((source[at + 3] as number) << 16) |
      ((source[at + 4] as number) << 8) |
      (source[at + 5] as number)) >>>
    0;
  return (((source[at] as number) << 8) | (source[at + 1] as number)) * 0x1_0000_0000 + low;
}
