/** The Merkle root of a file that comes in chunks, without holding more than a hash for each level of their tree. */
import { createHash, type Hash } from 'node:crypto';
import { leafPrefix, RunningRoot } from '@mu/lib/merkle';

/** Root over pieces of a fixed size, as `merkleRoot(splitPieces(bytes))` gives it; hashing is native. */
export class PieceHasher {
  readonly #pieceBytes: number;
  readonly #onPiece: (hash: Uint8Array) => void;
  readonly #root = new RunningRoot();
  #piece: Hash | undefined;
  #filled = 0;

  /** @param onPiece told of each piece's hash, SHA-256(0x00 ‖ piece), in their order */
  constructor(pieceBytes: number, onPiece: (hash: Uint8Array) => void = () => undefined) {
    this.#pieceBytes = pieceBytes;
    this.#onPiece = onPiece;
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
    if (this.#root.held === 0) throw new RangeError('a file of no bytes has no pieces');
    return this.#root.root();
  }

  #closePiece(): void {
    if (this.#piece === undefined) return;
    const hash = new Uint8Array(this.#piece.digest());
    this.#root.add(hash);
    this.#onPiece(hash);
    this.#piece = undefined;
    this.#filled = 0;
  }
}
