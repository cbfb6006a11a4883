/** Unsigned variable-length integers, as protobuf and CometBFT's socket framing use them. */

/** An integer that cannot be written, or bytes that are no acceptable varint. */
export class VarintError extends Error {
  override readonly name = 'VarintError';
}

/** The greatest u64. */
export const maxVarint = (1n << 64n) - 1n;
const maxVarintBytes = 10;

/** The shortest encoding, 1 to 10 bytes. @throws VarintError outside of 0…2⁶⁴−1 or when it is no integer */
export function encodeVarint(value: number | bigint): Uint8Array {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new VarintError(`${value} is not an integer that a number holds exactly`);
  }
  let rest = BigInt(value);
  if (rest < 0n || rest > maxVarint) throw new VarintError(`${value} does not fit into 64 bits`);
  const out: number[] = [];
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Uint8Array.from(out);
}

/** A varint that was read, and where the byte after it stands. */
export interface ReadVarint {
  value: bigint;
  next: number;
}

/**
 * The varint at the offset, or undefined when the bytes end before it does (so that a reader of a stream can wait for
 * more; it needs to wait for at most ten bytes).
 * @param max the greatest value that is accepted, so that a length is refused before anything is reserved for it
 * @throws VarintError above max, above 64 bits, or when it is not as short as possible
 */
export function decodeVarint(bytes: Uint8Array, offset = 0, max: bigint = maxVarint): ReadVarint | undefined {
  let value = 0n;
  for (let i = 0; i < maxVarintBytes; i++) {
    const byte = bytes[offset + i];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (value > max) throw new VarintError(`varint is greater than ${max}`);
    if (byte < 0x80) {
      if (byte === 0 && i > 0) throw new VarintError('varint is not as short as possible');
      return { value, next: offset + i + 1 };
    }
  }
  throw new VarintError('varint is longer than 10 bytes');
}
