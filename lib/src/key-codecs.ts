/**
 * Parts of keys in bytes: big-endian and fixed width, or behind their length, so that byte order is the order of the values.
 */
import { concatBytes, fromUtf8, utf8 } from './bytes.ts';

/** Turns a part of a key into bytes and back. */
export interface KeyCodec<K> {
  encode(value: K): Uint8Array;
  /** @returns the value and the offset behind it */
  decode(bytes: Uint8Array, at: number): [K, number];
}

// Written once: V8 computes a power of BigInts anew at each use, and a view for each key costs as much again.
const maxU64 = 2n ** 64n - 1n;
const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);

/** An unsigned integer below 2^64 in 8 bytes. Heights and numbers stand so. */
export const u64Key: KeyCodec<bigint> = {
  encode(value) {
    if (value < 0n || value > maxU64) throw new RangeError(`not an unsigned 64-bit number: ${value}`);
    scratchView.setBigUint64(0, value);
    return scratch.slice();
  },
  decode(bytes, at) {
    return [new DataView(bytes.buffer, bytes.byteOffset + at, 8).getBigUint64(0), at + 8];
  },
};

/** An unsigned integer below 2^32 in 4 bytes. */
export const u32Key: KeyCodec<number> = {
  encode(value) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new RangeError(`not a u32: ${value}`);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value);
    return bytes;
  },
  decode(bytes, at) {
    return [new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0), at + 4];
  },
};

/** At most 255 bytes behind their length in one byte (the SDK's address.LengthPrefix). */
export const bytesKey: KeyCodec<Uint8Array> = {
  encode(value) {
    if (value.length > 255) throw new RangeError(`a key part has at most 255 bytes, not ${value.length}`);
    return concatBytes(Uint8Array.of(value.length), value);
  },
  decode(bytes, at) {
    const length = bytes[at] as number;
    return [bytes.slice(at + 1, at + 1 + length), at + 1 + length];
  },
};

/** Text of at most 255 bytes of UTF-8 behind its length. */
export const textKey: KeyCodec<string> = {
  encode: (value) => bytesKey.encode(utf8(value)),
  decode(bytes, at) {
    const [value, next] = bytesKey.decode(bytes, at);
    return [fromUtf8(value), next];
  },
};

type KeyCodecs<K extends readonly unknown[]> = { readonly [I in keyof K]: KeyCodec<K[I]> };

/** Several parts one after the other. Any number of leading parts is a prefix to iterate over. */
export interface TupleCodec<K extends readonly unknown[]> extends KeyCodec<K> {
  prefix(leading: readonly unknown[]): Uint8Array;
}

export function tupleKey<K extends readonly unknown[]>(...parts: KeyCodecs<K>): TupleCodec<K> {
  const codecs = parts as readonly KeyCodec<unknown>[];
  const prefix = (leading: readonly unknown[]): Uint8Array =>
    concatBytes(...leading.map((value, at) => (codecs[at] as KeyCodec<unknown>).encode(value)));
  return {
    prefix,
    encode: (value) => prefix(value),
    decode(bytes, start) {
      let at = start;
      const values = codecs.map((codec) => {
        const [value, next] = codec.decode(bytes, at);
        at = next;
        return value;
      });
      return [values as unknown as K, at];
    },
  };
}
