/** The daemon's end of the link: a `Plane` behind a socket. */
import { createConnection, type Socket } from 'node:net';
import { WorkloadError, type WorkloadLog } from '../workloads/driver.ts';
import type { ServedLinks, ServedView } from './links.ts';
import type { LeaseTotals, Plane, PlaneFigures, ServedLease, ServedWays, ServedWorkload } from './plane.ts';
import type { PlaneGreeting } from './plane-server.ts';
import { encode, type LogEvent, MessageReader, type Reply } from './wire.ts';

/** The longest that the data plane may take for an answer: a function's start is the slowest. */
const answerMs = 120_000;

/** The link is gone; the daemon makes another one. */
export class PlaneGone extends Error {
  override readonly name = 'PlaneGone';

  constructor() {
    super('the data plane is gone');
  }
}

interface Waiting {
  readonly settle: PromiseWithResolvers<unknown>;
  readonly timer: NodeJS.Timeout;
}

export class PlaneClient implements Plane {
  readonly #socket: Socket;
  readonly #log: WorkloadLog;
  readonly #waiting = new Map<number, Waiting>();
  readonly #gone = Promise.withResolvers<void>();
  #nextId = 1;
  #isGone = false;

  private constructor(socket: Socket, log: WorkloadLog) {
    this.#socket = socket;
    this.#log = log;
    const reader = new MessageReader();
    socket.on('data', (chunk: Buffer) => {
      for (const message of reader.push(chunk)) this.#receive(message as Reply | LogEvent);
    });
    socket.on('error', () => {}); // `close` follows and is what counts
    socket.on('close', () => this.#end());
  }

  /** @throws Error where nobody listens at the path */
  static async connect(path: string, log: WorkloadLog): Promise<PlaneClient> {
    const socket = createConnection(path);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve).once('error', reject);
    await promise;
    return new PlaneClient(socket, log);
  }

  /** Resolves when the link has ended. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  hello(): Promise<PlaneGreeting> {
    return this.#ask('hello') as Promise<PlaneGreeting>;
  }

  /** Asks the data plane to finish what is under way and to end. */
  async stop(): Promise<void> {
    await this.#ask('stop');
  }

  async open(lease: string, ways: ServedWays): Promise<void> {
    await this.#ask('open', lease, ways);
  }

  async serve(lease: ServedLease): Promise<void> {
    await this.#ask('serve', lease);
  }

  async place(lease: string, workloads: readonly ServedWorkload[]): Promise<void> {
    await this.#ask('place', lease, workloads);
  }

  async link(lease: string, links: ServedLinks): Promise<void> {
    await this.#ask('link', lease, links);
  }

  async view(view: ServedView): Promise<void> {
    await this.#ask('view', view);
  }

  async drain(lease: string, addresses: readonly string[]): Promise<void> {
    await this.#ask('drain', lease, addresses);
  }

  async withdraw(lease: string): Promise<void> {
    await this.#ask('withdraw', lease);
  }

  served(): Promise<readonly string[]> {
    return this.#ask('served') as Promise<readonly string[]>;
  }

  totals(): Promise<readonly LeaseTotals[]> {
    return this.#ask('totals') as Promise<readonly LeaseTotals[]>;
  }

  figures(): Promise<PlaneFigures> {
    return this.#ask('figures') as Promise<PlaneFigures>;
  }

  async forget(lease: string): Promise<void> {
    await this.#ask('forget', lease);
  }

  close(): void {
    this.#socket.destroy();
    this.#end();
  }

  #ask(method: string, ...params: readonly unknown[]): Promise<unknown> {
    if (this.#isGone) return Promise.reject(new PlaneGone());
    const id = this.#nextId;
    this.#nextId += 1;
    const settle = Promise.withResolvers<unknown>();
    // One that does not answer is as good as gone: another one takes its place.
    const timer = setTimeout(() => this.close(), answerMs);
    this.#waiting.set(id, { settle, timer });
    this.#socket.write(encode({ id, method, params }));
    return settle.promise;
  }

  #receive(message: Reply | LogEvent): void {
    if ('log' in message) {
      const { lease, service, stream, line } = message.log;
      this.#log({ deployment: lease, service }, stream, line);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if ('result' in message) waiting.settle.resolve(message.result);
    else {
      const { reason, message: text } = message.error;
      waiting.settle.reject(reason === undefined ? new Error(text) : new WorkloadError(reason, text));
    }
  }

  #end(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const { settle, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      settle.reject(new PlaneGone());
    }
    this.#waiting.clear();
    this.#gone.resolve();
  }
}
