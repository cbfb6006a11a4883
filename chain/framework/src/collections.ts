/**
 * Typed state: every record of a module stands in a collection with one prefix byte and a key codec. Keys are
 * big-endian and fixed width, or length-prefixed, so that byte order is the order of the values.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { compareBytes, concatBytes } from '@mu/lib/bytes';
import { type KeyCodec, type TupleCodec, u64Key } from '@mu/lib/key-codecs';
import type { Context } from './context.ts';
import { prefixEnd } from './store/kv-store.ts';

export { bytesKey, type KeyCodec, type TupleCodec, textKey, tupleKey, u32Key, u64Key } from '@mu/lib/key-codecs';

/** A message type as ts-proto and cosmjs-types generate it. */
export interface MessageCodec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** What ts-proto generates: it can write into a buffer that is there already. */
interface GeneratedCodec<T> extends MessageCodec<T> {
  readonly $type: string;
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
}

/** For all records, one after the other: a writer of its own would grow its buffer anew for each. */
let writer = new BinaryWriter();

function encodeRecord<T>(codec: MessageCodec<T>, value: T): Uint8Array {
  // Only ts-proto's codecs say `$type`; those of cosmjs-types have writers of another class.
  if (!('$type' in codec)) return codec.encode(value).finish();
  try {
    return (codec as GeneratedCodec<T>).encode(value, writer).finish();
  } catch (error) {
    // It holds the part before what could not be written.
    writer = new BinaryWriter();
    throw error;
  }
}

/** Where an iteration begins and ends; everything is optional. */
export interface Range<K> {
  /** leading parts of a tuple key that all entries share */
  readonly prefix?: readonly unknown[];
  /** the first key to see (ascending) */
  readonly from?: K;
  /** the first key not to see (ascending), or the one below which a descending iteration begins */
  readonly before?: K;
  readonly reverse?: boolean;
}

/** What all collections share: a store, a prefix and a key codec. */
class Keyed<K> {
  readonly storeName: string;
  protected readonly prefix: Uint8Array;
  readonly keyCodec: KeyCodec<K>;

  constructor(storeName: string, prefix: number, keyCodec: KeyCodec<K>) {
    this.storeName = storeName;
    this.prefix = Uint8Array.of(prefix);
    this.keyCodec = keyCodec;
  }

  /** The key's bytes in the store: what a proof is asked for. */
  rawKey(key: K): Uint8Array {
    return concatBytes(this.prefix, this.keyCodec.encode(key));
  }

  has(ctx: Context, key: K): boolean {
    return ctx.store(this.storeName).has(this.rawKey(key));
  }

  delete(ctx: Context, key: K): void {
    ctx.store(this.storeName).delete(this.rawKey(key));
  }

  /** Bounds of a range in bytes: [start, end). */
  bounds(range: Range<K>): [Uint8Array, Uint8Array | undefined] {
    const leading = range.prefix ?? [];
    const within = concatBytes(this.prefix, leading.length === 0 ? new Uint8Array() : this.#tuple().prefix(leading));
    let start = within;
    let end = prefixEnd(within);
    if (range.from !== undefined) start = larger(start, this.rawKey(range.from));
    if (range.before !== undefined) {
      const before = this.rawKey(range.before);
      if (end === undefined || compareBytes(before, end) < 0) end = before;
    }
    return [start, end];
  }

  protected *pairs(ctx: Context, range: Range<K>): IterableIterator<[K, Uint8Array]> {
    const [start, end] = this.bounds(range);
    for (const [key, value] of ctx.store(this.storeName).iterate(start, end, range.reverse ?? false)) {
      yield [this.keyCodec.decode(key, 1)[0], value];
    }
  }

  #tuple(): TupleCodec<readonly unknown[]> {
    if (!('prefix' in this.keyCodec)) throw new TypeError('only a tuple key has leading parts');
    return this.keyCodec as unknown as TupleCodec<readonly unknown[]>;
  }
}

function larger(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareBytes(a, b) >= 0 ? a : b;
}

/** Records by key. */
export class Collection<K, T> extends Keyed<K> {
  readonly codec: MessageCodec<T>;

  constructor(storeName: string, prefix: number, keyCodec: KeyCodec<K>, codec: MessageCodec<T>) {
    super(storeName, prefix, keyCodec);
    this.codec = codec;
  }

  get(ctx: Context, key: K): T | undefined {
    const bytes = ctx.store(this.storeName).get(this.rawKey(key));
    return bytes === undefined ? undefined : this.codec.decode(bytes);
  }

  set(ctx: Context, key: K, value: T): void {
    ctx.store(this.storeName).set(this.rawKey(key), encodeRecord(this.codec, value));
  }

  *iterate(ctx: Context, range: Range<K> = {}): IterableIterator<[K, T]> {
    for (const [key, bytes] of this.pairs(ctx, range)) yield [key, this.codec.decode(bytes)];
  }
}

/** A set of keys in order: an index, a queue of deadlines. */
export class KeySet<K> extends Keyed<K> {
  add(ctx: Context, key: K): void {
    ctx.store(this.storeName).set(this.rawKey(key), new Uint8Array());
  }

  *iterate(ctx: Context, range: Range<K> = {}): IterableIterator<K> {
    for (const [key] of this.pairs(ctx, range)) yield key;
  }
}

/** One record without a key: parameters. */
export class Item<T> {
  readonly #storeName: string;
  readonly #key: Uint8Array;
  readonly codec: MessageCodec<T>;

  constructor(storeName: string, prefix: number, codec: MessageCodec<T>) {
    this.#storeName = storeName;
    this.#key = Uint8Array.of(prefix);
    this.codec = codec;
  }

  /** @throws Error before genesis has set it */
  get(ctx: Context): T {
    const bytes = ctx.store(this.#storeName).get(this.#key);
    if (bytes === undefined) throw new Error(`${this.#storeName}: an item is read before genesis has set it`);
    return this.codec.decode(bytes);
  }

  set(ctx: Context, value: T): void {
    ctx.store(this.#storeName).set(this.#key, this.codec.encode(value).finish());
  }
}

/** A counter that gives each number once, beginning at 1. */
export class Counter {
  readonly #storeName: string;
  readonly #key: Uint8Array;

  constructor(storeName: string, prefix: number) {
    this.#storeName = storeName;
    this.#key = Uint8Array.of(prefix);
  }

  /** The last number given; 0 before the first. */
  last(ctx: Context): bigint {
    const bytes = ctx.store(this.#storeName).get(this.#key);
    return bytes === undefined ? 0n : u64Key.decode(bytes, 0)[0];
  }

  next(ctx: Context): bigint {
    const number = this.last(ctx) + 1n;
    this.set(ctx, number);
    return number;
  }

  /** Sets the last number given: for genesis. */
  set(ctx: Context, last: bigint): void {
    ctx.store(this.#storeName).set(this.#key, u64Key.encode(last));
  }
}
