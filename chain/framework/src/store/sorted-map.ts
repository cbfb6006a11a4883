/**
 * A map with byte keys that iterates in byte order. Keys are held as latin-1 strings, whose order by code unit is the
 * order of the bytes; the sorted list is made at the first iteration. What comes and goes later waits for the next one:
 * moving the list for each of a block's keys takes the square of their number.
 */
export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  #sorted: string[] | undefined;
  /** keys that are not in the sorted list yet */
  #added: string[] = [];
  /** keys of either list that are gone */
  readonly #gone = new Set<string>();

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  set(key: string, value: V): void {
    // A key that went and comes again stands in its list still.
    if (this.#sorted !== undefined && !this.#values.has(key) && !this.#gone.delete(key)) this.#added.push(key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (this.#values.delete(key) && this.#sorted !== undefined) this.#gone.add(key);
  }

  /** Entries as they are now, ascending. */
  *entries(): IterableIterator<[string, V]> {
    for (const key of this.#order().slice()) yield [key, this.#values.get(key) as V];
  }

  /** Entries in no useful order: only for writing them all into another map. */
  entriesUnordered(): IterableIterator<[string, V]> {
    return this.#values.entries();
  }

  /**
   * The first key ≥ `from` (or, in reverse, the last key < `from`); undefined where there is none. Iteration by such
   * steps stays right while keys are added and removed.
   */
  seek(from: string | undefined, reverse: boolean): string | undefined {
    const sorted = this.#order();
    if (!reverse) return sorted[from === undefined ? 0 : lowerBound(sorted, from)];
    return sorted[(from === undefined ? sorted.length : lowerBound(sorted, from)) - 1];
  }

  #order(): string[] {
    if (this.#sorted === undefined) {
      this.#sorted = [...this.#values.keys()].sort(byCodeUnit);
      return this.#sorted;
    }
    if (this.#gone.size > 0) this.#forgetGone(this.#sorted);
    if (this.#added.length > 0) {
      this.#sorted = withAdded(this.#sorted, this.#added);
      this.#added = [];
    }
    return this.#sorted;
  }

  #forgetGone(sorted: string[]): void {
    const stands = (key: string): boolean => !this.#gone.has(key);
    // What came and went since the last look is in no sorted list.
    const added = this.#added.filter(stands);
    const isFew = this.#gone.size <= few;
    if (isFew) for (const key of this.#gone) removeFrom(sorted, key);
    else this.#sorted = sorted.filter(stands);
    this.#added = added;
    this.#gone.clear();
  }
}

/** So few keys are put in their places, or taken from them, one by one. */
const few = 16;

/** A sorted list with keys that it lacks; it may be the same list, changed. */
function withAdded(sorted: string[], added: string[]): string[] {
  if (added.length <= few) {
    for (const key of added) sorted.splice(lowerBound(sorted, key), 0, key);
    return sorted;
  }
  added.sort(byCodeUnit);
  const merged: string[] = [];
  let next = 0;
  for (const key of added) {
    while (next < sorted.length && (sorted[next] as string) < key) merged.push(sorted[next++] as string);
    merged.push(key);
  }
  while (next < sorted.length) merged.push(sorted[next++] as string);
  return merged;
}

/** Takes a key out of a sorted list, where it is in it. */
function removeFrom(sorted: string[], key: string): void {
  const at = lowerBound(sorted, key);
  if (sorted[at] === key) sorted.splice(at, 1);
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The index of the first element ≥ key. */
function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Node's own conversion, without making a Buffer of the bytes first: keys are converted at every access to a store. */
const latin1Slice: (this: Uint8Array, start: number, end: number) => string = (
  Buffer.prototype as unknown as { readonly latin1Slice: (this: Uint8Array, start: number, end: number) => string }
).latin1Slice;

/** Bytes as the latin-1 string that the map is keyed by. */
export function toMapKey(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.length);
}

/** The bytes of a map key. */
export function fromMapKey(key: string): Uint8Array {
  const bytes = new Uint8Array(key.length);
  for (let at = 0; at < key.length; at += 1) bytes[at] = key.charCodeAt(at);
  return bytes;
}
