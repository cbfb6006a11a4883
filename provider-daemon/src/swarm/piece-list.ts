/** The pieces of all files of a manifest as one list, which is what a swarm exchanges. */
import { swarmLimits } from './limits.ts';

/** What is needed of a file of a manifest's head. */
export interface PieceFile {
  /** bytes, at least 1 */
  readonly size: number;
  /** bytes of each of its pieces but the last */
  readonly pieceSize: number;
}

/** Where a piece belongs. */
export interface PiecePlace {
  /** index of the file in the head's list */
  readonly file: number;
  /** index of the piece in that file: the leaf of its Merkle tree */
  readonly index: number;
  readonly bytes: number;
}

export class PieceList {
  /** pieces in all */
  readonly count: number;
  /** bytes in all */
  readonly bytes: number;
  /** bytes of the largest piece; 0 where there is none */
  readonly largest: number;
  readonly #files: readonly PieceFile[];
  /** by file, the number of its first piece; at the end, of one more */
  readonly #firsts: number[] = [0];

  /** @throws RangeError for a file without bytes or pieces, and above `swarmLimits.pieces` in all */
  constructor(files: readonly PieceFile[]) {
    let [bytes, largest] = [0, 0];
    for (const { size, pieceSize } of files) {
      if (!(Number.isSafeInteger(size) && size > 0)) throw new RangeError(`a file of ${size} bytes has no pieces`);
      if (!(Number.isSafeInteger(pieceSize) && pieceSize > 0)) throw new RangeError(`no piece has ${pieceSize} bytes`);
      this.#firsts.push((this.#firsts.at(-1) as number) + Math.ceil(size / pieceSize));
      bytes += size;
      largest = Math.max(largest, Math.min(size, pieceSize));
    }
    this.#files = files;
    this.count = this.#firsts.at(-1) as number;
    if (this.count > swarmLimits.pieces) {
      throw new RangeError(`${this.count} pieces: at most ${swarmLimits.pieces}; larger pieces make fewer`);
    }
    this.bytes = bytes;
    this.largest = largest;
  }

  /** @throws RangeError for a piece that there is not */
  placeOf(piece: number): PiecePlace {
    if (!(Number.isInteger(piece) && piece >= 0 && piece < this.count)) {
      throw new RangeError(`there is no piece ${piece} of ${this.count}`);
    }
    let [low, high] = [0, this.#files.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#firsts[middle] as number) <= piece) low = middle;
      else high = middle - 1;
    }
    const { size, pieceSize } = this.#files[low] as PieceFile;
    const index = piece - (this.#firsts[low] as number);
    return { file: low, index, bytes: Math.min(pieceSize, size - index * pieceSize) };
  }

  bytesOf(piece: number): number {
    return this.placeOf(piece).bytes;
  }
}
