/** Prices of a metric as keys: fixed width and big-endian, so that the cheapest comes first. */
import type { KeyCodec } from '@mu/framework/collections';

/**
 * Two prices a/b and c/d that differ, differ by at least 1/(b × d). `per` is below 2^64, so 128 more bits keep every two of
 * them apart, and equal ones (1 for 10, 10 for 100) are one key: cutting the rest loses nothing.
 */
const fractionBits = 128n;
/** A price is at most 10^54 atomics: 180 bits, and the 128 behind the point. */
const keyBytes = 40;

/**
 * What one base unit costs, in 10^-18 umu / 2^128.
 * @param atomics the price for `per` base units in 10^-18 umu, not below 0
 * @param per at least 1, below 2^64
 */
export function unitPrice(atomics: bigint, per: bigint): bigint {
  return (atomics << fractionBits) / per;
}

/** A unit price in 40 bytes. */
export const unitPriceKey: KeyCodec<bigint> = {
  encode(value) {
    const hex = value.toString(16).padStart(keyBytes * 2, '0');
    if (value < 0n || hex.length > keyBytes * 2) throw new RangeError(`not a unit price: ${value}`);
    return Uint8Array.from({ length: keyBytes }, (_, at) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16));
  },
  decode(bytes, at) {
    let value = 0n;
    for (const byte of bytes.subarray(at, at + keyBytes)) value = (value << 8n) | BigInt(byte);
    return [value, at + keyBytes];
  },
};
