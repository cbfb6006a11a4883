/**
 * JSON that is larger than a string can be (V8: 512 MB), in bytes: where its values are, and their reading by parts. A
 * genesis of a million accounts is such.
 */
import { messageOf } from './error-message.ts';

/** Bytes of a value: from `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Member extends Span {
  readonly key: string;
}

/** Values up to this size are read in one. */
const defaultPartBytes = 16 * 1_048_576;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];

/** The value of a whole document. @throws SyntaxError with the byte at which it is wrong */
export function parseParts(bytes: Buffer, partBytes = defaultPartBytes): unknown {
  const span = documentSpan(bytes);
  return parseSpan(bytes, span, partBytes);
}

/** The span of the only value of a document. @throws SyntaxError */
export function documentSpan(bytes: Buffer): Span {
  const start = skipSpace(bytes, 0);
  const end = endOfValue(bytes, start);
  const rest = skipSpace(bytes, end);
  if (rest < bytes.length) throw wrong(rest, 'nothing may follow the value');
  return { start, end };
}

/** A value by the keys that lead to it; undefined where one of them is missing. */
export function findSpan(bytes: Buffer, path: readonly string[], from: Span = documentSpan(bytes)): Span | undefined {
  let span: Span | undefined = from;
  for (const key of path) {
    if (span === undefined || bytes[span.start] !== openBrace) return undefined;
    span = [...members(bytes, span)].find((member) => member.key === key);
  }
  return span;
}

/** The members of an object. */
export function* members(bytes: Buffer, { start }: Span): IterableIterator<Member> {
  let at = skipSpace(bytes, start + 1);
  while (bytes[at] !== closeBrace) {
    const keyEnd = endOfString(bytes, at);
    const key = JSON.parse(bytes.toString('utf8', at, keyEnd)) as string;
    at = skipSpace(bytes, keyEnd);
    if (bytes[at] !== colon) throw wrong(at, 'a colon is missing');
    const valueStart = skipSpace(bytes, at + 1);
    const end = endOfValue(bytes, valueStart);
    yield { key, start: valueStart, end };
    at = next(bytes, end, closeBrace);
  }
}

/** The items of a list, several at once, each part as a list of its own. */
export function* itemParts(bytes: Buffer, { start }: Span, partBytes = defaultPartBytes): IterableIterator<unknown[]> {
  let at = skipSpace(bytes, start + 1);
  let partStart = at;
  while (bytes[at] !== closeBracket) {
    const end = endOfValue(bytes, at);
    const after = next(bytes, end, closeBracket);
    if (end - partStart >= partBytes || bytes[after] === closeBracket) {
      yield parsePart(bytes, { start: partStart, end }, ['[', ']']) as unknown[];
      partStart = after;
    }
    at = after;
  }
}

/** The value of a span. @throws SyntaxError */
export function parseSpan(bytes: Buffer, span: Span, partBytes = defaultPartBytes): unknown {
  if (span.end - span.start <= partBytes) return parsePart(bytes, span, ['', '']);
  if (bytes[span.start] === openBrace) {
    const object: Record<string, unknown> = {};
    for (const { key, ...value } of members(bytes, span)) {
      // As JSON.parse: a key of this name is a field like any other.
      Object.defineProperty(object, key, {
        value: parseSpan(bytes, value, partBytes),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return object;
  }
  if (bytes[span.start] !== openBracket) return parsePart(bytes, span, ['', '']);
  const list: unknown[] = [];
  for (const items of itemParts(bytes, span, partBytes)) for (const item of items) list.push(item);
  return list;
}

function parsePart(bytes: Buffer, { start, end }: Span, [before, after]: readonly [string, string]): unknown {
  try {
    return JSON.parse(`${before}${bytes.toString('utf8', start, end)}${after}`);
  } catch (error) {
    throw wrong(start, messageOf(error));
  }
}

function endOfValue(bytes: Buffer, start: number): number {
  const first = bytes[start];
  if (first === quote) return endOfString(bytes, start);
  if (first === openBrace || first === openBracket) return endOfNested(bytes, start);
  let at = start;
  while (at < bytes.length && !endsScalar(bytes[at] as number)) at += 1;
  if (at === start) throw wrong(start, 'a value is missing');
  return at;
}

/** Brackets are counted, not matched: JSON.parse of the parts sees to that. */
function endOfNested(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) at = endOfString(bytes, at) - 1;
    else if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  throw wrong(start, 'what begins here has no end');
}

function endOfString(bytes: Buffer, start: number): number {
  if (bytes[start] !== quote) throw wrong(start, 'a key is missing');
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === backslash) at += 1;
    else if (bytes[at] === quote) return at + 1;
  }
  throw wrong(start, 'a text has no end');
}

/** The start of what follows a value in an object or list, or its closing bracket. */
function next(bytes: Buffer, end: number, closing: number): number {
  const at = skipSpace(bytes, end);
  if (bytes[at] === closing) return at;
  if (bytes[at] !== comma) throw wrong(at, 'a comma is missing');
  const after = skipSpace(bytes, at + 1);
  if (bytes[after] === closing) throw wrong(at, 'nothing follows the comma');
  return after;
}

function endsScalar(byte: number): boolean {
  return byte === comma || byte === closeBrace || byte === closeBracket || byte === colon || isSpace(byte);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function skipSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (isSpace(bytes[at])) at += 1;
  return at;
}

function wrong(at: number, why: string): SyntaxError {
  return new SyntaxError(`byte ${at}: ${why}`);
}

/** Lists longer than this are written an item a line. */
const longList = 1000;
const itemsPerPart = 1000;

/** A value as indented JSON, in parts; a long list has an item a line, so that the whole may be larger than a string. */
export function* printParts(value: unknown, indent = ''): IterableIterator<string> {
  const inner = `${indent}  `;
  if (Array.isArray(value) && value.length > longList) {
    yield '[\n';
    for (let at = 0; at < value.length; at += itemsPerPart) {
      const lines = value.slice(at, at + itemsPerPart).map((item) => `${inner}${JSON.stringify(item)}`);
      yield `${lines.join(',\n')}${at + itemsPerPart < value.length ? ',' : ''}\n`;
    }
    yield `${indent}]`;
  } else if (isObject(value) && holdsLongList(value)) {
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    yield '{\n';
    for (const [index, [key, one]] of entries.entries()) {
      yield `${inner}${JSON.stringify(key)}: `;
      yield* printParts(one, inner);
      yield index + 1 < entries.length ? ',\n' : '\n';
    }
    yield `${indent}}`;
  } else {
    // Line breaks inside texts are escaped: every one that is there is the layout's.
    yield JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`);
  }
}

function holdsLongList(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > longList;
  return isObject(value) && Object.values(value).some(holdsLongList);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
