/**
 * CometBFT's simple Merkle tree, which is RFC 6962's: leaves and inner nodes are hashed under different prefixes, and n
 * leaves split at the largest power of two below n. Pairing neighbours level by level, an odd last node rising as it
 * is, builds the same tree without recursion.
 */
import { concatBytes, equalBytes } from './bytes.ts';
import { sha256 } from './hashes.ts';

/** The way from one leaf to the root. */
export interface MerkleProof {
  /** Leaves of the tree. */
  total: number;
  /** Position of the leaf, from 0. */
  index: number;
  /** SHA-256(0x00 ‖ leaf). */
  leafHash: Uint8Array;
  /** Sibling hashes from the leaf's level upwards; levels where the node rises alone have none. */
  aunts: Uint8Array[];
}

/** Before a leaf where it is hashed. */
export const leafPrefix = new Uint8Array([0]);
const innerPrefix = new Uint8Array([1]);

/** SHA-256(0x00 ‖ leaf). */
export function merkleLeafHash(leaf: Uint8Array): Uint8Array {
  return sha256(concatBytes(leafPrefix, leaf));
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function merkleInnerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(innerPrefix, left, right));
}

/** The next level up: neighbours joined, a last one without neighbour unchanged. */
function levelAbove(level: readonly Uint8Array[]): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const right = level[i + 1];
    out.push(right === undefined ? level[i]! : merkleInnerHash(level[i]!, right));
  }
  return out;
}

/** Root over the leaves in their order; of none, SHA-256 of the empty string. 32 bytes. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array());
  let level = leaves.map(merkleLeafHash);
  while (level.length > 1) level = levelAbove(level);
  return level[0]!;
}

/** The root of leaves that come one by one, without holding more than a hash for each level of their tree. */
export class RunningRoot {
  /** Roots of whole trees, the largest first: one for each bit that is set in the number of leaves. */
  readonly #trees: Uint8Array[] = [];
  #leaves = 0;

  /** Hashes that are held. */
  get held(): number {
    return this.#trees.length;
  }

  /** @param leafHash SHA-256(0x00 ‖ leaf): whoever has many, or large ones, hashes them natively */
  add(leafHash: Uint8Array): void {
    let tree = leafHash;
    // As in adding one to a number: two trees of the same size become one, until there is no other of that size.
    for (let carried = this.#leaves; carried % 2 === 1; carried = Math.floor(carried / 2)) {
      tree = merkleInnerHash(this.#trees.pop()!, tree);
    }
    this.#trees.push(tree);
    this.#leaves += 1;
  }

  /** 32 bytes, as `merkleRoot` over all leaves gives it. */
  root(): Uint8Array {
    const root = this.#trees.reduceRight<Uint8Array | undefined>(
      (right, left) => (right === undefined ? left : merkleInnerHash(left, right)),
      undefined,
    );
    return root ?? merkleRoot([]);
  }
}

/** Root and one proof per leaf, in the order of the leaves. */
export function merkleProofs(leaves: readonly Uint8Array[]): { root: Uint8Array; proofs: MerkleProof[] } {
  if (leaves.length === 0) return { root: merkleRoot(leaves), proofs: [] };
  let level = leaves.map(merkleLeafHash);
  const total = leaves.length;
  const proofs: MerkleProof[] = level.map((leafHash, index) => ({ total, index, leafHash, aunts: [] }));
  for (let height = 0; level.length > 1; height++) {
    for (const proof of proofs) {
      const sibling = level[(proof.index >>> height) ^ 1];
      if (sibling !== undefined) proof.aunts.push(sibling);
    }
    level = levelAbove(level);
  }
  return { root: level[0]!, proofs };
}

/**
 * True when the proof leads from the leaf to the root, and uses up all its aunts doing so. Never throws, whatever the
 * proof contains: it may come from a stranger.
 */
export function verifyMerkleProof(root: Uint8Array, leaf: Uint8Array, proof: MerkleProof): boolean {
  const { total, aunts } = proof;
  if (!Number.isSafeInteger(total) || !Number.isSafeInteger(proof.index)) return false;
  if (proof.index < 0 || proof.index >= total || total > 0x7fff_ffff) return false;
  let hash = merkleLeafHash(leaf);
  if (!equalBytes(hash, proof.leafHash)) return false;
  let index = proof.index;
  let used = 0;
  for (let width = total; width > 1; width = (width + 1) >>> 1, index >>>= 1) {
    // The last node of an odd level has no sibling and rises as it is.
    if (index === width - 1 && (index & 1) === 0) continue;
    const aunt = aunts[used++];
    if (aunt === undefined || aunt.length !== 32) return false;
    hash = index & 1 ? merkleInnerHash(aunt, hash) : merkleInnerHash(hash, aunt);
  }
  return used === aunts.length && equalBytes(hash, root);
}
