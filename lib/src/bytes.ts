/** Byte strings: comparison, joining, and the text forms (hex, base64, UTF-8) that hot paths need. Runs in a browser. */

/** A text or a byte string that is not what it claims to be. */
export class BytesError extends Error {
  override readonly name = 'BytesError';
}

const maxU64 = (1n << 64n) - 1n;
const maxU32 = 0xffff_ffff;
const maxSafe = BigInt(Number.MAX_SAFE_INTEGER);

/** True when both have the same length and bytes. Not constant-time: never compare secrets with it. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order of unsigned bytes, a prefix before what it begins: −1, 0 or 1 (Go's bytes.Compare). */
export function compareBytes(a: Uint8Array, b: Uint8Array): -1 | 0 | 1 {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x !== y) return x < y ? -1 : 1;
  }
  if (a.length === b.length) return 0;
  return a.length < b.length ? -1 : 1;
}

/** All parts after one another, in a fresh array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

const hexDigits = '0123456789abcdef';
const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, i) => hexDigits[i >> 4]! + hexDigits[i & 15]!);
/** Value of a hex digit by character code; −1 for every other character. */
const nibbleOfChar = new Int8Array(128).fill(-1);
for (let i = 0; i < 16; i++) {
  nibbleOfChar[hexDigits.charCodeAt(i)] = i;
  nibbleOfChar[hexDigits.toUpperCase().charCodeAt(i)] = i;
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i++) out += hexOfByte[bytes[i]!]!;
  return out;
}

/** Bytes of a hex text of either case. @throws BytesError on an odd length or another character */
export function fromHex(text: string): Uint8Array {
  if (text.length & 1) throw new BytesError('hex text has an odd number of digits');
  const out = new Uint8Array(text.length >> 1);
  for (let i = 0; i < out.length; i++) {
    const high = nibbleOfChar[text.charCodeAt(2 * i)] ?? -1;
    const low = nibbleOfChar[text.charCodeAt(2 * i + 1)] ?? -1;
    if (high < 0 || low < 0) throw new BytesError(`hex text has a character that is no digit near position ${2 * i}`);
    out[i] = (high << 4) | low;
  }
  return out;
}

const base64Digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Twelve bits to two characters: half the look-ups and half the string joins of a table of single characters. */
const base64Pairs: readonly string[] = Array.from(
  { length: 4096 },
  (_, i) => base64Digits[i >> 6]! + base64Digits[i & 63]!,
);
const sextetOfChar = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i++) sextetOfChar[base64Digits.charCodeAt(i)] = i;

/** RFC 4648 base64, standard alphabet, padded. */
export function toBase64(bytes: Uint8Array): string {
  let out = '';
  const whole = bytes.length - (bytes.length % 3);
  for (let i = 0; i < whole; i += 3) {
    const bits = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    out += base64Pairs[bits >> 12]! + base64Pairs[bits & 0xfff]!;
  }
  if (bytes.length - whole === 1) return `${out}${base64Pairs[bytes[whole]! << 4]!}==`;
  if (bytes.length - whole === 2) {
    const bits = (bytes[whole]! << 8) | bytes[whole + 1]!;
    return `${out}${base64Pairs[bits >> 4]!}${base64Digits[(bits & 15) << 2]!}=`;
  }
  return out;
}

/** How many padding characters end a base64 text; only the last two places can hold them. */
function paddingOf(text: string): 0 | 1 | 2 {
  if (!text.endsWith('=')) return 0;
  return text.endsWith('==') ? 2 : 1;
}

/**
 * Bytes of a padded standard base64 text. Strict: one byte string has exactly one accepted text.
 * @throws BytesError on missing padding, another character, or bits after the end that are not zero
 */
export function fromBase64(text: string): Uint8Array {
  if (text.length & 3) throw new BytesError('base64 text has a length that is no multiple of 4');
  const padding = paddingOf(text);
  const out = new Uint8Array((text.length >> 2) * 3 - padding);
  const digits = text.length - padding;
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < digits; i++) {
    const value = sextetOfChar[text.charCodeAt(i)] ?? -1;
    if (value < 0) throw new BytesError(`base64 text has a character outside of the alphabet at position ${i}`);
    bits = (bits << 6) | value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[at++] = bits >> held;
      bits &= (1 << held) - 1;
    }
  }
  if (bits !== 0) throw new BytesError('base64 text has bits after its end');
  return out;
}

