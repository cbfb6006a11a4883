/**
 * ICS-23 proofs of the two trees of a Cosmos chain: IAVL (a store's keys) and CometBFT's simple Merkle tree (the stores).
 * Stricter than the specifications of ICS-23: a node's bytes must be those that the tree itself hashes, so that none of
 * them can be passed off as another one (the forged proofs of October 2022, GHSA-wq26-2mhg-fqm9, used such freedom).
 */
import { compareBytes, concatBytes, equalBytes } from '@mu/lib/bytes';
import { sha256, sha256Concat } from '@mu/lib/hashes';
import { decodeVarint, encodeVarint } from '@mu/lib/varint';
import {
  CommitmentProof,
  type ExistenceProof,
  HashOp,
  type InnerOp,
  type LeafOp,
  LengthOp,
  type NonExistenceProof,
} from 'cosmjs-types/cosmos/ics23/v1/proofs';
import { LightError, type LightFault } from './errors.ts';

/** On which side of its parent a node stands. */
type Side = 'left' | 'right';

/** What the nodes of a tree look like. */
export interface TreeForm {
  /** a leaf's bytes before its key */
  isLeaf(prefix: Uint8Array): boolean;
  /** the side of the child that a step hashes; undefined when it is no step of this tree. @param layer 1 above the leaf */
  sideOf(step: InnerOp, layer: number): Side | undefined;
  /** the root of the tree without leaves, which holds nothing at all */
  readonly emptyRoot?: Uint8Array;
}

const hashBytes = 32;
/** ICS-23's own bound, where a tree has none. */
const maxDepth = 128;

/** IAVL: each node begins with its height, its size and its version; each child's hash stands behind its length. */
export const iavlForm: TreeForm = {
  emptyRoot: sha256(new Uint8Array()),
  isLeaf(prefix) {
    const head = readIavlHead(prefix);
    return head !== undefined && head.height === 0n && head.size === 1n && head.next === prefix.length;
  },
  sideOf({ prefix, suffix }, layer) {
    const head = readIavlHead(prefix);
    if (head === undefined || head.height < BigInt(layer) || head.size < 2n) return undefined;
    const rest = prefix.subarray(head.next);
    const isChild = (bytes: Uint8Array): boolean => bytes.length === hashBytes + 1 && bytes[0] === hashBytes;
    if (rest.length === 1) return rest[0] === hashBytes && isChild(suffix) ? 'left' : undefined;
    const last = rest.at(-1) === hashBytes;
    return last && isChild(rest.subarray(0, -1)) && suffix.length === 0 ? 'right' : undefined;
  },
};

/** CometBFT's simple tree: a byte that tells leaves from inner nodes, then the hashes. */
export const simpleForm: TreeForm = {
  isLeaf: (prefix) => prefix.length === 1 && prefix[0] === 0,
  sideOf({ prefix, suffix }) {
    if (prefix[0] !== 1) return undefined;
    if (prefix.length === 1) return suffix.length === hashBytes ? 'left' : undefined;
    return prefix.length === 1 + hashBytes && suffix.length === 0 ? 'right' : undefined;
  },
};

/** @throws LightError when the bytes are no proof */
export function decodeProof(bytes: Uint8Array): CommitmentProof {
  try {
    return CommitmentProof.decode(bytes);
  } catch (error) {
    throw new LightError('the proof cannot be read', { kind: 'invalid_proof', fault: 'proof_form', cause: error });
  }
}

/**
 * Root of the tree that holds this value under this key, as far as the proof says.
 * @throws LightError of kind invalid_proof
 */
export function rootOfMembership(
  form: TreeForm,
  proof: CommitmentProof,
  key: Uint8Array,
  value: Uint8Array,
): Uint8Array {
  if (proof.exist === undefined) refuse('proof_form', 'it is no proof of a value');
  const exist = proof.exist as ExistenceProof;
  if (!equalBytes(exist.key, key)) refuse('proof_key', 'it is about another key');
  // What stands there without a value cannot be told from what does not stand there in a query's answer.
  if (value.length === 0) refuse('proof_value', 'an empty value cannot be asked for');
  if (!equalBytes(exist.value, value)) refuse('proof_value', 'it is about another value');
  return rootOf(form, exist).root;
}

/**
 * Root of the tree that does not hold this key, as far as the proof says.
 * @throws LightError of kind invalid_proof
 */
