/**
 * A node of an IAVL tree as cosmos/iavl v1 has it: what it hashes to and how it is stored.
 *
 * Keys are held as latin-1 strings: their order by code unit is the order of the bytes, and comparing them costs no call
 * into typed arrays. A node with an id is stored and never changes again; one without is new in the working version.
 */
import { sha256, sha256Prefix } from '../hash.ts';

/** Ids are handed out in sequence over all trees, so that a store appends; 0 is no node. */
export type NodeId = number;

/** Bytes of a hash. */
const hashLength = 32;

export class Node {
  /** of a leaf its own; of an inner node the least key below its right child */
  key: string;
  /** of a leaf; undefined for an inner node */
  readonly value: Uint8Array | undefined;
  /** 0 for a leaf */
  height: number;
  /** leaves below, itself included */
  size: number;
  /** the version that made it; 0 while it is new */
  version = 0;
  id: NodeId = 0;

  // Of an inner node only: what is known of its children without looking at them.
  /** 0 while the child is new */
  leftId: NodeId = 0;
  rightId: NodeId = 0;
  leftHeight = 0;
  rightHeight = 0;
  leftSize = 0;
  /** a child that is new, or was looked at; a stored one is found by its id */
  left: Node | undefined;
  right: Node | undefined;
  /** the children's hashes, left before right, 64 bytes; that of a new child is not known before the version is hashed */
  hashes: Uint8Array | undefined;

  constructor(key: string, value: Uint8Array | undefined, height: number, size: number) {
    this.key = key;
    this.value = value;
    this.height = height;
    this.size = size;
  }
}

export function newLeaf(key: string, value: Uint8Array): Node {
  return new Node(key, value, 0, 1);
}

/** The inner node over two others, one of which is new. */
export function newInner(key: string, left: Node, right: Node): Node {
  const node = new Node(key, undefined, 0, 0);
  setLeft(node, left);
  setRight(node, right);
  measure(node);
  return node;
}

export function setLeft(node: Node, child: Node): void {
  node.size += child.size - node.leftSize;
  node.left = child;
  node.leftId = child.id;
  node.leftHeight = child.height;
  node.leftSize = child.size;
}

export function setRight(node: Node, child: Node): void {
  node.size = node.leftSize + child.size;
  node.right = child;
  node.rightId = child.id;
  node.rightHeight = child.height;
}

/** The height follows from the children's. */
export function measure(node: Node): void {
  node.height = Math.max(node.leftHeight, node.rightHeight) + 1;
}

/** An index has keys alone. */
const hashOfNothing: Uint8Array = sha256(new Uint8Array());

/** Room for what is hashed; consensus code runs on one thread and hashes one thing at a time. */
let scratch = new Uint8Array(4096);

/** Writes a signed varint (zigzag, as Go's binary.PutVarint) of a number from 0 on. @returns the place behind it */
export function putVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value * 2;
  let to = at;
  while (rest >= 0x80) {
    target[to] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
    to += 1;
  }
  target[to] = rest;
  return to + 1;
}

function putUvarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  while (rest >= 0x80) {
    target[to] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
    to += 1;
  }
  target[to] = rest;
  return to + 1;
}

/** Writes a latin-1 string's bytes. @returns the place behind them */
export function putKey(target: Uint8Array, at: number, key: string): number {
  for (let index = 0; index < key.length; index += 1) target[at + index] = key.charCodeAt(index);
  return at + key.length;
}

/** SHA-256(varint 0 ‖ varint 1 ‖ varint version ‖ key behind its length ‖ 32 ‖ SHA-256(value)) (iavl node.go writeHashBytes). */
export function leafHash(key: string, value: Uint8Array, version: number): Uint8Array {
  const valueHash = value.length === 0 ? hashOfNothing : sha256(value);
  if (scratch.length < key.length + 64) scratch = new Uint8Array(key.length * 2 + 64);
  scratch[0] = 0;
  let at = putVarint(scratch, 1, 1);
  at = putVarint(scratch, at, version);
  at = putUvarint(scratch, at, key.length);
  at = putKey(scratch, at, key);
  scratch[at] = hashLength;
  scratch.set(valueHash, at + 1);
  return sha256Prefix(scratch, at + 1 + hashLength);
}

/** SHA-256(varint height ‖ varint size ‖ varint version ‖ 32 ‖ left hash ‖ 32 ‖ right hash) of an inner node. */
export function innerHash(height: number, size: number, version: number, hashes: Uint8Array): Uint8Array {
  let at = innerPrefix(scratch, height, size, version);
  scratch[at] = hashLength;
  for (let index = 0; index < hashLength; index += 1) scratch[at + 1 + index] = hashes[index] as number;
  at += hashLength + 1;
  scratch[at] = hashLength;
  for (let index = 0; index < hashLength; index += 1) scratch[at + 1 + index] = hashes[hashLength + index] as number;
  return sha256Prefix(scratch, at + 1 + hashLength);
}

/** The beginning of what is hashed of a node. @returns its length */
export function innerPrefix(target: Uint8Array, height: number, size: number, version: number): number {
  return putVarint(target, putVarint(target, putVarint(target, 0, height), size), version);
}
