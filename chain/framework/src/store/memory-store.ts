/** A flat store in memory. */
import { checkKey, type KVStore } from './kv-store.ts';
import { fromMapKey, SortedMap, toMapKey } from './sorted-map.ts';

export class MemoryStore implements KVStore {
  readonly #pairs = new SortedMap<Uint8Array>();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#pairs.get(toMapKey(key));
  }

  has(key: Uint8Array): boolean {
    return this.#pairs.has(toMapKey(key));
  }

  set(key: Uint8Array, value: Uint8Array): void {
    checkKey(key);
    this.#pairs.set(toMapKey(key), value);
  }

  delete(key: Uint8Array): void {
    this.#pairs.delete(toMapKey(key));
  }

  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    const low = start === undefined ? undefined : toMapKey(start);
    const high = end === undefined ? undefined : toMapKey(end);
    let key = this.#pairs.seek(reverse ? high : low, reverse);
    while (key !== undefined && (reverse ? low === undefined || key >= low : high === undefined || key < high)) {
      yield [fromMapKey(key), this.#pairs.get(key) as Uint8Array];
      key = this.#pairs.seek(reverse ? key : `${key}\0`, reverse);
    }
  }
}
