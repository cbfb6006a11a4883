/** What entries weigh together at most, where their number alone says too little. */
export interface WeightBound<V> {
  /** the weight of an entry; it does not change */
  readonly of: (value: V) => number;
  readonly most: number;
}

/**
 * A cache of pure results with a bound on its entries; the oldest entry makes room. What it answers never depends on
 * what it holds, so it may differ between nodes.
 */
export class BoundedCache<V> {
  readonly #entries = new Map<string, V>();
  /** keys in the order in which they came, from `#oldest` on: a Map is slow to say its first key after many deletes */
  #order: string[] = [];
  #oldest = 0;
  readonly #capacity: number;
  readonly #bound: WeightBound<V> | undefined;
  #weight = 0;
  /** How often something was found here, and how often not: for metrics. */
  hits = 0;
  misses = 0;

  /** @param capacity entries at most */
  constructor(capacity: number, bound?: WeightBound<V>) {
    this.#capacity = capacity;
    this.#bound = bound;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) this.misses += 1;
    else this.hits += 1;
    return value;
  }

  /** An entry that is heavier than the whole bound is not kept. */
  set(key: string, value: V): void {
    if (this.#bound === undefined) {
      if (this.#entries.size >= this.#capacity && !this.#entries.has(key)) this.#dropOldest();
      this.#put(key, value);
      return;
    }
    this.delete(key);
    const weight = this.#bound.of(value);
    if (weight > this.#bound.most) return;
    while (this.#entries.size >= this.#capacity || this.#weight + weight > this.#bound.most) this.#dropOldest();
    this.#put(key, value);
    this.#weight += weight;
  }

  #put(key: string, value: V): void {
    const { size } = this.#entries;
    this.#entries.set(key, value);
    if (this.#entries.size === size) return;
    this.#order.push(key);
    if (this.#order.length > 2 * this.#capacity) this.#tidy();
  }

  /** What nobody will ask for any more; an absent key changes nothing. */
  delete(key: string): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    if (this.#bound !== undefined) this.#weight -= this.#bound.of(value);
  }

  #dropOldest(): void {
    // Keys that were deleted stand in the order yet.
    for (let dropped = false; !dropped; ) {
      const key = this.#order[this.#oldest++] as string;
      dropped = this.#entries.has(key);
      this.delete(key);
    }
  }

  /** Leaves out of the order what is here no longer. */
  #tidy(): void {
    this.#order = [...this.#entries.keys()];
    this.#oldest = 0;
  }
}
