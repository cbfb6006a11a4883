/** Unsigned varints of protobuf, as far as lengths and tags need them. */

/** The longest varint of 32 bits. */
const maxBytes = 5;

/** A varint that stands in a buffer, and the place after it. */
export interface Varint {
  readonly value: number;
  readonly end: number;
}

/** @throws RangeError when it does not end within the buffer, or within 32 bits */
export function readVarint(bytes: Uint8Array, start: number): Varint {
  let value = 0;
  for (let at = start; at < bytes.length && at < start + maxBytes; at++) {
    const byte = bytes[at]!;
    // Not a shift: those are of 32 bits with a sign.
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) {
      if (value > 0xffff_ffff) break;
      return { value, end: at + 1 };
    }
  }
  throw new RangeError(`no varint of 32 bits at byte ${start} of ${bytes.length}`);
}

/** How many bytes {@link writeVarint} takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Writes at `start`; returns the place after it. */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
  bytes[at++] = rest;
  return at;
}
