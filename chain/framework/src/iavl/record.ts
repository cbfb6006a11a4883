/**
 * Nodes as they are stored. An inner node carries its children's hashes, so that a path can be hashed and proved without
 * reading what lies beside it.
 *
 * inner: height 1 ‖ version 6 ‖ size 6 ‖ left id 6 ‖ right id 6 ‖ left hash 32 ‖ right hash 32 ‖ key
 * leaf:  0 ‖ version 6 ‖ key length 2 ‖ key ‖ value
 * Numbers are big-endian.
 */
import { Node, type NodeId, putKey } from './node.ts';

const innerFixed = 89;
const leafFixed = 9;
const hashesAt = 25;
/** The longest key a record can hold: its length has two bytes. */
export const maxKeyLength = 0xffff;

export function recordLength(node: Node): number {
  return node.isLeaf ? leafFixed + node.key.length + (node.value as Uint8Array).length : innerFixed + node.key.length;
}

/** Writes a node whose version, and whose children's ids and hashes, are known. @returns the place behind it */
export function writeRecord(target: Uint8Array, at: number, node: Node): number {
  target[at] = node.height;
  putUint48(target, at + 1, node.version);
  if (node.isLeaf) {
    target[at + 7] = node.key.length >>> 8;
    target[at + 8] = node.key.length;
    const value = node.value as Uint8Array;
    const valueAt = putKey(target, at + leafFixed, node.key);
    target.set(value, valueAt);
    return valueAt + value.length;
  }
  putUint48(target, at + 7, node.size);
  putUint48(target, at + 13, node.leftId);
  putUint48(target, at + 19, node.rightId);
  target.set(node.hashes as Uint8Array, at + hashesAt);
  return putKey(target, at + innerFixed, node.key);
}

/**
 * Reads a stored node. Its bytes are copied where they are kept: LMDB reads into one buffer again and again, whose `length`
 * alone says where the record ends.
 * @throws Error on a damaged record
 */
export function readRecord(id: NodeId, record: Buffer): Node {
  const height = record[0] as number;
  if (record.length < (height === 0 ? leafFixed : innerFixed)) throw new Error(`node ${id} of the state is damaged`);
  const node = height === 0 ? readLeaf(record) : readInner(record, height);
  node.id = id;
  node.version = getUint48(record, 1);
  return node;
}

function readLeaf(record: Buffer): Node {
  const keyEnd = leafFixed + (((record[7] as number) << 8) | (record[8] as number));
  return new Node(
    record.toString('latin1', leafFixed, keyEnd),
    Uint8Array.prototype.slice.call(record, keyEnd, record.length),
    0,
    1,
  );
}

function readInner(record: Buffer, height: number): Node {
  const node = new Node(record.toString('latin1', innerFixed, record.length), undefined, height, getUint48(record, 7));
  node.leftId = getUint48(record, 13);
  node.rightId = getUint48(record, 19);
  const hashes = new Uint8Array(64);
  for (let index = 0; index < 64; index += 1) hashes[index] = record[hashesAt + index] as number;
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
  const byte = (index: number): number => source[at + index] as number;
  const low = ((byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5)) >>> 0;
  return ((byte(0) << 8) | byte(1)) * 0x1_0000_0000 + low;
}
