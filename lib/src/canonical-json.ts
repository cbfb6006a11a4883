/** JSON with one text per value: RFC 8785 for our own documents, and the Cosmos SDK's for amino sign documents. */
import canonicalize from 'canonicalize';

/** A value that has no single JSON text. */
export class CanonicalJsonError extends Error {
  override readonly name = 'CanonicalJsonError';
}

/** Deeper values are refused: no document of ours comes near, and the walk must not exhaust the stack. */
const maxDepth = 100;

/**
 * RFC 8785 text (JCS) of a plain value.
 * @throws CanonicalJsonError naming the place, on anything whose text could differ between programs or that JSON would
 *   drop in silence: fractions, integers beyond 2⁵³, undefined, bigint, class instances, lone surrogates
 */
export function canonicalJson(value: unknown): string {
  checkValue(value, '$', 0);
  const text = canonicalize(value);
  if (text === undefined) throw new CanonicalJsonError('$: has no JSON text');
  return text;
}

/**
 * Text of a sign document as Go's encoding/json writes it after sdk.SortJSON: keys in byte order, no spaces, and
 * `& < >` and the two line separators of Unicode escaped. @throws CanonicalJsonError as canonicalJson does
 */
export function sortedJson(value: unknown): string {
  checkValue(value, '$', 0);
  return writeSorted(value).replace(/[&<>\u2028\u2029]/g, escapeAsGo);
}

function escapeAsGo(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** JSON text of a checked value with keys in the order of their UTF-8 bytes, which is that of code points. */
function writeSorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(writeSorted).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([a], [b]) => compareCodePoints(a, b));
  return `{${fields.map(([key, item]) => `${JSON.stringify(key)}:${writeSorted(item)}`).join(',')}}`;
}

/** Order of code points; that of UTF-16 units differs where surrogates meet U+E000…U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return a.codePointAt(i)! - b.codePointAt(i)!;
  }
  return a.length - b.length;
}

function checkValue(value: unknown, path: string, depth: number): void {
  if (depth > maxDepth) throw new CanonicalJsonError(`${path}: nested more than ${maxDepth} deep`);
  if (value === null || typeof value === 'boolean') return;
  if (typeof value === 'string') {
    checkText(value, path);
    return;
  }
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return;
    throw new CanonicalJsonError(`${path}: the number ${value} is not an integer that every program reads alike`);
  }
  if (typeof value !== 'object') throw new CanonicalJsonError(`${path}: a ${typeof value} has no JSON text`);
  if (Array.isArray(value)) {
    // By index, since forEach skips the holes of a sparse array.
    for (let i = 0; i < value.length; i++) checkValue(value[i], `${path}[${i}]`, depth + 1);
    return;
  }
  if (!isPlain(value)) {
    throw new CanonicalJsonError(`${path}: an instance of a class has no JSON text of its own`);
  }
  for (const [key, item] of Object.entries(value)) {
    checkText(key, path);
    checkValue(item, `${path}.${key}`, depth + 1);
  }
}

/** True for object literals and what JSON.parse makes, of whatever realm: their prototype is the end of its chain. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function checkText(text: string, path: string): void {
  if (!text.isWellFormed()) throw new CanonicalJsonError(`${path}: a text contains a lone surrogate`);
}
