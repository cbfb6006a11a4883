/** A program's answer: headers, an empty line, the body (RFC 3875 6). */
import { passesOn } from './headers.ts';

/** Headers of an answer at most. */
const maxHeaderBytes = 64 * 1024;
const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/;

export interface CgiHead {
  readonly status: number;
  /** Names in lower case, in the order given; several values where a name came several times. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Bytes of the body where the program says so. */
  readonly contentLength: number | undefined;
}

/** The program's answer is not CGI. */
export class CgiError extends Error {}

/** Gathers the head of an answer from the pieces of stdout. Each byte is looked at once, however small the pieces are. */
export class CgiHeadReader {
  #bytes = Buffer.alloc(1024);
  #length = 0;
  /** Where the current line begins. */
  #line = 0;
  #scanned = 0;

  /** The head and the body's first bytes, as soon as the empty line has come. @throws CgiError */
  push(chunk: Uint8Array): { readonly head: CgiHead; readonly body: Buffer } | undefined {
    this.#append(chunk);
    const end = this.#emptyLine();
    if ((end?.at ?? this.#length) > maxHeaderBytes) throw new CgiError(`headers of more than ${maxHeaderBytes} bytes`);
    if (end === undefined) return undefined;
    const head = parseHead(this.#bytes.toString('latin1', 0, end.at));
    return { head, body: this.#bytes.subarray(end.next, this.#length) };
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  /** Lines end in LF or CRLF. */
  #emptyLine(): { at: number; next: number } | undefined {
    const bytes = this.#bytes.subarray(0, this.#length);
    for (let at = bytes.indexOf(0x0a, this.#scanned); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
      const isEmpty = at === this.#line || (at === this.#line + 1 && bytes[this.#line] === 0x0d);
      if (isEmpty) return { at: this.#line, next: at + 1 };
      this.#line = at + 1;
    }
    this.#scanned = this.#length;
    return undefined;
  }
}

function parseHead(text: string): CgiHead {
  const all = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const clean = line.replace(/\r$/, '');
    if (clean === '') continue;
    const colon = clean.indexOf(':');
    const name = clean.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = clean.slice(colon + 1).trim();
    // Nothing that could begin another header or another answer comes through: no CR, LF or zero, only tokens as names.
    if (!tokenPattern.test(name)) throw new CgiError(`${JSON.stringify(clean.slice(0, 80))} is not a header`);
    if (!valuePattern.test(value)) throw new CgiError(`the value of the header ${name} has control characters`);
    all.set(name, [...(all.get(name) ?? []), value]);
  }
  if (!all.has('content-type') && !all.has('location')) {
    throw new CgiError('neither content-type nor location among the headers');
  }
  const passes = passesOn(all.get('connection')?.join(','));
  const headers = new Map([...all].filter(([name]) => passes(name) && name !== 'status' && name !== 'content-length'));
  return { status: statusOf(all), headers, contentLength: contentLengthOf(all) };
}

function statusOf(headers: ReadonlyMap<string, readonly string[]>): number {
  const given = headers.get('status');
  if (given === undefined) return headers.has('location') ? 302 : 200;
  const status = /^([2-5]\d\d)(?:\s|$)/.exec(given[0]!)?.[1];
  if (status === undefined || given.length > 1) throw new CgiError(`the status ${JSON.stringify(given.join(', '))}`);
  return Number(status);
}

function contentLengthOf(headers: ReadonlyMap<string, readonly string[]>): number | undefined {
  const given = headers.get('content-length');
  if (given === undefined) return undefined;
  if (given.length > 1 || !/^\d{1,15}$/.test(given[0]!)) throw new CgiError(`the content-length ${given.join(', ')}`);
  return Number(given[0]);
}
