/** One request of a client and its answer, the same for each version of HTTP. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import type { Field } from './headers.ts';

export interface Call {
  readonly method: string;
  /** The target as the client sent it. */
  readonly url: string;
  /** HTTP/2's `:authority`. */
  readonly authority: string | undefined;
  /** Names in lower case, values of repeated fields joined. */
  readonly headers: IncomingHttpHeaders;
  /** As they came, names in lower case. */
  readonly fields: readonly Field[];
  readonly version: '1.0' | '1.1' | '2.0';
  readonly secure: boolean;
  readonly remoteAddress: string;
  /** Where the client came in. */
  readonly local: { readonly address: string; readonly port: number };
  /** Whether a body follows the headers. */
  readonly hasBody: boolean;
  readonly body: Readable;
  /** Whether the request has come to its end. */
  readonly bodyComplete: boolean;
  /** Bytes of the body so far; counted by whoever reads it. */
  bodyBytes: number;
  /** Bytes of the answer's body so far; counted by whoever writes it. */
  answerBytes: number;
  /** The request's trailers, after its end. */
  trailers(): readonly string[];
  /** Takes the answer's body, between `begin` and `end`. */
  readonly output: Writable;
  /** The client has not taken all that it was given so far: more must wait, or the end must. */
  readonly isHeldUp: boolean;
  /** The status that was sent; 0 before. */
  readonly status: number;
  /** The word of the gateway's own refusal that was sent, if one was. */
  refusal: string | undefined;
  /** The answer is complete or cut, or the client is gone. */
  readonly closed: boolean;
  /** Set: the connection ends with this answer. */
  last: boolean;
  /** Tells a client that waits with its body to send it (100). */
  proceed(): void;
  /** Early hints (103). */
  hint(fields: readonly Field[]): void;
  /** Sends the head of the answer. @throws Error for what cannot be sent; then nothing has been sent */
  begin(status: number, fields: readonly Field[]): void;
  /** Sends what `begin` has said, where no part of the body follows soon. */
  flush(): void;
  /** Completes the answer. What remains of the request's body is thrown away for a while, then the connection ends. */
  end(trailers?: readonly Field[]): void;
  /** Ends the answer so that the client sees it as not complete. */
  cut(): void;
  /** `complete`: the answer was given whole. Called at once where the call has closed already. */
  onClose(listener: (complete: boolean) => void): void;
}

/** Statuses whose answers have no body (RFC 9110 6.4.1). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/** Whether an answer has a body. */
export function answersWithBody(method: string, status: number): boolean {
  return method !== 'HEAD' && !bodiless.has(status);
}
