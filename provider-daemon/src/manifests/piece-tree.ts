/**
 * The Merkle tree over the pieces of a file (RFC 6962, @mu/lib/merkle) as a row of nodes, level by level from the leaves up:
 * so one node is read or written by its number, and nobody needs the whole tree in memory.
 */
import { createHash } from 'node:crypto';
import { equalBytes } from '@mu/lib/bytes';
import { leafPrefix, merkleInnerHash } from '@mu/lib/merkle';

/** Bytes of a node. */
export const nodeBytes = 32;

/** A node by its number in the row. */
export interface TreeNode {
  readonly node: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

/** SHA-256(0x00 ‖ piece), natively: a piece is large. */
export function pieceHash(piece: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(leafPrefix).update(piece).digest());
}

/** A node on the way from a leaf to the root. */
interface Step {
  readonly node: number;
  /** Number of its sibling; undefined where it rises alone. */
  readonly aunt: number | undefined;
  readonly isRight: boolean;
}

export class PieceTree {
  /** Pieces of the file. */
  readonly leaves: number;
  /** In all: at most two for each leaf, and one for each level. */
  readonly nodes: number;
  /** Nodes of each level, the leaves' first. */
  readonly #widths: number[];

  /** @throws RangeError for a tree without leaves */
  constructor(leaves: number) {
    if (!(Number.isSafeInteger(leaves) && leaves > 0)) throw new RangeError(`there is no tree of ${leaves} leaves`);
    this.leaves = leaves;
    this.#widths = [leaves];
    for (let width = leaves; width > 1; ) {
      width = (width + 1) >>> 1;
      this.#widths.push(width);
    }
    this.nodes = this.#widths.reduce((sum, width) => sum + width, 0);
  }

  /** Numbers of the nodes that lead from a leaf to the root, from the leaf upwards. @throws RangeError for a leaf that there is not */
  auntsOf(leaf: number): number[] {
    return this.#stepsOf(leaf).flatMap(({ aunt }) => (aunt === undefined ? [] : [aunt]));
  }

  /**
   * The nodes that a path shows: the leaf, its aunts, and all that follows from them.
   * @returns undefined where it does not lead to the root; never throws for what a stranger sends
   */
  walk(
    leaf: number,
    leafHash: Uint8Array,
    path: { aunts: readonly Uint8Array[]; root: Uint8Array },
  ): TreeNode[] | undefined {
    if (!(Number.isInteger(leaf) && leaf >= 0 && leaf < this.leaves)) return undefined;
    const shown: TreeNode[] = [];
    let [hash, used] = [leafHash, 0];
    for (const { node, aunt, isRight } of this.#stepsOf(leaf)) {
      shown.push({ node, hash });
      if (aunt === undefined) continue;
      const sibling = path.aunts[used++];
      if (sibling?.length !== nodeBytes) return undefined;
      shown.push({ node: aunt, hash: sibling });
      hash = isRight ? merkleInnerHash(sibling, hash) : merkleInnerHash(hash, sibling);
    }
    return used === path.aunts.length && equalBytes(hash, path.root) ? shown : undefined;
  }

  /** The whole row, of `nodes` × 32 bytes. @param leafHashes of all pieces, in their order */
  rowOf(leafHashes: readonly Uint8Array[]): Uint8Array {
    const row = new Uint8Array(this.nodes * nodeBytes);
    const at = (node: number): Uint8Array => row.subarray(node * nodeBytes, (node + 1) * nodeBytes);
    for (const [leaf, hash] of leafHashes.entries()) row.set(hash, leaf * nodeBytes);
    let below = 0;
    for (const width of this.#widths.slice(0, -1)) {
      const above = below + width;
      for (let i = 0; i < width; i += 2) {
        const left = at(below + i);
        row.set(i + 1 === width ? left : innerHash(left, at(below + i + 1)), (above + i / 2) * nodeBytes);
      }
      below = above;
    }
    return row;
  }

  #stepsOf(leaf: number): Step[] {
    if (!(Number.isInteger(leaf) && leaf >= 0 && leaf < this.leaves)) throw new RangeError(`there is no leaf ${leaf}`);
    let first = 0;
    return this.#widths.map((width, level) => {
      const place = leaf >>> level;
      const sibling = place ^ 1;
      const step = {
        node: first + place,
        aunt: sibling < width ? first + sibling : undefined,
        isRight: (place & 1) === 1,
      };
      first += width;
      return step;
    });
  }
}

/** As `merkleInnerHash`, natively: a large file has tens of thousands. */
function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(innerPrefix).update(left).update(right).digest();
}

const innerPrefix = new Uint8Array([1]);
