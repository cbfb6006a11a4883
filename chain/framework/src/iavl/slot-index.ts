/**
 * Which slot holds which node: a hash table in flat memory, made once in its full size. A Map would have to move all its
 * entries whenever it grows, in the middle of a block, and the collector would walk it.
 */
import type { NodeId } from './node.ts';

const none = 0;

export class SlotIndex {
  /** Ids at their places; 0 is free. Probing is linear, and at most half of the places are taken. */
  readonly #ids: Float64Array;
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** @param capacity entries at most */
  constructor(capacity: number) {
    let places = 16;
    while (places < capacity * 2) places *= 2;
    this.#ids = new Float64Array(places);
    this.#slots = new Int32Array(places);
    this.#mask = places - 1;
  }

  /** −1 when it is not there. */
  get(id: NodeId): number {
    const at = this.#find(id);
    return this.#ids[at] === id ? (this.#slots[at] as number) : -1;
  }

  set(id: NodeId, slot: number): void {
    const at = this.#find(id);
    this.#ids[at] = id;
    this.#slots[at] = slot;
  }

  /** Takes an entry out and closes the gap, so that no probing ends too early. */
  delete(id: NodeId): void {
    let gap = this.#find(id);
    if (this.#ids[gap] !== id) return;
    for (let at = (gap + 1) & this.#mask; this.#ids[at] !== none; at = (at + 1) & this.#mask) {
      const home = this.#home(this.#ids[at] as number);
      // Whoever would be sought at or before the gap moves into it.
      if (((at - home) & this.#mask) < ((at - gap) & this.#mask)) continue;
      this.#ids[gap] = this.#ids[at] as number;
      this.#slots[gap] = this.#slots[at] as number;
      gap = at;
    }
    this.#ids[gap] = none;
  }

  #home(id: NodeId): number {
    return (Math.imul(id % 0x1_0000_0000, 0x9e37_79b1) >>> 7) & this.#mask;
  }

  /** The place of an id, or the free one where it belongs. */
  #find(id: NodeId): number {
    let at = this.#home(id);
    while (this.#ids[at] !== none && this.#ids[at] !== id) at = (at + 1) & this.#mask;
    return at;
  }
}
