/** A request of HTTP/2. */
import type { IncomingHttpHeaders } from 'node:http';
import { constants, type IncomingHttpHeaders as Http2Headers, type ServerHttp2Stream } from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import { answersWithBody, type Call } from './call.ts';
import { type Field, fieldsOf } from './headers.ts';

/** A request's headers come without a body: the flag END_STREAM (RFC 9113 6.2). */
const endStream = 0x1;

export interface Http2Message {
  readonly stream: ServerHttp2Stream;
  readonly headers: Http2Headers;
  readonly flags: number;
  readonly rawHeaders: readonly string[];
}

export class Http2Call implements Call {
  readonly method: string;
  readonly url: string;
  readonly authority: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly fields: readonly Field[];
  readonly version = '2.0';
  readonly secure = true;
  readonly remoteAddress: string;
  readonly local: { readonly address: string; readonly port: number };
  readonly hasBody: boolean;
  bodyBytes = 0;
  answerBytes = 0;
  last = false;
  refusal: string | undefined;
  readonly #stream: ServerHttp2Stream;
  #trailers: readonly string[] = [];
  #ended = false;
  #status = 0;
  #closed: boolean | undefined;
  #listeners: ((complete: boolean) => void)[] = [];
  #cut = false;

  constructor({ stream, headers, flags, rawHeaders }: Http2Message) {
    const socket = stream.session?.socket;
    this.#stream = stream;
    this.method = String(headers[':method'] ?? '');
    this.url = String(headers[':path'] ?? '');
    this.authority = headers[':authority'];
    this.headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':')));
    this.headers.host ??= this.authority;
    this.fields = withOneCookie(fieldsOf(rawHeaders).filter(([name]) => !name.startsWith(':')));
    this.remoteAddress = (socket?.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.local = { address: socket?.localAddress ?? '', port: socket?.localPort ?? 0 };
    this.hasBody = (flags & endStream) === 0;
    stream.on('error', () => {});
    stream.on('trailers', (_, __, raw: string[]) => {
      this.#trailers = raw;
    });
    // Taken back without an error it would stay until its body has been read, which nobody may do any more.
    stream.once('aborted', () => stream.destroy());
    stream.once('end', () => {
      this.#ended = true;
    });
    stream.once('close', () => this.#close(!this.#cut && stream.writableFinished && stream.rstCode === 0));
  }

  get body(): Readable {
    return this.#stream;
  }

  get bodyComplete(): boolean {
    return !this.hasBody || this.#ended;
  }

  get output(): Writable {
    return this.#stream;
  }

  get isHeldUp(): boolean {
    const { writableNeedDrain, writableEnded, destroyed } = this.#stream;
    return writableNeedDrain || (writableEnded && !destroyed);
  }

  get status(): number {
    return this.#status;
  }

  get closed(): boolean {
    return this.#closed !== undefined || this.#stream.closed || this.#stream.destroyed;
  }

  trailers(): readonly string[] {
    return this.#trailers;
  }

  proceed(): void {
    if (this.#status === 0 && !this.closed) this.#stream.additionalHeaders({ ':status': 100 });
  }

  hint(fields: readonly Field[]): void {
    const links = fields.filter(([name]) => name === 'link').map(([, value]) => value);
    if (this.#status !== 0 || this.closed || links.length === 0) return;
    this.#stream.additionalHeaders({ ':status': 103, link: links });
  }

  begin(status: number, fields: readonly Field[]): void {
    // Without a prototype: a header may be called `constructor`.
    const headers: Record<string, string | string[]> = Object.create(null);
    for (const [name, value] of fields) headers[name] = [headers[name] ?? [], value].flat();
    for (const [name, values] of Object.entries(headers)) if (values.length === 1) headers[name] = values[0]!;
    const hasBody = answersWithBody(this.method, status);
    this.#stream.respond({ ...headers, ':status': status }, hasBody ? { waitForTrailers: true } : { endStream: true });
    this.#status = status;
  }

  /** HTTP/2 sends a head by itself. */
  flush(): void {}

  end(trailers: readonly Field[] = []): void {
    if (this.closed) return;
    const stream = this.#stream;
    stream.once('wantTrailers', () => {
      if (!stream.destroyed) stream.sendTrailers(Object.fromEntries(trailers));
    });
    // The rest of a request that nobody reads: the client is told to stop, without an error (RFC 9113 8.1).
    if (!this.bodyComplete) {
      const stop = () => stream.close(constants.NGHTTP2_NO_ERROR);
      // An answer without a body has ended with its head.
      if (stream.writableFinished) stop();
      else stream.once('finish', stop);
      stream.unpipe();
      stream.removeAllListeners('data');
      stream.resume();
    }
    stream.end();
  }

  cut(): void {
    this.#cut = true;
    this.#stream.destroy(new Error('cut'));
  }

  onClose(listener: (complete: boolean) => void): void {
    if (this.#closed === undefined) this.#listeners.push(listener);
    else listener(this.#closed);
  }

  #close(complete: boolean): void {
    if (this.#closed !== undefined) return;
    this.#closed = complete;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(complete);
  }
}

/** HTTP/2 may send cookies one by one; HTTP/1.1 knows one field of them (RFC 9113 8.2.3). */
function withOneCookie(fields: Field[]): Field[] {
  const cookies = fields.filter(([name]) => name === 'cookie').map(([, value]) => value);
  if (cookies.length < 2) return fields;
  return [...fields.filter(([name]) => name !== 'cookie'), ['cookie', cookies.join('; ')]];
}