export function rootOfAbsence(form: TreeForm, proof: CommitmentProof, key: Uint8Array): Uint8Array {
  if (proof.nonexist === undefined) refuse('proof_form', 'it is no proof of absence');
  const { left, right } = proof.nonexist as NonExistenceProof;
  // ICS-23 has no proof for an empty tree; the SDK answers without neighbours. No other tree has an empty one's hash.
  if (left === undefined && right === undefined && form.emptyRoot !== undefined) return form.emptyRoot;
  const before = left === undefined ? undefined : rootOf(form, left);
  const after = right === undefined ? undefined : rootOf(form, right);
  if (left !== undefined && compareBytes(left.key, key) >= 0)
    refuse('proof_key', 'the left neighbour is not before it');
  if (right !== undefined && compareBytes(key, right.key) >= 0) refuse('proof_key', 'the right one is not after it');
  const neighbours =
    before === undefined
      ? after?.sides.every((side) => side === 'left')
      : after === undefined
        ? before.sides.every((side) => side === 'right')
        : areNeighbours(before, after);
  if (neighbours !== true) refuse('proof_neighbours', 'there is room for the key between its neighbours');
  const root = (before ?? after)?.root as Uint8Array;
  if (after !== undefined && !equalBytes(after.root, root)) refuse('proof_root', 'its neighbours are of two trees');
  return root;
}

interface Path {
  readonly root: Uint8Array;
  readonly steps: readonly InnerOp[];
  /** of each step, from the leaf upwards */
  readonly sides: readonly Side[];
}

/** Follows a leaf up to the root and looks at the form of each node on the way. */
function rootOf(form: TreeForm, { key, value, leaf, path }: ExistenceProof): Path {
  if (leaf === undefined) refuse('proof_form', 'it has no leaf');
  checkLeaf(form, leaf as LeafOp);
  // ICS-23 refuses neighbours without a value, which indexes consist of; both trees hash a value first, so none is as good.
  if (key.length === 0) refuse('proof_form', 'it has an empty key');
  if (path.length > maxDepth) refuse('proof_form', `it has ${path.length} steps`);
  const hashed = sha256(value);
  const { prefix } = leaf as LeafOp;
  let root = sha256(concatBytes(prefix, encodeVarint(key.length), key, encodeVarint(hashed.length), hashed));
  const sides = path.map((step, at) => {
    const side = step.hash === HashOp.SHA256 ? form.sideOf(step, at + 1) : undefined;
    if (side === undefined) refuse('proof_form', `step ${at} is no node of its tree`);
    root = sha256Concat(step.prefix, root, step.suffix);
    return side as Side;
  });
  return { root, steps: path, sides };
}

function checkLeaf(form: TreeForm, leaf: LeafOp): void {
  const plain =
    leaf.hash === HashOp.SHA256 &&
    leaf.prehashKey === HashOp.NO_HASH &&
    leaf.prehashValue === HashOp.SHA256 &&
    leaf.length === LengthOp.VAR_PROTO;
  if (!plain || !form.isLeaf(leaf.prefix)) refuse('proof_form', 'its leaf is no leaf of its tree');
}

/** True when nothing lies between two leaves: from where their paths part, left goes right all the way, right left. */
function areNeighbours(left: Path, right: Path): boolean {
  let l = left.steps.length - 1;
  let r = right.steps.length - 1;
  while (l >= 0 && r >= 0 && sameStep(left.steps[l] as InnerOp, right.steps[r] as InnerOp)) {
    l--;
    r--;
  }
  if (left.sides[l] !== 'left' || right.sides[r] !== 'right') return false;
  return (
    left.sides.slice(0, l).every((side) => side === 'right') && right.sides.slice(0, r).every((side) => side === 'left')
  );
}

function sameStep(a: InnerOp, b: InnerOp): boolean {
  return equalBytes(a.prefix, b.prefix) && equalBytes(a.suffix, b.suffix);
}

/** Height, size and version: three signed varints, none below zero. */
function readIavlHead(prefix: Uint8Array): { height: bigint; size: bigint; next: number } | undefined {
  const values: bigint[] = [];
  let next = 0;
  for (let i = 0; i < 3; i++) {
    const read = varintAt(prefix, next);
    // Zigzag: odd ones are negative.
    if (read === undefined || (read.value & 1n) === 1n) return undefined;
    values.push(read.value >> 1n);
    next = read.next;
  }
  const [height, size] = values as [bigint, bigint, bigint];
  return { height, size, next };
}

function varintAt(bytes: Uint8Array, at: number): { value: bigint; next: number } | undefined {
  try {
    return decodeVarint(bytes, at);
  } catch {
    return undefined;
  }
}

function refuse(fault: LightFault, reason: string): never {
  throw new LightError(`the proof is not valid: ${reason}`, { kind: 'invalid_proof', fault });
}
