/** The Merkle root of leaves that come one by one, without holding more than a hash for each level of their tree. */
import { createHash } from 'node:crypto';
import { merkleInnerHash, merkleRoot } from '@mu/lib/merkle';

const leafPrefix = new Uint8Array([0]);

/** As `merkleRoot` over all leaves gives it; leaves are hashed natively, since there are many. */
export class RunningRoot {
  /** Roots of whole trees, the largest first: one for each bit that is set in the number of leaves. */
  readonly #trees: Uint8Array[] = [];
  #leaves = 0;

  /** Hashes that are held. */
  get held(): number {
    return this.#trees.length;
  }

  add(leaf: string): void {
    let tree: Uint8Array = new Uint8Array(createHash('sha256').update(leafPrefix).update(leaf, 'utf8').digest());
    // As in adding one to a number: two trees of the same size become one, until there is no other of that size.
    for (let carried = this.#leaves; carried % 2 === 1; carried = Math.floor(carried / 2)) {
      tree = merkleInnerHash(this.#trees.pop()!, tree);
    }
    this.#trees.push(tree);
    this.#leaves += 1;
  }

  /** 32 bytes; of no leaves that of an empty tree. */
  root(): Uint8Array {
    const root = this.#trees.reduceRight<Uint8Array | undefined>(
      (right, left) => (right === undefined ? left : merkleInnerHash(left, right)),
      undefined,
    );
    return root ?? merkleRoot([]);
  }
}
