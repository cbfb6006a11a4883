/** Writes that wait, in flat memory: as objects the millions of a genesis would be the garbage collector's main concern. */
import { ByteList, ByteSet } from '@mu/lib/byte-set';
import type { Change, KVStore } from './kv-store.ts';

/** Stands for a value where the key was deleted. */
const deleted = -1;

/** The writes of one store over a parent, which get there by whoever takes them. */
export class WriteLog implements KVStore {
  readonly #parent: KVStore;
  #keys = new ByteSet();
  #values = new ByteList();
  /** by the index of a key, that of its last value */
  #last: number[] = [];

  constructor(parent: KVStore) {
    this.#parent = parent;
  }

  /** Keys that were written. */
  get size(): number {
    return this.#last.length;
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#keys.bytes + this.#values.bytes + this.#last.length * 8;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const index = this.#keys.indexOf(key);
    return index < 0 ? this.#parent.get(key) : this.#valueOf(index)?.slice();
  }

  has(key: Uint8Array): boolean {
    const index = this.#keys.indexOf(key);
    return index < 0 ? this.#parent.has(key) : this.#last[index] !== deleted;
  }

  set(key: Uint8Array, value: Uint8Array): void {
    this.#put(key, this.#values.push(value));
  }

  delete(key: Uint8Array): void {
    this.#put(key, deleted);
  }

  /** What the parent has: whoever iterates has taken the writes before. */
  iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    if (this.#last.length > 0) throw new Error('writes wait: the parent has not all that there is');
    return this.#parent.iterate(start, end, reverse);
  }

  /** The writes since the last time, by key, ascending. Their bytes may be used until the next is asked for. */
  *take(store: string): IterableIterator<Change> {
    const { list } = this.#keys;
    for (const index of list.sorted()) yield { store, key: list.at(index), value: this.#valueOf(index) };
    this.#keys = new ByteSet();
    this.#values = new ByteList();
    this.#last = [];
  }

  #put(key: Uint8Array, value: number): void {
    // Most are new.
    if (this.#keys.add(key)) this.#last.push(value);
    else this.#last[this.#keys.indexOf(key)] = value;
  }

  #valueOf(index: number): Uint8Array | undefined {
    const value = this.#last[index] as number;
    return value === deleted ? undefined : this.#values.at(value);
  }
}
