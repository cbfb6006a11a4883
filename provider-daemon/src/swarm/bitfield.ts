/** Which pieces somebody has: one bit each, the first piece the highest bit of the first byte, spare bits zero. */
export class Bitfield {
  /** pieces in all */
  readonly length: number;
  readonly #bytes: Uint8Array;
  #ones = 0;

  /** Nothing is had. */
  constructor(length: number) {
    this.length = length;
    this.#bytes = new Uint8Array(Math.ceil(length / 8));
  }

  /** Everything is had. */
  static full(length: number): Bitfield {
    const result = new Bitfield(length);
    for (let piece = 0; piece < length; piece += 1) result.add(piece);
    return result;
  }

  /** What a stranger says it has. @returns undefined for another length than the pieces take, or spare bits that are set */
  static read(bytes: Uint8Array, length: number): Bitfield | undefined {
    const result = new Bitfield(length);
    if (bytes.length !== result.#bytes.length) return undefined;
    for (let piece = 0; piece < length; piece += 1) {
      if (((bytes[piece >> 3] as number) & (0x80 >> (piece & 7))) !== 0) result.add(piece);
    }
    const spare = 8 * bytes.length - length;
    if (spare > 0 && ((bytes.at(-1) as number) & ((1 << spare) - 1)) !== 0) return undefined;
    return result;
  }

  /** How many are had. */
  get size(): number {
    return this.#ones;
  }

  get isFull(): boolean {
    return this.#ones === this.length;
  }

  /** Bytes of memory that the bits take. */
  get byteLength(): number {
    return this.#bytes.length;
  }

  has(piece: number): boolean {
    return ((this.#bytes[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0;
  }

  /** @returns false when it was had before. @throws RangeError for a piece that there is not */
  add(piece: number): boolean {
    if (!(piece >= 0 && piece < this.length)) throw new RangeError(`there is no piece ${piece} of ${this.length}`);
    if (this.has(piece)) return false;
    this.#bytes[piece >> 3] = (this.#bytes[piece >> 3] as number) | (0x80 >> (piece & 7));
    this.#ones += 1;
    return true;
  }

  delete(piece: number): boolean {
    if (!this.has(piece)) return false;
    this.#bytes[piece >> 3] = (this.#bytes[piece >> 3] as number) & ~(0x80 >> (piece & 7));
    this.#ones -= 1;
    return true;
  }

  /** The pieces that are had, in their order. */
  *[Symbol.iterator](): Generator<number> {
    for (let piece = 0; piece < this.length; piece += 1) if (this.has(piece)) yield piece;
  }

  /** A copy of the bits as they go over the wire. */
  toBytes(): Uint8Array {
    return this.#bytes.slice();
  }
}