const encoder = new TextEncoder();
// ignoreBOM keeps a byte order mark as a character: decoding loses nothing.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to so many characters a loop is faster than the call of the platform's own. */
const shortText = 64;

/** UTF-8 bytes of a text. A lone surrogate becomes U+FFFD, as everywhere on the web. */
export function utf8(text: string): Uint8Array {
  const { length } = text;
  if (length > shortText) return encoder.encode(text);
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return encoder.encode(text);
    out[i] = code;
  }
  return out;
}

/** Text of UTF-8 bytes. @throws BytesError when they are not valid UTF-8 */
export function fromUtf8(bytes: Uint8Array): string {
  if (bytes.length <= shortText && isAscii(bytes)) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  try {
    return decoder.decode(bytes);
  } catch {
    throw new BytesError('bytes are not valid UTF-8');
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0x7f) return false;
  return true;
}

/** True when bytes[start, end) is valid UTF-8 (no surrogates, no over-long forms, at most U+10FFFF). Allocates nothing. */
export function isUtf8(bytes: Uint8Array, start = 0, end: number = bytes.length): boolean {
  let i = start;
  while (i < end) {
    const lead = bytes[i]!;
    if (lead < 0x80) {
      i += 1;
      continue;
    }
    const length = sequenceLength(bytes, i, end);
    if (length === 0) return false;
    i += length;
  }
  return true;
}

/** Length of the multi-byte UTF-8 sequence at i (RFC 3629, table of section 4), 0 when there is none. */
function sequenceLength(bytes: Uint8Array, i: number, end: number): number {
  const lead = bytes[i]!;
  const second = i + 1 < end ? bytes[i + 1]! : 0;
  const isTail = (at: number): boolean => at < end && (bytes[at]! & 0xc0) === 0x80;
  if (lead >= 0xc2 && lead <= 0xdf) return isTail(i + 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const low = lead === 0xe0 ? 0xa0 : 0x80;
    const high = lead === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && isTail(i + 2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const low = lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high && isTail(i + 2) && isTail(i + 3) ? 4 : 0;
  }
  return 0;
}

/** Eight bytes, big-endian. @throws RangeError outside of 0…2⁶⁴−1 */
export function u64be(value: bigint): Uint8Array {
  const out = new Uint8Array(8);
  writeU64be(out, 0, value);
  return out;
}

/** Writes eight bytes, big-endian, at the offset. @throws RangeError outside of 0…2⁶⁴−1 */
export function writeU64be(out: Uint8Array, offset: number, value: bigint): void {
  if (value < 0n || value > maxU64) throw new RangeError(`${value} does not fit into 64 bits`);
  if (value <= maxSafe) {
    // Numbers, which bigints below 2⁵³ nearly always are here, need no view and no arithmetic of bigints.
    const number = Number(value);
    writeU32be(out, offset, Math.floor(number / 0x1_0000_0000));
    writeU32be(out, offset + 4, number % 0x1_0000_0000);
  } else {
    writeU32be(out, offset, Number(value >> 32n));
    writeU32be(out, offset + 4, Number(value & 0xffff_ffffn));
  }
}

function writeU32be(out: Uint8Array, offset: number, value: number): void {
  out[offset] = value >>> 24;
  out[offset + 1] = value >>> 16;
  out[offset + 2] = value >>> 8;
  out[offset + 3] = value;
}

/** The u64 that begins at the offset. @throws RangeError when fewer than eight bytes are left */
export function readU64be(bytes: Uint8Array, offset = 0): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(offset);
}

/** Four bytes, big-endian. @throws RangeError when it is no integer in 0…2³²−1 */
export function u32be(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > maxU32) {
    throw new RangeError(`${value} does not fit into 32 bits`);
  }
  return new Uint8Array([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
}

/** The u32 that begins at the offset. @throws RangeError when fewer than four bytes are left */
export function readU32be(bytes: Uint8Array, offset = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(offset);
}
