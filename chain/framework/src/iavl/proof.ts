/**
 * ICS-23 proofs of an IAVL tree, equal to those of cosmos/iavl v1 (proof_ics23.go): that a key has a value, or that it is
 * absent because its neighbours stand side by side.
 */
import {
  CommitmentProof,
  ExistenceProof,
  HashOp,
  InnerOp,
  LeafOp,
  LengthOp,
} from 'cosmjs-types/cosmos/ics23/v1/proofs';
import { fromMapKey, toMapKey } from '../store/sorted-map.ts';
import { innerPrefix, type Node } from './node.ts';
import type { NodeSource } from './node-cache.ts';
import { leavesBetween, pathTo, type Step } from './walk.ts';

/** Every hash inside a node is behind its length. */
const hashLengthByte = 0x20;

/** The proof of a key at a root: of its existence where it is there, else of its absence. */
export function proveKey(source: NodeSource, root: Node, key: Uint8Array): CommitmentProof {
  const text = toMapKey(key);
  const { steps, leaf } = pathTo(source, root, text);
  if (leaf.key === text) return CommitmentProof.fromPartial({ exist: existence(steps, leaf) });
  const [left] = leavesBetween(source, root, { high: text, reverse: true });
  const [right] = leavesBetween(source, root, { low: text });
  return CommitmentProof.fromPartial({
    nonexist: {
      key,
      ...(left === undefined ? {} : { left: existenceOf(source, root, left) }),
      ...(right === undefined ? {} : { right: existenceOf(source, root, right) }),
    },
  });
}

/** The proof that a key is absent from an empty tree: it has no neighbours. */
export function proveAbsenceInEmpty(key: Uint8Array): CommitmentProof {
  return CommitmentProof.fromPartial({ nonexist: { key } });
}

function existenceOf(source: NodeSource, root: Node, { key }: Node): ExistenceProof {
  const { steps, leaf } = pathTo(source, root, key);
  return existence(steps, leaf);
}

function existence(steps: readonly Step[], leaf: Node): ExistenceProof {
  return ExistenceProof.fromPartial({
    key: fromMapKey(leaf.key),
    value: leaf.value as Uint8Array,
    leaf: LeafOp.fromPartial({
      hash: HashOp.SHA256,
      prehashValue: HashOp.SHA256,
      length: LengthOp.VAR_PROTO,
      prefix: prefixOf(leaf),
    }),
    // From the leaf upwards.
    path: [...steps].reverse().map(innerOp),
  });
}

function innerOp({ node, toLeft }: Step): InnerOp {
  const hashes = node.hashes as Uint8Array;
  const prefix = prefixOf(node);
  const lengthByte = Uint8Array.of(hashLengthByte);
  if (toLeft) {
    return InnerOp.fromPartial({
      hash: HashOp.SHA256,
      prefix: Buffer.concat([prefix, lengthByte]),
      suffix: Buffer.concat([lengthByte, hashes.subarray(32)]),
    });
  }
  return InnerOp.fromPartial({
    hash: HashOp.SHA256,
    prefix: Buffer.concat([prefix, lengthByte, hashes.subarray(0, 32), lengthByte]),
  });
}

/** height ‖ size ‖ version, with which every hash of a node begins. */
function prefixOf(node: Node): Uint8Array {
  const bytes = new Uint8Array(30);
  return bytes.slice(0, innerPrefix(bytes, node.height, node.size, node.version));
}
