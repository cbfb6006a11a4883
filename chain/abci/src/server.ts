/** A socket server for ABCI 2.0: CometBFT 0.38 connects to it (`proxy_app`) and drives the application behind it. */
import { createServer, type Server, type Socket } from 'node:net';
import { formatAddress, parseAddress, type SocketAddress } from './address.ts';
import type { Application } from './application.ts';
import { defaultMaxMessageBytes } from './frame.ts';
import { handlerOf, isHandler, type MessageHandler } from './handler.ts';
import { type AbciLog, silentLog } from './log.ts';
import type { ServedMethod } from './methods.ts';
import { ServerConnection } from './server-connection.ts';
import { clearUnixSocket } from './unix-socket.ts';

export interface AbciServerOptions {
  /** `tcp://host:port` (port 0: any free one) or `unix:///path`. */
  listen: string;
  /** Bound on one message, refused before memory is taken for it. Genesis comes in one message. */
  maxMessageBytes?: number;
  /** Bound on requests of one connection whose replies are not written yet. */
  maxInFlight?: number;
  /** Bound on connections; CometBFT opens four. */
  maxConnections?: number;
  /** How long `close` waits for calls under way and for peers that do not read. */
  closeTimeoutMs?: number;
  log?: AbciLog;
  /**
   * InitChain, FinalizeBlock or Commit failed: the state of the application is unknown and no method of consensus is
   * called any more. Whoever runs the server should stop the process. Called once.
   */
  onFailure?: (error: Error) => void;
}

export class AbciServer {
  readonly #handler: MessageHandler;
  readonly #options: AbciServerOptions;
  readonly #log: AbciLog;
  readonly #server: Server;
  readonly #connections = new Set<ServerConnection>();
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /** @param target the application, or what passes requests on to one */
  constructor(target: Application | MessageHandler, options: AbciServerOptions) {
    this.#handler = isHandler(target) ? target : handlerOf(target);
    this.#options = options;
    this.#log = options.log ?? silentLog;
    // Half open: a peer that has sent its last request still gets its replies.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = options.maxConnections ?? 64;
    this.#server.on('drop', () => this.#log.warn({}, 'too many ABCI connections: one was refused'));
  }

  /** Begins to listen; resolves with the address, which names the real port. @throws Error when that is impossible */
  async listen(): Promise<string> {
    const address = parseAddress(this.#options.listen);
    if ('path' in address) await clearUnixSocket(address.path);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const failed = (error: Error): void =>
      reject(new Error(`cannot listen on ${this.#options.listen}: ${error.message}`));
    this.#server.once('error', failed);
    this.#server.listen(address, () => {
      this.#server.off('error', failed);
      this.#server.on('error', (error) => this.#log.error({ err: error }, 'the ABCI socket failed'));
      resolve();
    });
    await promise;
    return formatAddress(boundAddress(this.#server, address));
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Takes no more requests, answers those under way, ends every connection. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const connection of this.#connections) connection.close();
    const impatience = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, this.#options.closeTimeoutMs ?? 10_000);
    await stopped;
    await Promise.all([...this.#connections].map((connection) => connection.whenClosed));
    clearTimeout(impatience);
  }

  #accept(socket: Socket): void {
    const connection = new ServerConnection(socket, {
      handler: this.#handler,
      maxMessageBytes: this.#options.maxMessageBytes ?? defaultMaxMessageBytes,
      maxInFlight: this.#options.maxInFlight ?? 1024,
      log: this.#log,
      refusal: (method) => this.#refusal(method),
      failed: (method, error) => this.#failed(method, error),
    });
    this.#connections.add(connection);
    this.#log.info({ connections: this.#connections.size }, 'ABCI connection opened');
    void connection.whenClosed.then(() => {
      this.#connections.delete(connection);
      this.#log.info({ connections: this.#connections.size }, 'ABCI connection closed');
    });
  }

  #refusal(method: ServedMethod): Error | undefined {
    if (this.#failure === undefined || method.connection !== 'consensus') return undefined;
    return new Error(`the application has failed and must be started again: ${this.#failure.message}`);
  }

  #failed(method: ServedMethod, error: Error): void {
    if (method.traits.fatal !== true || this.#failure !== undefined) return;
    this.#failure = error;
    this.#options.onFailure?.(error);
  }
}

function boundAddress(server: Server, asked: SocketAddress): SocketAddress {
  const bound = server.address();
  if ('path' in asked || bound === null || typeof bound === 'string') return asked;
  return { host: asked.host, port: bound.port };
}
