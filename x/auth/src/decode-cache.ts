/**
 * Remembers what the last value under a key was decoded to. An account is read many times for one transaction; the bytes
 * are read (and paid for) each time, and decoded only when they differ. What it answers never depends on what it holds.
 */
import { BoundedCache } from '@mu/framework/bounded-cache';

interface Decoded<T> {
  readonly bytes: Uint8Array;
  readonly value: T;
}

export class DecodeCache<T> {
  readonly #entries: BoundedCache<Decoded<T>>;

  /** @param capacity keys that are remembered */
  constructor(capacity: number) {
    this.#entries = new BoundedCache(capacity);
  }

  /** What the bytes under the key mean. */
  read(key: string, bytes: Uint8Array, decode: () => T): T {
    const known = this.#entries.get(key);
    if (known !== undefined && (known.bytes === bytes || Buffer.compare(known.bytes, bytes) === 0)) return known.value;
    const value = decode();
    // A copy: a store may use its buffer again.
    this.remember(key, new Uint8Array(bytes), value);
    return value;
  }

  /** What was just written. @param bytes that nobody will change */
  remember(key: string, bytes: Uint8Array, value: T): void {
    this.#entries.set(key, { bytes, value });
  }
}
