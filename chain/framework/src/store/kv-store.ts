/** The longest key: every store can hold it, on every machine. The SDK's bound is 128 KiB; no key of ours has 500 bytes. */
export const maxKeyLength = 1024;

/** @throws Error on an empty key, which the SDK's stores refuse too, and on one that is too long */
export function checkKey(key: Uint8Array): void {
  if (key.length === 0) throw new Error('a key is not empty');
  if (key.length > maxKeyLength) throw new Error(`a key has at most ${maxKeyLength} bytes, not ${key.length}`);
}

/** What a module sees of a store: keys and values are bytes, keys ascend in byte order. */
export interface KVStore {
  get(key: Uint8Array): Uint8Array | undefined;
  has(key: Uint8Array): boolean;
  /** @throws Error as `checkKey` */
  set(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
  /** Pairs with start ≤ key < end (no bound where undefined), ascending, or descending with `reverse`. */
  iterate(start?: Uint8Array, end?: Uint8Array, reverse?: boolean): IterableIterator<[Uint8Array, Uint8Array]>;
}

/** A set of named stores that are written together. */
export interface MultiStore {
  store(name: string): KVStore;
}

/** A key touched by a block, with its last value; no value: deleted. */
export interface Change {
  readonly store: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** The first key behind all that begin with `prefix`; undefined when there is none (empty or all 0xff). */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let last = prefix.length - 1; last >= 0; last -= 1) {
    const byte = prefix[last] as number;
    if (byte < 0xff) {
      const end = prefix.slice(0, last + 1);
      end[last] = byte + 1;
      return end;
    }
  }
  return undefined;
}
