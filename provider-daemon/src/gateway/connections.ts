/**
 * The connections of clients: how many there may be, and how long one may do nothing. Node's own time-outs begin anew with
 * each byte, or hold only where its server listens by itself; these do neither.
 */
import type { Socket } from 'node:net';
import { refusalBytes, refusals } from './answers.ts';
import type { GatewayLimits } from './limits.ts';

type ConnectionLimits = Pick<
  GatewayLimits,
  'connections' | 'connectionsPerClient' | 'headersMs' | 'keepAliveMs' | 'callsPerConnection'
>;

export interface Connection {
  /** Who has it: an IPv4 address, or an IPv6 network of 64 bits. */
  readonly client: string;
  /** After a TLS handshake the socket on top. */
  socket: Socket;
  /** HTTP/2: its end is announced. */
  leave: (() => void) | undefined;
  /** It has been announced: a client that does not go then is not waited for. */
  isLeaving: boolean;
  /** Requests under way. */
  calls: number;
  /** Whether a request has come on it. */
  used: boolean;
  /** When it became idle; in ms. */
  idleSince: number;
  /** Bytes received when it became idle: more mean that a request's headers are coming. */
  mark: number;
  headersSince: number | undefined;
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #now: () => number;
  readonly #bySocket = new Map<Socket, Connection>();
  readonly #perClient = new Map<string, number>();
  /** Those without a request, the one that has been so the longest first. */
  readonly #idle = new Set<Connection>();
  #refused = 0;

  constructor(limits: ConnectionLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#bySocket.size;
  }

  /** Connections that were refused for being too many. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes a new connection, or refuses it. */
  admit(socket: Socket): Connection | undefined {
    const client = clientOf(socket.remoteAddress ?? '');
    const held = this.#perClient.get(client) ?? 0;
    if (held >= this.#limits.connectionsPerClient || !this.#makeRoom()) {
      this.#refused += 1;
      socket.destroy();
      return undefined;
    }
    const idleSince = this.#now();
    const connection: Connection = {
      ...{ client, socket, calls: 0, used: false, idleSince, mark: 0 },
      ...{ leave: undefined, isLeaving: false, headersSince: undefined },
    };
    this.#perClient.set(client, held + 1);
    this.#bySocket.set(socket, connection);
    this.#idle.add(connection);
    socket.once('close', () => this.#forget(connection));
    return connection;
  }

  /** TLS is agreed on: from now on this socket stands for the connection. */
  secured(connection: Connection, socket: Socket): void {
    if (!this.#bySocket.delete(connection.socket)) return;
    // The end of the connection below is not told above where nothing is being read.
    connection.socket.once('close', () => socket.destroy());
    connection.socket = socket;
    connection.mark = socket.bytesRead;
    this.#bySocket.set(socket, connection);
    socket.once('close', () => this.#forget(connection));
  }

  of(socket: Socket): Connection | undefined {
    return this.#bySocket.get(socket);
  }

  /** A request begins. False where the connection has as many as it may. */
  begin(connection: Connection): boolean {
    connection.calls += 1;
    connection.used = true;
    connection.headersSince = undefined;
    this.#idle.delete(connection);
    return connection.calls <= this.#limits.callsPerConnection;
  }

  end(connection: Connection): void {
    connection.calls -= 1;
    if (connection.calls > 0 || !this.#bySocket.has(connection.socket)) return;
    connection.idleSince = this.#now();
    connection.mark = connection.socket.bytesRead;
    this.#idle.add(connection);
  }

  /** Ends what has been idle too long, and what sends its headers too slowly. */
  sweep(): void {
    const now = this.#now();
    for (const connection of [...this.#idle]) {
      const { socket, used, idleSince, mark } = connection;
      const most = used ? this.#limits.keepAliveMs : this.#limits.headersMs;
      if (connection.leave === undefined && socket.bytesRead > mark) {
        connection.headersSince ??= used ? now : idleSince;
        if (now - connection.headersSince > this.#limits.headersMs) tellTooSlow(socket);
      } else if (now - idleSince > most) this.#close(connection);
    }
  }

  /** Ends all that are idle. */
  closeIdle(): void {
    for (const connection of [...this.#idle]) this.#close(connection);
  }

  /** Tells what can be told that no more requests are taken: HTTP/2 (GOAWAY). */
  announceEnd(): void {
    for (const connection of this.#bySocket.values()) announce(connection);
  }

  destroy(): void {
    for (const { socket } of [...this.#bySocket.values()]) socket.destroy();
  }

  #makeRoom(): boolean {
    if (this.#bySocket.size < this.#limits.connections) return true;
    const [longest] = this.#idle;
    if (longest === undefined) return false;
    this.#refused += 1;
    longest.socket.destroy();
    this.#forget(longest);
    return true;
  }

  #close(connection: Connection): void {
    if (connection.leave === undefined || connection.isLeaving) connection.socket.destroy();
    else announce(connection);
  }

  #forget(connection: Connection): void {
    this.#idle.delete(connection);
    if (!this.#bySocket.delete(connection.socket)) return;
    const held = (this.#perClient.get(connection.client) ?? 1) - 1;
    if (held > 0) this.#perClient.set(connection.client, held);
    else this.#perClient.delete(connection.client);
  }
}

function announce(connection: Connection): void {
  if (connection.leave === undefined) return;
  connection.isLeaving = true;
  connection.leave();
}

function tellTooSlow(socket: Socket): void {
  if (socket.writable) socket.write(refusalBytes(refusals.tooSlow, 'Request Timeout'));
  socket.destroySoon();
}

/** A home has one IPv4 address, or an IPv6 network of 64 bits in which it can take any. */
export function clientOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('%')[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length;
  return [...groups, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...after].slice(0, 4).join(':');
}
