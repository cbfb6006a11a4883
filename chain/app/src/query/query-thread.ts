/**
 * Queries on a thread of their own, over what is committed: they never wait for a block to be executed, and a block never
 * waits for them.
 */
import { Worker } from 'node:worker_threads';
import { RequestQuery, ResponseQuery } from 'cosmjs-types/tendermint/abci/types';
import type { Home } from '../node/home.ts';

export interface QueryThreadOptions {
  /** whose state is asked for */
  readonly home: Pick<Home, 'root' | 'state'>;
  /** memory of the thread for nodes of the trees */
  readonly cacheBytes: number;
}

export interface Question {
  readonly id: number;
  readonly request: Uint8Array;
  /** the answer must not be older than this height */
  readonly from: bigint;
}

export interface Answer {
  readonly id: number;
  readonly response: Uint8Array;
}

/** What the thread says once it can answer. */
export const ready = 'ready';
/** Asks it to end. */
export const closing = 'close';

interface Waiting {
  resolve(response: Uint8Array): void;
  reject(error: Error): void;
}

export class QueryThread {
  readonly #options: QueryThreadOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #isReady = false;
  #lastId = 0;
  #closed = false;

  constructor(options: QueryThreadOptions) {
    this.#options = options;
  }

  /** Starts the thread; without it the first question does. */
  open(): void {
    if (!this.#closed) this.#worker ??= this.#start();
  }

  /** Whether the thread has loaded its program; asked before, it answers when it has. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Questions that wait for their answer. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** As `askEncoded`, with messages. */
  async ask(request: RequestQuery, from = 0n): Promise<ResponseQuery> {
    return ResponseQuery.decode(await this.askEncoded(RequestQuery.encode(request).finish(), from));
  }

  /**
   * There must be a committed block.
   * @param request an encoded RequestQuery; its buffer is copied whole
   * @param from the height of a block whose commit the asker knows of; it may still be on its way to the files
   * @returns an encoded ResponseQuery
   * @throws Error when the thread ended; the next question starts it anew
   */
  askEncoded(request: Uint8Array, from = 0n): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new Error('the node is stopping: no more queries are answered'));
    this.open();
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.set(id, { resolve, reject });
    this.#worker?.postMessage({ id, request, from } satisfies Question);
    return promise;
  }

  /** Ends the thread once it has answered what was asked. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.once('exit', () => resolve());
    worker.postMessage(closing);
    await promise;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./query-worker.ts', import.meta.url), { workerData: this.#options });
    worker.on('message', (message: Answer | typeof ready) => {
      if (message === ready) {
        this.#isReady = true;
        return;
      }
      const { id, response } = message;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      waiting?.resolve(response);
    });
    worker.on('error', (error) => this.#lost(worker, error));
    worker.on('exit', () => this.#lost(worker, new Error('the thread that answers queries ended')));
    return worker;
  }

  #lost(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#isReady = false;
    const reason = error instanceof Error ? error : new Error(String(error));
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}
