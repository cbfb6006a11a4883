/** Turns a function's stdout into an HTTP response while it comes. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { answersWithBody, type Call } from './call.ts';
import { CgiError, type CgiHead, CgiHeadReader } from './cgi-response.ts';
import type { Field } from './headers.ts';

export class ResponseWriter {
  readonly #call: Call;
  readonly #count: (bytes: number) => void;
  readonly #reader = new CgiHeadReader();
  #head: CgiHead | undefined;
  #broken: CgiError | undefined;
  #bodyBytes = 0;

  /** `count` is told of the bytes of the body as they are sent. */
  constructor(call: Call, count: (bytes: number) => void) {
    this.#call = call;
    this.#count = count;
  }

  /** Whether the head has been sent: from then on a failure can only cut the connection. */
  get begun(): boolean {
    return this.#head !== undefined;
  }

  /** Whether all that was announced has been sent: what becomes of the function after that is nothing to its caller. */
  get complete(): boolean {
    const head = this.#head;
    if (head === undefined) return false;
    return !this.#sendsBody(head) || (head.contentLength !== undefined && this.#bodyBytes >= head.contentLength);
  }

  /** What was wrong with the headers, if anything. */
  get broken(): CgiError | undefined {
    return this.#broken;
  }

  /** Takes a piece of stdout; a promise where the client is slow. */
  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#broken !== undefined) return undefined;
    if (this.#head !== undefined) return this.#body(chunk);
    try {
      const found = this.#reader.push(chunk);
      if (found === undefined) return undefined;
      this.#begin(found.head);
      return found.body.length === 0 ? undefined : this.#body(found.body);
    } catch (error) {
      if (!(error instanceof CgiError)) throw error;
      this.#broken = error;
      return undefined;
    }
  }

  /** After the function's end: completes the response. @throws CgiError where there is none to complete */
  finish(): void {
    if (this.#broken !== undefined) throw this.#broken;
    const head = this.#head;
    if (head === undefined) throw new CgiError(this.#reader.isEmpty ? 'no output' : 'no empty line after its headers');
    const short = head.contentLength !== undefined && this.#bodyBytes < head.contentLength;
    // A body shorter than announced leaves the client waiting for the rest: cut, as after a trap.
    if (short && this.#sendsBody(head)) this.#call.cut();
    else this.#call.end();
  }

  #begin(head: CgiHead): void {
    this.#head = head;
    const fields: Field[] = [...head.headers].flatMap(([name, values]) => values.map((value): Field => [name, value]));
    if (head.contentLength !== undefined) fields.push(['content-length', String(head.contentLength)]);
    this.#call.begin(head.status, fields);
  }

  #body(chunk: Uint8Array): Promise<void> | undefined {
    const head = this.#head!;
    const room = (head.contentLength ?? Number.POSITIVE_INFINITY) - this.#bodyBytes;
    // More than announced would be read as the beginning of another response.
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#bodyBytes += part.length;
    if (part.length === 0 || !this.#sendsBody(head) || this.#call.closed) return undefined;
    this.#count(part.length);
    if (this.#call.output.write(part)) return undefined;
    return drained(this.#call.output);
  }

  #sendsBody(head: CgiHead): boolean {
    return answersWithBody(this.#call.method, head.status);
  }
}

/** The client has taken what there was, or is gone. */
async function drained(response: Writable): Promise<void> {
  const given = new AbortController();
  const { signal } = given;
  const ignore = () => {};
  try {
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  } catch {
    ignore();
  } finally {
    given.abort();
  }
}
