/** The words of the event query language, as CometBFT 0.38 reads them (libs/pubsub/query/syntax/scanner.go). */

/** Names as they stand in CometBFT's errors. */
export type Token =
  | 'tag'
  | 'string'
  | 'number'
  | 'timestamp'
  | 'datestamp'
  | 'AND operator'
  | 'CONTAINS operator'
  | 'EXISTS operator'
  | '= operator'
  | '< operator'
  | '<= operator'
  | '> operator'
  | '>= operator';

/** One word, and where it begins (in bytes of UTF-8). */
export interface Word {
  token: Token;
  text: string;
  offset: number;
}

/** A query that cannot be read. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
}

const words: Readonly<Record<string, Token>> = {
  AND: 'AND operator',
  EXISTS: 'EXISTS operator',
  CONTAINS: 'CONTAINS operator',
};

const space = /^\s+/u;
const number = /^\d+(\.\d*)?/u;
const tag = /^[\p{L}\p{Nd}_][\p{L}\p{Nd}._-]*/u;
const comparison = /^(<=|>=|<|>|=)/u;
const timeText = /^[-T:+Z\d]*/u;
const dateText = /^[-\d]*/u;

/** Hands out one word after another. */
export class Scanner {
  #rest: string;
  #offset = 0;

  constructor(text: string) {
    this.#rest = text;
  }

  /** Offset of the next word. */
  get offset(): number {
    return this.#offset;
  }

  /** The next word; undefined at the end. @throws QueryError */
  next(): Word | undefined {
    this.#take(space);
    const offset = this.#offset;
    if (this.#rest === '') return undefined;
    const digits = this.#take(number);
    if (digits !== undefined) return { token: 'number', text: digits, offset };
    const name = this.#take(tag);
    if (name !== undefined) return this.#named(name, offset);
    const operator = this.#take(comparison);
    if (operator !== undefined) return { token: `${operator} operator` as Token, text: operator, offset };
    if (this.#rest.startsWith("'")) return this.#quoted(offset);
    const [character = ''] = this.#rest;
    const end = offset + Buffer.byteLength(character);
    throw new QueryError(`offset ${offset}: invalid input ${character} at offset ${end}`);
  }

  #take(pattern: RegExp): string | undefined {
    const found = pattern.exec(this.#rest)?.[0];
    if (found === undefined) return undefined;
    this.#rest = this.#rest.slice(found.length);
    this.#offset += Buffer.byteLength(found);
    return found;
  }

  #named(name: string, offset: number): Word {
    const isLabel = (name === 'TIME' || name === 'DATE') && this.#rest.startsWith(' ');
    if (!isLabel) return { token: words[name] ?? 'tag', text: name, offset };
    this.#take(/^ /u);
    const text = this.#take(name === 'TIME' ? timeText : dateText) ?? '';
    if (Number.isNaN(momentOf(text, name))) {
      throw new QueryError(`offset ${offset}: invalid ${name} value: cannot parse "${text}"`);
    }
    const year = Number(text.slice(0, 4));
    const kind = name === 'TIME' ? 'timestamp' : 'datestamp';
    if (year < 1900 || year > 2999) throw new QueryError(`offset ${offset}: ${kind} year ${year} out of range`);
    return { token: kind, text, offset };
  }

  #quoted(offset: number): Word {
    const end = this.#rest.indexOf("'", 1);
    if (end < 0) throw new QueryError(`offset ${offset}: EOF`);
    const text = this.#rest.slice(1, end);
    this.#rest = this.#rest.slice(end + 1);
    this.#offset += Buffer.byteLength(text) + 2;
    return { token: 'string', text, offset };
  }
}

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const date = /^\d{4}-\d\d-\d\d$/;

/** Milliseconds since 1970 of a TIME or DATE text; NaN when it is none. */
export function momentOf(text: string, kind: 'TIME' | 'DATE'): number {
  if (!(kind === 'TIME' ? rfc3339 : date).test(text)) return Number.NaN;
  return Date.parse(text);
}
