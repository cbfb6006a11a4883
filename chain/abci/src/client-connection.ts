/** One connection of an {@link AbciClient}: requests out at once, replies taken in the order of the requests. */
import { connect, type Socket } from 'node:net';
import { ResponseException } from 'cosmjs-types/tendermint/abci/types';
import { parseAddress } from './address.ts';
import { FrameReader, frameHeader, openEnvelope } from './frame.ts';
import { type Connection, decodeBody, exceptionField, type Method, methods } from './methods.ts';

/** The application answered a call with an exception. */
export class AbciException extends Error {
  override readonly name = 'AbciException';
}

/** The connection to the application is lost; what was asked over it may have happened or not. */
export class AbciConnectionError extends Error {
  override readonly name = 'AbciConnectionError';
}

interface Waiting {
  /** Field of `Response` that must come. */
  readonly response: number;
  resolve(body: Uint8Array): void;
  reject(error: Error): void;
}

const noBody = new Uint8Array();

export interface ClientConnectionOptions {
  readonly name: Connection;
  readonly address: string;
  readonly maxMessageBytes: number;
  /** The connection broke; not called for `close`. */
  readonly onBroken: (error: AbciConnectionError) => void;
}

export class ClientConnection {
  readonly #socket: Socket;
  readonly #options: ClientConnectionOptions;
  readonly #frames: FrameReader;
  #waiting: Waiting[] = [];
  #head = 0;
  #parts: Uint8Array[] = [];
  #broken: AbciConnectionError | undefined;

  private constructor(socket: Socket, options: ClientConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#frames = new FrameReader(options.maxMessageBytes);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', (error) => this.#break(error.message));
    socket.on('close', () => this.#break('the application closed it'));
  }

  /** @throws Error of the socket */
  static async open(options: ClientConnectionOptions): Promise<ClientConnection> {
    const socket = connect(parseAddress(options.address));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve);
    socket.once('error', reject);
    await promise;
    socket.off('error', reject);
    return new ClientConnection(socket, options);
  }

  /** @throws AbciException | AbciConnectionError */
  async call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    if (this.#broken !== undefined) throw this.#broken;
    const body = method.requestCodec.encode(request).finish();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#send(method.request, body, { response: method.response, resolve, reject });
    return decodeBody(method.name, method.responseCodec, await promise);
  }

  /** Ends the connection; what is outstanding is rejected. */
  close(): void {
    this.#lose(new AbciConnectionError(`${this.#title()} was closed by this side`));
  }

  #send(field: number, body: Uint8Array, waiting: Waiting): void {
    if (this.#parts.length === 0) process.nextTick(() => this.#flush());
    this.#parts.push(frameHeader(field, body), body);
    this.#waiting.push(waiting);
  }

  /** Servers may keep replies until they are asked to Flush: CometBFT's own does. One Flush for all calls of a tick. */
  #flush(): void {
    if (this.#broken !== undefined) return;
    this.#parts.push(frameHeader(methods.flush.request, noBody));
    const ignore = (): void => undefined;
    this.#waiting.push({ response: methods.flush.response, resolve: ignore, reject: ignore });
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#socket.write(bytes);
  }

  #received(chunk: Uint8Array): void {
    this.#frames.push(chunk);
    try {
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) this.#answer(frame);
    } catch (error) {
      this.#break(error instanceof Error ? error.message : String(error));
    }
  }

  #answer(frame: Uint8Array): void {
    const { field, body } = openEnvelope(frame);
    const next = this.#waiting[this.#head];
    if (next === undefined) throw new Error(`a reply of field ${field} came, and nothing was asked`);
    if (field !== exceptionField && field !== next.response) {
      throw new Error(`a reply of field ${field} came where field ${next.response} was expected`);
    }
    this.#head++;
    if (this.#head === this.#waiting.length || this.#head >= 1024) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    if (field === exceptionField) next.reject(new AbciException(ResponseException.decode(body).error));
    else next.resolve(body);
  }

  #break(reason: string): void {
    if (this.#broken !== undefined) return;
    const outstanding = this.#waiting
      .slice(this.#head)
      .filter(({ response }) => response !== methods.flush.response).length;
    const error = new AbciConnectionError(
      `${this.#title()} is lost: ${reason}; ${outstanding} of its requests had no answer`,
    );
    this.#lose(error);
    this.#options.onBroken(error);
  }

  #lose(error: AbciConnectionError): void {
    if (this.#broken !== undefined) return;
    this.#broken = error;
    const outstanding = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    this.#parts = [];
    for (const { reject } of outstanding) reject(error);
    this.#socket.destroy();
  }

  #title(): string {
    return `the ${this.#options.name} connection to ${this.#options.address}`;
  }
}
