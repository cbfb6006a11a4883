/**
 * The multistore: the app hash over the roots of all stores, and the proof that a root is among them, as the SDK's
 * (cosmossdk.io/store/types/commit_info.go, internal/proofs).
 */
import { utf8 } from '@mu/lib/bytes';
import { type MerkleProof, merkleProofs, merkleRoot } from '@mu/lib/merkle';
import { CommitmentProof, HashOp, InnerOp, LeafOp, LengthOp } from 'cosmjs-types/cosmos/ics23/v1/proofs';
import { sha256 } from '../hash.ts';
import type { TreeRoot } from '../iavl/tree.ts';

/** The root of a store at a version. */
export interface StoreRoot {
  readonly store: string;
  readonly root: TreeRoot;
}

/** The app hash: the simple Merkle root over `name ‖ SHA-256(root)`, each behind its length, by name. @param roots by name */
export function appHashOf(roots: readonly StoreRoot[]): Uint8Array {
  return merkleRoot(roots.map(leafOf));
}

/** That a store has its root under the app hash. @throws Error when there is no such store */
export function proveStore(roots: readonly StoreRoot[], store: string): CommitmentProof {
  const at = roots.findIndex((one) => one.store === store);
  const proof = merkleProofs(roots.map(leafOf)).proofs[at];
  if (proof === undefined) throw new Error(`no such store: ${store}`);
  return CommitmentProof.fromPartial({
    exist: {
      key: utf8(store),
      value: (roots[at] as StoreRoot).root.hash,
      leaf: LeafOp.fromPartial({
        hash: HashOp.SHA256,
        prehashValue: HashOp.SHA256,
        length: LengthOp.VAR_PROTO,
        prefix: Uint8Array.of(0),
      }),
      path: innerOps(proof),
    },
  });
}

function leafOf({ store, root }: StoreRoot): Uint8Array {
  const name = utf8(store);
  const leaf = new Uint8Array(name.length + 34);
  // Store names are shorter than 128 bytes, so that their length is one byte.
  leaf[0] = name.length;
  leaf.set(name, 1);
  leaf[name.length + 1] = 32;
  leaf.set(sha256(root.hash), name.length + 2);
  return leaf;
}

/** From the leaf to the root; levels where the node rises alone have no step. */
function innerOps({ index, total, aunts }: MerkleProof): InnerOp[] {
  const ops: InnerOp[] = [];
  let at = index;
  for (let width = total; width > 1; width = (width + 1) >>> 1, at >>>= 1) {
    if (at === width - 1 && (at & 1) === 0) continue;
    const aunt = aunts[ops.length] as Uint8Array;
    const isRight = (at & 1) === 1;
    ops.push(
      InnerOp.fromPartial({
        hash: HashOp.SHA256,
        prefix: isRight ? Buffer.concat([Uint8Array.of(1), aunt]) : Uint8Array.of(1),
        suffix: isRight ? new Uint8Array() : aunt,
      }),
    );
  }
  return ops;
}
