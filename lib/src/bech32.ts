/** Bech32 (BIP-173) with the Cosmos SDK's limits and error texts. */

/** A text that is no bech32, or not the one that was asked for. */
export class Bech32Error extends Error {
  override readonly name = 'Bech32Error';
}

/** The SDK's limit on the whole text; BIP-173's own 90 is too short for long addresses. */
export const maxBech32Length = 1023;
/** The SDK's limit on an address (address.MaxAddrLen). */
export const maxAddressLength = 255;

const charset = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const checksumLength = 6;
const valueOfChar = new Int8Array(128).fill(-1);
const codeOfValue = new Uint8Array(32);
for (let i = 0; i < charset.length; i++) {
  valueOfChar[charset.charCodeAt(i)] = i;
  codeOfValue[i] = charset.charCodeAt(i);
}
const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3] as const;

/** By the five bits that leave the state, what they add to it: the generators of those that are set. */
const remainders = Int32Array.from({ length: 32 }, (_, top) =>
  generator.reduce((sum, value, bit) => ((top >> bit) & 1 ? sum ^ value : sum), 0),
);

/** One step of BIP-173's checksum polynomial. */
function polymodStep(state: number, value: number): number {
  return ((state & 0x1ffffff) << 5) ^ value ^ remainders[state >>> 25]!;
}

/** The checksum's state after the expanded prefix. */
function prefixState(prefix: string): number {
  let state = 1;
  for (let i = 0; i < prefix.length; i++) state = polymodStep(state, prefix.charCodeAt(i) >> 5);
  state = polymodStep(state, 0);
  for (let i = 0; i < prefix.length; i++) state = polymodStep(state, prefix.charCodeAt(i) & 31);
  return state;
}

/** The checksum's state after the expanded prefix and the words. */
function polymod(prefix: string, words: Uint8Array): number {
  let state = prefixState(prefix);
  for (let i = 0; i < words.length; i++) state = polymodStep(state, words[i]!);
  return state;
}

/** Bytes to words of five bits, the last one filled with zero bits; behind them room for the checksum. */
function toWords(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array((((bytes.length * 8 + 4) / 5) | 0) + checksumLength);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < bytes.length; i++) {
    bits = (bits << 8) | bytes[i]!;
    held += 8;
    while (held >= 5) {
      held -= 5;
      out[at++] = (bits >> held) & 31;
    }
    bits &= (1 << held) - 1;
  }
  if (held > 0) out[at] = (bits << (5 - held)) & 31;
  return out;
}

/** So many words of five bits to bytes. @throws Bech32Error when what is left over is a whole word or not zero */
function fromWords(words: Uint8Array, count: number): Uint8Array {
  const out = new Uint8Array((count * 5) >> 3);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    bits = (bits << 5) | words[i]!;
    held += 5;
    if (held >= 8) {
      held -= 8;
      out[at++] = bits >> held;
      bits &= (1 << held) - 1;
    }
  }
  if (held >= 5 || bits !== 0) throw new Bech32Error('decoding bech32 failed: invalid incomplete group');
  return out;
}

/** The last prefix that passed: a chain has one. */
let goodPrefix = '';

/** A prefix as BIP-173 has it, and in lower case as the SDK wants it. */
function checkPrefix(prefix: string): void {
  if (prefix === goodPrefix && prefix !== '') return;
  if (prefix === '' || prefix !== prefix.toLowerCase() || !/^[\x21-\x7e]+$/.test(prefix)) {
    throw new Bech32Error(`invalid Bech32 prefix ${JSON.stringify(prefix.slice(0, 100))}`);
  }
  goodPrefix = prefix;
}

/** The address text of 1 … 255 bytes. @throws Bech32Error */
export function toBech32(prefix: string, bytes: Uint8Array): string {
  checkPrefix(prefix);
  checkAddressLength(bytes);
  const words = toWords(bytes);
  const length = prefix.length + 1 + words.length;
  if (length > maxBech32Length) throw new Bech32Error(`invalid bech32 string length ${length}`);
  putChecksum(prefix, words);
  return `${prefix}1${textOf(words)}`;
}

function checkAddressLength(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new Bech32Error('addresses cannot be empty');
  if (bytes.length > maxAddressLength) {
    throw new Bech32Error(`address max length is ${maxAddressLength}, got ${bytes.length}`);
  }
}

/**
 * Prefix and bytes of an address text (all lower or all upper case, as BIP-173 allows).
 * @param expectedPrefix when given, any other one is refused
 * @throws Bech32Error with the SDK's texts
 */
export function decodeBech32(text: string, expectedPrefix?: string): { prefix: string; bytes: Uint8Array } {
  if (text.trim() === '') throw new Bech32Error('empty address string is not allowed');
  if (text.length < 8 || text.length > maxBech32Length) fail(`invalid bech32 string length ${text.length}`);
  const stranger = /[^\x21-\x7e]/u.exec(text);
  if (stranger) fail(`invalid character in string: '${stranger[0]}'`);
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) fail('string not all lowercase or all uppercase');
  const separator = lower.lastIndexOf('1');
  if (separator < 1 || separator + checksumLength >= lower.length) fail(`invalid separator index ${separator}`);
  const prefix = lower.slice(0, separator);
  const words = wordsOf(lower, separator + 1);
  checkChecksum(prefix, words, lower.slice(-checksumLength));
  const bytes = fromWords(words, words.length - checksumLength);
  if (expectedPrefix !== undefined && prefix !== expectedPrefix) {
    throw new Bech32Error(`invalid Bech32 prefix; expected ${expectedPrefix}, got ${prefix}`);
  }
  checkAddressLength(bytes);
  return { prefix, bytes };
}

/** @throws Bech32Error that names both checksums, so that a mistyped address can be told from a truncated one */
function checkChecksum(prefix: string, words: Uint8Array, got: string): void {
  if (polymod(prefix, words) === 1) return;
  putChecksum(prefix, words);
  fail(`invalid checksum (expected ${textOf(words.subarray(words.length - checksumLength))} got ${got})`);
}

/** Puts the six words that end an address at the end of its words. */
function putChecksum(prefix: string, words: Uint8Array): void {
  const from = words.length - checksumLength;
  words.fill(0, from);
  const state = polymod(prefix, words) ^ 1;
  for (let i = 0; i < checksumLength; i++) words[from + i] = (state >>> (5 * (5 - i))) & 31;
}

/** At once, not character by character: a text that is joined is put together again when it is first read. */
function textOf(words: Uint8Array): string {
  const codes = new Array<number>(words.length);
  for (let i = 0; i < words.length; i++) codes[i] = codeOfValue[words[i]!]!;
  return String.fromCharCode.apply(null, codes);
}

function wordsOf(text: string, start: number): Uint8Array {
  const words = new Uint8Array(text.length - start);
  for (let i = 0; i < words.length; i++) {
    const value = valueOfChar[text.charCodeAt(start + i)]!;
    if (value < 0) fail(`invalid character not part of charset: ${text.charCodeAt(start + i)}`);
    words[i] = value;
  }
  return words;
}

function fail(reason: string): never {
  throw new Bech32Error(`decoding bech32 failed: ${reason}`);
}

/** The bytes of an address text. @param prefix when given, any other one is refused @throws Bech32Error */
export function fromBech32(text: string, prefix?: string): Uint8Array {
  return decodeBech32(text, prefix).bytes;
}
