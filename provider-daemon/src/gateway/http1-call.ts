/** A request of HTTP/1.0 or 1.1. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Call } from './call.ts';
import { type Field, fieldsOf } from './headers.ts';

export class Http1Call implements Call {
  readonly method: string;
  readonly url: string;
  readonly authority = undefined;
  readonly headers: IncomingHttpHeaders;
  readonly fields: readonly Field[];
  readonly version: '1.0' | '1.1';
  readonly secure: boolean;
  readonly remoteAddress: string;
  readonly local: { readonly address: string; readonly port: number };
  readonly hasBody: boolean;
  bodyBytes = 0;
  answerBytes = 0;
  last = false;
  refusal: string | undefined;
  readonly socket: Socket;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #discardMs: number;
  #status = 0;
  /** The client waits to be told to send its body. */
  #waits: boolean;
  #closed: boolean | undefined;
  #listeners: ((complete: boolean) => void)[] = [];

  constructor(request: IncomingMessage, response: ServerResponse, discardMs: number) {
    const { socket } = request;
    this.#request = request;
    this.#response = response;
    this.#discardMs = discardMs;
    this.socket = socket;
    this.method = request.method ?? 'GET';
    this.url = request.url ?? '';
    this.headers = request.headers;
    this.fields = fieldsOf(request.rawHeaders);
    this.version = request.httpVersion === '1.1' ? '1.1' : '1.0';
    this.secure = (socket as TLSSocket).encrypted === true;
    this.remoteAddress = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.local = { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    this.hasBody =
      request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
    this.#waits = this.hasBody && request.headers.expect !== undefined && this.version === '1.1';
    // A client that goes away is no event of the gateway's: `close` follows and is what counts.
    request.on('error', () => {});
    response.on('error', () => {});
    response.once('close', () => this.#close(response.writableFinished));
  }

  get body(): Readable {
    return this.#request;
  }

  get bodyComplete(): boolean {
    return this.#request.complete;
  }

  get output(): Writable {
    return this.#response;
  }

  get isHeldUp(): boolean {
    const { writableNeedDrain, writableEnded, socket } = this.#response;
    // Without a socket it stands behind another answer of the same connection, or is on its way already.
    return writableNeedDrain || (writableEnded && socket !== null);
  }

  get status(): number {
    return this.#status;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  trailers(): readonly string[] {
    return this.#request.rawTrailers;
  }

  proceed(): void {
    if (!this.#waits || this.#status !== 0 || this.closed) return;
    this.#waits = false;
    this.#response.writeContinue();
  }

  hint(fields: readonly Field[]): void {
    // HTTP/1.0 knows no informational answers.
    if (this.version === '1.0' || this.#status !== 0 || this.closed) return;
    const links = fields.filter(([name]) => name === 'link').map(([, value]) => value);
    if (links.length > 0) this.#response.writeEarlyHints({ link: links });
  }

  begin(status: number, fields: readonly Field[]): void {
    // Refused before it was sent, a body may come or not: what follows on the connection has no meaning.
    this.last ||= this.#waits && !this.bodyComplete && this.bodyBytes === 0;
    const closing: Field[] = this.last ? [['connection', 'close']] : [];
    this.#response.writeHead(status, [...fields, ...closing].flat());
    this.#status = status;
  }

  flush(): void {
    if (!this.closed && !this.#response.writableEnded) this.#response.flushHeaders();
  }

  /** For an upgrade: this status was written by other means. */
  upgraded(status: number): void {
    this.#status = status;
  }

  end(trailers: readonly Field[] = []): void {
    if (this.closed) return;
    if (trailers.length > 0)
      this.#response.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
    if (!this.hasBody || this.bodyComplete || (this.#waits && this.bodyBytes === 0)) {
      this.#response.end();
      return;
    }
    this.#discardRest();
  }

  /** A connection that ends while the client still sends would take the answer with it. */
  #discardRest(): void {
    const request = this.#request;
    // The last byte is held back: node ends the connection with the answer where it is to be the last.
    const timer = setTimeout(() => {
      this.#response.end();
      this.socket.destroySoon();
    }, this.#discardMs);
    const done = () => {
      clearTimeout(timer);
      this.#response.end();
    };
    request.once('end', done).once('close', done);
    request.unpipe();
    request.removeAllListeners('data');
    request.resume();
  }

  cut(): void {
    this.#response.destroy();
    this.socket.destroy();
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
