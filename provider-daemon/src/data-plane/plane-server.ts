/** The data plane's end of the link: takes requests from the daemon, one connection after the other or several at once. */

import { createServer, type Server, type Socket } from 'node:net';
import { messageOf } from '@mu/lib/error-message';
import type { Listening } from '../gateway/gateway.ts';
import { listenAtPath } from '../network/listen.ts';
import { WorkloadError, type WorkloadLog } from '../workloads/driver.ts';
import type { Plane } from './plane.ts';
import { encode, type LogEvent, MessageReader, type Reply, type Request, wireVersion } from './wire.ts';

/** Log lines kept for a daemon that is away, or takes them too slowly: the oldest are dropped. */
export const maxWaitingLines = 10_000;

/** How long a daemon may take to end its side of a link that is closed. */
const closeGraceMs = 2_000;

/** What the data plane says of itself. */
export interface PlaneGreeting {
  readonly version: number;
  readonly pid: number;
  /** Of the settings that it runs with. */
  readonly settings: string;
  /** Where the gateway listens. */
  readonly gateway: Listening;
  /** Where the provider's own listener listens. */
  readonly host: Listening;
}

export interface PlaneServerOptions {
  readonly plane: Plane;
  /** Path of the socket; what is left there by a process that is gone is removed. */
  readonly path: string;
  readonly greeting: Omit<PlaneGreeting, 'version' | 'pid'>;
  /** The daemon asks the process to end. */
  readonly onStop: () => Promise<void>;
}

export class PlaneServer {
  readonly #options: PlaneServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Those that have asked something: the first of them is given the lines. Who only looks whether we listen is not. */
  readonly #speakers = new Set<Socket>();
  #waiting: LogEvent[] = [];
  /** When the last daemon went, in milliseconds of the clock that was given; undefined while one is there. */
  #aloneSince: number | undefined;
  readonly #now: () => number;

  /** @param now milliseconds since some moment; a clock that somebody can set would end the data plane in a restart */
  constructor(options: PlaneServerOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
    this.#aloneSince = now();
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** A line of a workload's log, for the daemon; kept while none is there or none takes it. */
  readonly log: WorkloadLog = ({ deployment, service }, stream, line) => {
    const event: LogEvent = { log: { lease: deployment, service, stream, line } };
    this.#waiting.push(event);
    if (this.#waiting.length > maxWaitingLines) this.#waiting.shift();
    this.#giveLines();
  };

  #giveLines(): void {
    const [socket] = this.#speakers;
    if (socket === undefined) return;
    let given = 0;
    while (given < this.#waiting.length && !socket.writableNeedDrain) {
      socket.write(encode(this.#waiting[given]!));
      given += 1;
    }
    this.#waiting.splice(0, given);
  }

  /** Milliseconds for which no daemon has been there. */
  aloneMs(): number {
    return this.#aloneSince === undefined ? 0 : this.#now() - this.#aloneSince;
  }

  async listen(): Promise<void> {
    await listenAtPath(this.#server, this.#options.path);
  }

  /** Lets daemons read what was answered; one that does not end its side is cut off. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.end();
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, closeGraceMs);
    await promise;
    clearTimeout(cut);
  }

  #accept(socket: Socket): void {
    const reader = new MessageReader();
    this.#sockets.add(socket);
    this.#aloneSince = undefined;
    socket.on('error', () => {}); // `close` follows and is what counts
    socket.on('drain', () => this.#giveLines());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#speakers.delete(socket);
      this.#giveLines();
      if (this.#sockets.size === 0) this.#aloneSince = this.#now();
    });
    socket.on('data', (chunk: Buffer) => {
      this.#speakers.add(socket);
      this.#giveLines();
      try {
        for (const message of reader.push(chunk)) void this.#answer(socket, message as Request);
      } catch {
        socket.destroy();
      }
    });
  }

  async #answer(socket: Socket, { id, method, params }: Request): Promise<void> {
    let reply: Reply;
    try {
      reply = { id, result: (await this.#call(method, params)) ?? null };
    } catch (error) {
      const message = messageOf(error);
      reply = { id, error: { message, ...(error instanceof WorkloadError ? { reason: error.reason } : {}) } };
    }
    if (!socket.destroyed) socket.write(encode(reply));
  }

  #call(method: string, params: readonly unknown[]): Promise<unknown> {
    const { plane, greeting, onStop } = this.#options;
    const own: Readonly<Record<string, (...given: never[]) => Promise<unknown>>> = {
      hello: async () => ({ version: wireVersion, pid: process.pid, ...greeting }) satisfies PlaneGreeting,
      stop: onStop,
      open: plane.open.bind(plane),
      serve: plane.serve.bind(plane),
      place: plane.place.bind(plane),
      link: plane.link.bind(plane),
      view: plane.view.bind(plane),
      drain: plane.drain.bind(plane),
      withdraw: plane.withdraw.bind(plane),
      served: plane.served.bind(plane),
      totals: plane.totals.bind(plane),
      figures: plane.figures.bind(plane),
      forget: plane.forget.bind(plane),
    };
    const found = Object.hasOwn(own, method) ? own[method] : undefined;
    if (found === undefined) throw new Error(`the data plane knows no ${method}`);
    return found(...(params as never[]));
  }
}
