/**
 * Byte strings by the million in flat memory. A million addresses as texts in a Set take 150 MB, and the garbage collector
 * looks at each; here they take 45 MB in a few dozen pieces.
 */

const pieceBytes = 1_048_576;
/** The first piece of a list; each further one is as large as all before together, up to `pieceBytes`. */
const firstPieceBytes = 1_024;
const lengthBytes = 4;

/** Byte strings in the order in which they came. */
export class ByteList {
  #pieces: Uint8Array[] = [];
  /** bytes of the last piece that are taken */
  #used = 0;
  /** bytes of all pieces */
  #bytes = 0;
  /** by index, where the string is: its piece times the size of a piece, and its place there */
  #places = new Float64Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that the strings take. */
  get bytes(): number {
    return this.#bytes + this.#places.byteLength;
  }

  /** @returns its index */
  push(bytes: Uint8Array): number {
    const length = lengthBytes + bytes.length;
    const piece = this.#pieceFor(length);
    for (let index = 0; index < lengthBytes; index += 1) piece[this.#used + index] = bytes.length >>> (8 * index);
    for (let index = 0; index < bytes.length; index += 1) piece[this.#used + lengthBytes + index] = bytes[index]!;
    if (this.#length === this.#places.length) this.#places = enlarged(this.#places);
    this.#places[this.#length] = (this.#pieces.length - 1) * pieceBytes + this.#used;
    this.#used += length;
    this.#length += 1;
    return this.#length - 1;
  }

  /** The last piece, or a new one where it has no such room. A string that is longer than a piece has one of its own. */
  #pieceFor(length: number): Uint8Array {
    const last = this.#pieces[this.#pieces.length - 1];
    if (last !== undefined && this.#used + length <= Math.min(last.length, pieceBytes)) return last;
    const piece = new Uint8Array(Math.max(Math.min(Math.max(firstPieceBytes, this.#bytes), pieceBytes), length));
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    this.#used = 0;
    return piece;
  }

  /** The bytes at an index; they are the list's own. */
  at(index: number): Uint8Array {
    const place = this.#places[index]!;
    const piece = this.#pieces[Math.floor(place / pieceBytes)]!;
    const at = place % pieceBytes;
    return piece.subarray(at + lengthBytes, at + lengthBytes + lengthIn(piece, at));
  }

  /** A byte of the string at an index; −1 behind its end. */
  byteAt(index: number, offset: number): number {
    const place = this.#places[index]!;
    const piece = this.#pieces[Math.floor(place / pieceBytes)]!;
    const at = place % pieceBytes;
    return offset < lengthIn(piece, at) ? piece[at + lengthBytes + offset]! : -1;
  }

  /** Whether these bytes stand at an index. */
  isAt(index: number, bytes: Uint8Array): boolean {
    const place = this.#places[index]!;
    const piece = this.#pieces[Math.floor(place / pieceBytes)]!;
    const at = place % pieceBytes;
    if (lengthIn(piece, at) !== bytes.length) return false;
    const start = at + lengthBytes;
    for (let offset = 0; offset < bytes.length; offset += 1) if (piece[start + offset] !== bytes[offset]) return false;
    return true;
  }

  /** The indexes by the order of their bytes, ascending. */
  sorted(): Uint32Array {
    const order = Uint32Array.from({ length: this.#length }, (_, index) => index);
    sortPart(this, order, 0, order.length, 0);
    return order;
  }
}

function lengthIn(piece: Uint8Array, at: number): number {
  return (piece[at]! | (piece[at + 1]! << 8) | (piece[at + 2]! << 16) | (piece[at + 3]! << 24)) >>> 0;
}

function enlarged(places: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(places.length * 2);
  larger.set(places);
  return larger;
}

/** Sorts by one byte in three parts, and those that have it in common by the next (Bentley and Sedgewick). */
function sortPart(list: ByteList, order: Uint32Array, from: number, to: number, offset: number): void {
  if (to - from < 2) return;
  const pivot = list.byteAt(order[(from + to) >>> 1]!, offset);
  let [low, at, high] = [from, from, to];
  while (at < high) {
    const index = order[at]!;
    const byte = list.byteAt(index, offset);
    if (byte < pivot) {
      order[at++] = order[low]!;
      order[low++] = index;
    } else if (byte > pivot) {
      order[at] = order[--high]!;
      order[high] = index;
    } else at += 1;
  }
  sortPart(list, order, from, low, offset);
  if (pivot >= 0) sortPart(list, order, low, high, offset + 1);
  sortPart(list, order, high, to, offset);
}

/** A set of byte strings, each with its index in the order in which they came; nothing leaves it. */
export class ByteSet {
  readonly list = new ByteList();
  /** by hash, an index and 1; 0 is a free slot */
  #slots = new Uint32Array(64);
  /** by index: what is looked for is compared with few strings, and none is read when the slots become more */
  #hashes = new Uint32Array(32);

  /** Byte strings in it. */
  get size(): number {
    return this.list.length;
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.list.bytes + this.#slots.byteLength + this.#hashes.byteLength;
  }

  has(bytes: Uint8Array): boolean {
    return this.indexOf(bytes) >= 0;
  }

  /** −1 where it is not in it */
  indexOf(bytes: Uint8Array): number {
    return this.#slots[this.#slotOf(bytes, hashOf(bytes))]! - 1;
  }

  /** @returns false where it was in it already */
  add(bytes: Uint8Array): boolean {
    const hash = hashOf(bytes);
    const slot = this.#slotOf(bytes, hash);
    if (this.#slots[slot] !== 0) return false;
    const index = this.list.push(bytes);
    this.#slots[slot] = index + 1;
    this.#hashes[index] = hash;
    if (this.size === this.#hashes.length) this.#grow();
    return true;
  }

  /** The slot that has these bytes, else the free one where they belong. */
  #slotOf(bytes: Uint8Array, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const index = this.#slots[slot]! - 1;
      if (index < 0 || (this.#hashes[index] === hash && this.list.isAt(index, bytes))) return slot;
    }
  }

  /** Of two slots one is always free: then the next free one is near. */
  #grow(): void {
    const hashes = new Uint32Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    this.#slots = new Uint32Array(hashes.length * 2);
    const mask = this.#slots.length - 1;
    for (let index = 0; index < this.size; index += 1) {
      let slot = hashes[index]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = index + 1;
    }
  }
}

/** FNV-1a, its bits mixed: the lowest ones choose the slot. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index += 1) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
