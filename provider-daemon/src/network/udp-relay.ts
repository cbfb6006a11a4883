/** The UDP form of a relay: a session for each source, which ends when nothing has passed for a while. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { ListenAddress, Relay, RelayCounters } from './relay.ts';

/** A source's way to where it is carried. */
export interface DatagramSession {
  send(bytes: Buffer): void;
  close(): void;
}

/** Where datagrams go: an instance on this machine, or a tunnel to another. */
export interface DatagramRoute {
  /** @returns undefined where nobody takes it */
  openDatagrams(far: { message(bytes: Buffer): void; closed(): void }): DatagramSession | undefined;
}

export interface UdpRelayLimits {
  /** At once; one more takes the place of the one that has been quiet for longest. */
  readonly maxSessions: number;
  /** Without a datagram in either direction. */
  readonly idleMs: number;
}

export const udpRelayLimits: UdpRelayLimits = { maxSessions: 1024, idleMs: 60_000 };

export interface UdpRelayOptions {
  readonly listen: ListenAddress;
  readonly route: DatagramRoute;
  readonly limits?: Partial<UdpRelayLimits>;
  /** Milliseconds of any clock that does not go back. */
  readonly now?: () => number;
}

/** @throws the system's error where the address cannot be had */
export async function listenUdp(options: UdpRelayOptions): Promise<Relay> {
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: options.listen.address, port: options.listen.port }, () => resolve());
    });
  } catch (cause) {
    socket.close();
    throw cause;
  }
  return new UdpRelay(options, socket);
}

interface Session {
  readonly key: string;
  readonly far: DatagramSession;
  usedAt: number;
}

class UdpRelay implements Relay {
  readonly address: string;
  readonly port: number;
  readonly #socket: Socket;
  readonly #route: DatagramRoute;
  readonly #limits: UdpRelayLimits;
  readonly #now: () => number;
  /** By source; the one that has been quiet for longest stands first. */
  readonly #sessions = new Map<string, Session>();
  readonly #sweep: NodeJS.Timeout;
  #whenEmpty: (() => void) | undefined;
  #closing = false;
  #accepted = 0;
  #refused = 0;
  #failed = 0;
  #receivedBytes = 0n;
  #sentBytes = 0n;

  constructor(options: UdpRelayOptions, socket: Socket) {
    this.address = options.listen.address;
    this.port = socket.address().port;
    this.#socket = socket;
    this.#route = options.route;
    this.#limits = { ...udpRelayLimits, ...options.limits };
    this.#now = options.now ?? (() => performance.now());
    this.#sweep = setInterval(() => this.#endIdle(), Math.max(1, this.#limits.idleMs / 4)).unref();
    socket.on('message', (bytes, from) => this.#onDatagram(bytes, from));
    // An answer whose receiver has gone: the next one has another.
    socket.on('error', () => {});
  }

  counters(): RelayCounters {
    return {
      open: this.#sessions.size,
      accepted: this.#accepted,
      refused: this.#refused,
      failed: this.#failed,
      receivedBytes: this.#receivedBytes,
      sentBytes: this.#sentBytes,
    };
  }

  /** Sessions that stand go on until they are idle or the time is over; new sources are dropped at once. */
  async close(drainMs: number): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#sessions.size > 0 && drainMs > 0) {
      await new Promise<void>((resolve) => {
        const cut = setTimeout(resolve, drainMs);
        this.#whenEmpty = () => {
          clearTimeout(cut);
          resolve();
        };
      });
    }
    clearInterval(this.#sweep);
    for (const session of [...this.#sessions.values()]) this.#end(session);
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #onDatagram(bytes: Buffer, from: RemoteInfo): void {
    // Nothing can be sent to port 0, and node throws where it is tried; anybody can write such a packet.
    if (from.port === 0) {
      this.#refused += 1;
      return;
    }
    const key = `${from.address}:${from.port}`;
    const session = this.#sessions.get(key) ?? this.#open(key, from);
    if (session === undefined) return;
    this.#receivedBytes += BigInt(bytes.length);
    this.#touch(session);
    session.far.send(bytes);
  }

  #open(key: string, from: RemoteInfo): Session | undefined {
    if (this.#closing) {
      this.#refused += 1;
      return undefined;
    }
    if (this.#sessions.size >= this.#limits.maxSessions) {
      const [oldest] = this.#sessions.values();
      if (oldest !== undefined) this.#end(oldest);
    }
    const far = this.#route.openDatagrams({
      message: (bytes) => {
        if (this.#sessions.get(key) !== session) return;
        this.#touch(session);
        this.#sentBytes += BigInt(bytes.length);
        this.#socket.send(bytes, from.port, from.address);
      },
      // The source's next datagram opens another session, with another instance.
      closed: () => session !== undefined && this.#end(session),
    });
    if (far === undefined) {
      this.#failed += 1;
      return undefined;
    }
    const session: Session = { key, far, usedAt: this.#now() };
    this.#accepted += 1;
    this.#sessions.set(key, session);
    return session;
  }

  #touch(session: Session): void {
    session.usedAt = this.#now();
    this.#sessions.delete(session.key);
    this.#sessions.set(session.key, session);
  }

  #endIdle(): void {
    const before = this.#now() - this.#limits.idleMs;
    for (const session of [...this.#sessions.values()]) {
      if (session.usedAt > before) return;
      this.#end(session);
    }
  }

  #end(session: Session): void {
    if (this.#sessions.get(session.key) !== session) return;
    this.#sessions.delete(session.key);
    session.far.close();
    if (this.#sessions.size === 0) this.#whenEmpty?.();
  }
}
