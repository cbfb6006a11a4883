/**
 * The name resolver of one workload's network, bound by the data plane to the gateway's port 53, UDP and TCP. It knows the
 * workload's peers; other names it asks for only where the workload may go out.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { failed, maxQueryBytes, type Query, type Reply, rcodes, readQuery, writeReply } from './dns-messages.ts';
import {
  frame,
  type Transport,
  Upstream,
  type UpstreamAddress,
  type UpstreamLimits,
  upstreamLimits,
} from './dns-upstream.ts';
import { answerHere, type ResolverTable } from './resolver-zone.ts';

export type { ResolverTable, UpstreamAddress, UpstreamLimits };

export interface ResolverLimits extends UpstreamLimits {
  /** TCP connections at once; one more is closed. */
  readonly maxConnections: number;
  /** A TCP connection without a question is closed. */
  readonly idleMs: number;
}

export const resolverLimits: ResolverLimits = { ...upstreamLimits, maxConnections: 16, idleMs: 10_000 };

export interface ResolverOptions {
  readonly address: string;
  /** 53, or 0 for any free one. */
  readonly port: number;
  readonly table: ResolverTable;
  /** Asked in this order, where the table lets names through. */
  readonly upstreams: readonly UpstreamAddress[];
  readonly limits?: Partial<ResolverLimits>;
}

export class Resolver {
  /** Where it listens. */
  readonly port: number;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  readonly #upstream: Upstream;
  readonly #limits: ResolverLimits;
  #table: ResolverTable;
  #closed = false;

  private constructor(options: ResolverOptions, sockets: { readonly udp: UdpSocket; readonly tcp: Server }) {
    this.#limits = { ...resolverLimits, ...options.limits };
    this.#table = options.table;
    this.#upstream = new Upstream(options.upstreams, this.#limits);
    this.#udp = sockets.udp;
    this.#tcp = sockets.tcp;
    this.port = sockets.udp.address().port;
    this.#udp.on('message', (bytes, from) => void this.#onDatagram(bytes, from));
    // An error of a single datagram (its sender has gone) says nothing about the next.
    this.#udp.on('error', () => {});
    this.#tcp.on('error', () => {});
    this.#tcp.on('connection', (socket) => void this.#onConnection(socket));
  }

  /** @throws the system's error where the address cannot be had */
  static async listen(options: ResolverOptions): Promise<Resolver> {
    // Half-open: a client that ends its side after its last question still gets the answer.
    const tcp = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen({ host: options.address, port: options.port }, () => resolve());
    });
    const bound = tcp.address();
    const udp = createSocket('udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        udp.once('error', reject);
        const port = typeof bound === 'object' && bound !== null ? bound.port : options.port;
        udp.bind({ address: options.address, port }, () => resolve());
      });
    } catch (cause) {
      tcp.close();
      udp.close();
      throw cause;
    }
    return new Resolver(options, { udp, tcp });
  }

  /** From the next question on. */
  update(table: ResolverTable): void {
    this.#table = table;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#upstream.close();
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
    ]);
  }

  async #onDatagram(bytes: Buffer, from: RemoteInfo): Promise<void> {
    // Nothing can be sent to port 0, and node throws where it is tried.
    if (from.port === 0) return;
    const answer = await this.#answer(bytes, 'udp');
    if (answer !== undefined && !this.#closed) this.#udp.send(answer, from.port, from.address);
  }

  async #onConnection(socket: Socket): Promise<void> {
    if (this.#connections.size >= this.#limits.maxConnections) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.setTimeout(this.#limits.idleMs, () => socket.destroy());
    try {
      await this.#serve(socket);
      socket.end();
    } catch {
      // The client has gone, or spoke something else than DNS.
      socket.destroy();
    }
  }

  /** One question after the other: what waits, waits in the client's socket. */
  async #serve(socket: Socket): Promise<void> {
    let pending = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2) {
        const length = pending.readUInt16BE(0);
        if (length > maxQueryBytes) throw new Error('a question of that length is none');
        if (pending.length < length + 2) break;
        const answer = await this.#answer(pending.subarray(2, length + 2), 'tcp');
        if (answer === undefined) throw new Error('not a question');
        pending = pending.subarray(length + 2);
        await write(socket, frame(answer));
      }
    }
  }

  async #answer(bytes: Buffer, transport: Transport): Promise<Buffer | undefined> {
    const query = readQuery(bytes);
    if (query === undefined) return undefined;
    if ('refusal' in query) return query.refusal;
    const reply = answerHere(query, this.#table) ?? (await this.#upstream.ask(query, transport));
    return encode(query, reply, transport === 'udp' ? query.udpBytes : undefined);
  }
}

/** Until it is on its way: a client that does not read its answers asks nothing more. */
function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (cause) => (cause ? reject(cause) : resolve()));
  });
}

/** Another server's records may hold what cannot be written again. */
function encode(query: Query, reply: Reply, maxBytes: number | undefined): Buffer {
  try {
    return writeReply(query, reply, maxBytes);
  } catch {
    return writeReply(query, failed(rcodes.serverFailure), maxBytes);
  }
}
