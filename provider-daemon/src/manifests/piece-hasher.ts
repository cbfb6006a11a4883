/** The Merkle root of a file that comes in chunks, without holding more than its hashes. */
import { createHash, type Hash } from 'node:crypto';
import { merkleInnerHash } from '@mu/lib/merkle';

const leafPrefix = new Uint8Array([0]);

/** Root over pieces of a fixed size, as `merkleRoot(splitPieces(bytes))` gives it; hashing is native. */
export class PieceHasher {
  readonly #pieceBytes: number;
  readonly #leaves: Uint8Array[] = [];
  #piece: Hash | undefined;
  #filled = 0;

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + this.#pieceBytes - this.#filled);
      this.#piece ??= createHash('sha256').update(leafPrefix);
      this.#piece.update(part);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#pieceBytes) this.#closePiece();
    }
  }

  /** The root of what has come; at least one byte must have. No update may follow. */
  root(): Uint8Array {
    this.#closePiece();
    let level = this.#leaves;
    while (level.length > 1) {
      const above: Uint8Array[] = [];
      for (let i = 0; i < level.length; i += 2) {
        const right = level[i + 1];
        above.push(right === undefined ? level[i]! : merkleInnerHash(level[i]!, right));
      }
      level = above;
    }
    const root = level[0];
    if (root === undefined) throw new RangeError('a file of no bytes has no pieces');
    return root;
  }

  #closePiece(): void {
    if (this.#piece === undefined) return;
    this.#leaves.push(new Uint8Array(this.#piece.digest()));
    this.#piece = undefined;
    this.#filled = 0;
  }
}
