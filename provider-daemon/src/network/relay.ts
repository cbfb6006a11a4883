/**
 * Relays of the data plane: a listener whose connections are carried to where a route opens them. What a workload calls a
 * peer, and what the public calls a port, are relays.
 */
import { createServer, type Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { listenBeside } from './listen.ts';

/** Where connections go: an instance on this machine, or a tunnel to another. */
export interface StreamRoute {
  /**
   * @returns a stream that can end each direction by itself (`allowHalfOpen`)
   * @throws where nobody takes the connection
   */
  open(signal: AbortSignal): Promise<Duplex>;
}

export interface ListenAddress {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface RelayCounters {
  /** Connections, or sessions, that are open. */
  readonly open: number;
  readonly accepted: number;
  /** Beyond the limit, while the relay closes, or of a source that cannot be answered. */
  readonly refused: number;
  /** The route had nobody for it. */
  readonly failed: number;
  /** From clients. */
  readonly receivedBytes: bigint;
  /** To clients. */
  readonly sentBytes: bigint;
}

export interface Relay {
  readonly address: string;
  readonly port: number;
  counters(): RelayCounters;
  /** Takes no more; what is open may finish within `drainMs`, then it is cut. */
  close(drainMs: number): Promise<void>;
}

export interface TcpRelayLimits {
  /** At once; one more is reset. */
  readonly maxConnections: number;
  /** Without a byte in either direction; then it is reset. */
  readonly idleMs: number;
}

export const tcpRelayLimits: TcpRelayLimits = { maxConnections: 1024, idleMs: 3_600_000 };

export interface TcpRelayOptions {
  readonly listen: ListenAddress;
  readonly route: StreamRoute;
  readonly limits?: Partial<TcpRelayLimits>;
}

/** @throws the system's error where the address cannot be had */
export async function listenTcp(options: TcpRelayOptions): Promise<Relay> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true });
  await listenBeside(server, { host: options.listen.address, port: options.listen.port });
  return new TcpRelay(options, server);
}

class TcpRelay implements Relay {
  readonly address: string;
  readonly port: number;
  readonly #server: Server;
  readonly #route: StreamRoute;
  readonly #limits: TcpRelayLimits;
  readonly #clients = new Set<Socket>();
  readonly #cut = new AbortController();
  #whenEmpty: (() => void) | undefined;
  #closing = false;
  #accepted = 0;
  #refused = 0;
  #failed = 0;
  #pastReceived = 0n;
  #pastSent = 0n;

  constructor(options: TcpRelayOptions, server: Server) {
    const bound = server.address();
    this.address = options.listen.address;
    this.port = typeof bound === 'object' && bound !== null ? bound.port : options.listen.port;
    this.#server = server;
    this.#route = options.route;
    this.#limits = { ...tcpRelayLimits, ...options.limits };
    server.on('connection', (client) => void this.#carry(client));
    // Out of descriptors: that connection is lost, the relay goes on.
    server.on('error', () => {});
  }

  counters(): RelayCounters {
    const clients = [...this.#clients];
    return {
      open: clients.length,
      accepted: this.#accepted,
      refused: this.#refused,
      failed: this.#failed,
      receivedBytes: clients.reduce((sum, client) => sum + BigInt(client.bytesRead), this.#pastReceived),
      sentBytes: clients.reduce((sum, client) => sum + BigInt(client.bytesWritten), this.#pastSent),
    };
  }

  async close(drainMs: number): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#server.close();
    }
    if (this.#clients.size === 0) return;
    const cut = setTimeout(() => this.#cut.abort(), drainMs);
    await new Promise<void>((resolve) => {
      const before = this.#whenEmpty;
      this.#whenEmpty = () => {
        before?.();
        resolve();
      };
    });
    clearTimeout(cut);
  }

  async #carry(client: Socket): Promise<void> {
    client.on('error', () => {});
    if (this.#closing || this.#clients.size >= this.#limits.maxConnections) {
      this.#refused += 1;
      client.resetAndDestroy();
      return;
    }
    this.#accepted += 1;
    this.#clients.add(client);
    try {
      const far = await this.#route.open(this.#cut.signal);
      await splice(client, far, { idleMs: this.#limits.idleMs, signal: this.#cut.signal });
    } catch {
      this.#failed += 1;
      reset(client);
    }
    this.#pastReceived += BigInt(client.bytesRead);
    this.#pastSent += BigInt(client.bytesWritten);
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#whenEmpty?.();
  }
}

interface SpliceOptions {
  readonly idleMs: number;
  /** Cuts it. */
  readonly signal: AbortSignal;
}

/**
 * Joins two streams until both have closed. Each direction ends by itself: what a client sends before its FIN is answered
 * after it. What breaks on one side is a reset on the other, never an end that looks like the end of the data.
 */
export function splice(client: Socket, far: Duplex, { idleMs, signal }: SpliceOptions): Promise<void> {
  return new Promise((resolve) => {
    let lingering: NodeJS.Timeout | undefined;
    const cut = (): void => {
      reset(client);
      reset(far);
    };
    const done = (): void => {
      if (!client.closed || !far.closed) return;
      clearTimeout(lingering);
      signal.removeEventListener('abort', cut);
      resolve();
    };
    const onClose = (from: Duplex, other: Duplex): void => {
      if (!(from.readableEnded && from.writableFinished)) reset(other);
      // It has ended well and only writes what is left: not for ever, where nobody reads it.
      else if (!other.closed) lingering ??= setTimeout(cut, idleMs);
      done();
    };
    far.on('error', () => {});
    client.on('close', () => onClose(client, far));
    far.on('close', () => onClose(far, client));
    // The client sees the bytes of both directions.
    client.setTimeout(idleMs, cut);
    signal.addEventListener('abort', cut);
    if (signal.aborted || client.destroyed || far.destroyed) cut();
    client.pipe(far);
    far.pipe(client);
    done();
  });
}

/** For TCP a RST: the other side must not take it for the end of the data. A socket at a path knows none, and is closed. */
export function reset(stream: Duplex): void {
  if (stream.destroyed) return;
  if (!(stream instanceof Socket)) {
    stream.destroy();
    return;
  }
  try {
    stream.resetAndDestroy();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_INVALID_HANDLE_TYPE') throw error;
    stream.destroy();
  }
}
