/**
 * The provider's own listener (design §6, Addresses): one port for three protocols. Which one a client speaks stands in the
 * first message of TLS, which is read here and handed on with the rest: tunnels end in this process, all else in the daemon.
 * So a restart of the daemon drops no tunnel.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { Listening } from '../gateway/gateway.ts';
import { ClientHelloReader } from '../network/client-hello.ts';
import { type ListenAt, listenAlone } from '../network/listen.ts';
import { splice } from '../network/relay.ts';
import { tunnelProtocol } from '../overlay/tls.ts';
import { peerProtocol } from '../peers/tls.ts';

export interface HostListenerLimits {
  /** At once, whatever they speak. */
  readonly maxConnections: number;
  /** For a client to say whom it wants. */
  readonly helloMs: number;
  /** For a daemon to take a connection: it is on this machine. */
  readonly connectMs: number;
}

export const hostListenerLimits: HostListenerLimits = { maxConnections: 4096, helloMs: 10_000, connectMs: 5_000 };

/** The daemon holds those that say nothing to its own limits; here they are only not kept for ever. */
const idleMs = 24 * 60 * 60_000;

export interface HostListenerOptions {
  readonly listen: ListenAt;
  /** Takes the connections of tunnels: nothing of them has been taken out of the socket. */
  readonly tunnels: (socket: Socket) => void;
  /** Paths of the daemon's sockets. */
  readonly api: string;
  readonly peer: string;
  readonly limits?: Partial<HostListenerLimits>;
}

export class HostListener {
  readonly #options: HostListenerOptions;
  readonly #limits: HostListenerLimits;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Those that have not said yet whom they want; the one that has waited for longest stands first. */
  readonly #silent = new Set<Socket>();
  readonly #closing = new AbortController();

  private constructor(options: HostListenerOptions, server: Server) {
    this.#options = options;
    this.#limits = { ...hostListenerLimits, ...options.limits };
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
    // Out of descriptors: that connection is lost, the listener goes on.
    server.on('error', () => {});
  }

  /** @throws the system's error where the address cannot be had */
  static async listen(options: HostListenerOptions): Promise<HostListener> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true });
    await listenAlone(server, options.listen);
    return new HostListener(options, server);
  }

  get at(): Listening {
    const bound = this.#server.address();
    const { host, port } = this.#options.listen;
    return { host, port: typeof bound === 'object' && bound !== null ? bound.port : port };
  }

  /** Connections that are open. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Takes no more; those that are open are cut. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#closing.abort();
    for (const socket of this.#sockets) socket.destroy();
    await promise;
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {}); // `close` follows and is what counts
    if (this.#sockets.size >= this.#limits.maxConnections) {
      // Who says nothing gives way to who may have something to say.
      const [oldest] = this.#silent;
      (oldest ?? socket).resetAndDestroy();
      if (oldest === undefined) return;
      this.#forget(oldest);
    }
    this.#sockets.add(socket);
    this.#silent.add(socket);
    socket.once('close', () => this.#forget(socket));
    this.#hear(socket);
  }

  #forget(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#silent.delete(socket);
  }

  #hear(socket: Socket): void {
    const reader = new ClientHelloReader();
    const late = setTimeout(() => socket.destroy(), this.#limits.helloMs).unref();
    const onEnd = (): void => void socket.destroy();
    const onClose = (): void => clearTimeout(late);
    const onData = (chunk: Buffer): void => {
      const hello = reader.push(chunk);
      if (hello === undefined) return;
      onClose();
      socket.off('data', onData).off('end', onEnd).off('close', onClose);
      this.#silent.delete(socket);
      socket.pause();
      socket.unshift(reader.bytes);
      this.#send(socket, hello === 'other' ? [] : hello.protocols);
    };
    socket.on('data', onData).once('end', onEnd).once('close', onClose);
  }

  #send(socket: Socket, protocols: readonly string[]): void {
    const { tunnels, api, peer } = this.#options;
    if (protocols.includes(tunnelProtocol)) {
      // From here on TLS says what an end is.
      socket.allowHalfOpen = false;
      tunnels(socket);
      return;
    }
    void this.#carry(socket, protocols.includes(peerProtocol) ? peer : api);
  }

  async #carry(client: Socket, path: string): Promise<void> {
    const daemon = createConnection({ path, allowHalfOpen: true });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const late = setTimeout(() => resolve(false), this.#limits.connectMs).unref();
    // Stays for good: what breaks later shows in `close`.
    daemon.on('error', () => resolve(false));
    daemon.once('connect', () => resolve(true));
    client.once('close', () => resolve(false));
    const isThere = await promise;
    clearTimeout(late);
    if (!isThere || client.destroyed) {
      daemon.destroy();
      client.destroy();
      return;
    }
    await splice(client, daemon, { idleMs, signal: this.#closing.signal });
  }
}
