/** Pieces that are neither had nor asked for, in flat memory: adding, removing and walking through them is cheap. */
export class Wanted {
  /** the pieces, in no order; beyond `#size` nothing */
  readonly #list: Uint32Array;
  /** by piece, its place in the list and one; 0: it is not there */
  readonly #places: Uint32Array;
  #size = 0;

  constructor(count: number, isWanted: (piece: number) => boolean) {
    this.#list = new Uint32Array(count);
    this.#places = new Uint32Array(count);
    for (let piece = 0; piece < count; piece += 1) if (isWanted(piece)) this.add(piece);
  }

  get size(): number {
    return this.#size;
  }

  has(piece: number): boolean {
    return (this.#places[piece] ?? 0) !== 0;
  }

  add(piece: number): void {
    if (this.has(piece)) return;
    this.#list[this.#size] = piece;
    this.#size += 1;
    this.#places[piece] = this.#size;
  }

  delete(piece: number): void {
    const place = this.#places[piece] ?? 0;
    if (place === 0) return;
    this.#size -= 1;
    const last = this.#list[this.#size] as number;
    this.#list[place - 1] = last;
    this.#places[last] = place;
    this.#places[piece] = 0;
  }

  /** The piece at a place from 0 to below `size`. */
  at(place: number): number {
    return this.#list[place] as number;
  }

  /** In no order; nothing may be added or removed meanwhile. */
  *[Symbol.iterator](): Generator<number> {
    for (let place = 0; place < this.#size; place += 1) yield this.#list[place] as number;
  }
}
