/**
 * The application on a thread of its own, as whoever serves it sees it: encoded requests go there, encoded answers come
 * back. The thread that serves is free while a block is executed: it takes requests, answers queries from the thread
 * beside, says how the node is, and hears a signal.
 */

import type { Worker } from 'node:worker_threads';
import { FrameError } from '@mu/abci/frame';
import type { MessageHandler } from '@mu/abci/handler';
import { decodeBody, methods, type ServedMethod } from '@mu/abci/methods';
import { messageOf } from '@mu/lib/error-message';
import { BinaryReader } from 'cosmjs-types/binary';
import { RequestQuery, ResponseInfo } from 'cosmjs-types/tendermint/abci/types';
import { isSimulation } from '../node/node-application.ts';
import type { QueryThread } from '../query/query-thread.ts';
import { type Message, Outbox, unpackMessages } from './batch.ts';
import type { StartedWorker } from './start-worker.ts';

/** Kinds of answers. */
export const answered = 0;
export const refused = 1;
/** The request could not be read: the application was not asked. */
export const damaged = 2;
/** Asks the thread to end. */
export const closing = 'close';
/** Asks the thread for its metrics. */
export const askingMetrics = 'metrics';
/** What the thread says beside its answers. */
export type Notice =
  | 'open'
  | 'closed'
  | { readonly failure: string }
  | { readonly metrics: string }
  | { readonly noMetrics: string };

interface Waiting {
  resolve(body: Uint8Array): void;
  reject(error: Error): void;
}

export interface ApplicationThreadOptions {
  readonly started: StartedWorker;
  readonly queries: QueryThread;
  /** learns of a failure after which no more blocks may be executed */
  readonly onFailure: (error: Error) => void;
  /** told of each committed block */
  readonly onCommitted?: (height: bigint) => void;
}

export class ApplicationThread implements MessageHandler {
  readonly #worker: Worker;
  readonly #queries: QueryThread;
  readonly #onFailure: (error: Error) => void;
  readonly #onCommitted: ((height: bigint) => void) | undefined;
  readonly #outbox: Outbox;
  readonly #waiting = new Map<number, Waiting>();
  /** who waits for the metrics that were asked for; they come in turn */
  #asking: PromiseWithResolvers<string>[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #lastId = 0;
  /** of the last block that is committed */
  #height = 0n;
  #nextHeight = 0n;
  #isClosing = false;

  private constructor({ started, queries, onFailure, onCommitted }: ApplicationThreadOptions) {
    const { worker, ended } = started;
    this.#worker = worker;
    this.#queries = queries;
    this.#onFailure = onFailure;
    this.#onCommitted = onCommitted;
    this.#outbox = new Outbox((message, owned) => worker.postMessage(message, [owned]));
    worker.on('message', (message: ArrayBuffer | Message | Notice) => this.#take(message));
    void ended.then((error) => this.#lost(error));
  }

  /** Resolves when the application is open. @throws Error that says what is wrong with the state, and what to do */
  static async start(options: ApplicationThreadOptions): Promise<ApplicationThread> {
    await options.started.opened;
    return new ApplicationThread(options);
  }

  handle(method: ServedMethod, body: Uint8Array): Promise<Uint8Array> {
    if (method === methods.query) return this.#query(body);
    if (method === methods.finalizeBlock) this.#nextHeight = heightOf(body);
    const reply = this.#ask(method, body);
    if (method === methods.commit) return reply.then((bytes) => this.#committed(bytes));
    if (method === methods.info) return reply.then((bytes) => this.#informed(bytes));
    return reply;
  }

  /** The metrics of the thread, in the text format of Prometheus. @throws Error when it cannot say them, or ended */
  metrics(): Promise<string> {
    const asking = Promise.withResolvers<string>();
    if (this.#isClosing) asking.reject(new Error('the node is stopping'));
    else {
      this.#asking.push(asking);
      this.#worker.postMessage(askingMetrics);
    }
    return asking.promise;
  }

  /** Ends the thread when all that is under way is answered and all that is committed is in the files. */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#outbox.flush();
      this.#worker.postMessage(closing);
    }
    await this.#closed.promise;
    await this.#worker.terminate();
  }

  #ask(method: ServedMethod, body: Uint8Array): Promise<Uint8Array> {
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#waiting.set(id, { resolve, reject });
    this.#outbox.add({ id, kind: method.request, bytes: body });
    return promise;
  }

  /** What is committed is asked of the thread beside; what the state machine alone can say, of it. */
  async #query(body: Uint8Array): Promise<Uint8Array> {
    const { path } = decodeBody('Query', RequestQuery, body);
    if (this.#height === 0n || !this.#queries.isReady || isSimulation(path)) return this.#ask(methods.query, body);
    try {
      // A copy: the body may be a part of a larger buffer of the socket.
      return await this.#queries.askEncoded(new Uint8Array(body), this.#height);
    } catch {
      return this.#ask(methods.query, body);
    }
  }

  #committed(bytes: Uint8Array): Uint8Array {
    this.#height = this.#nextHeight;
    this.#onCommitted?.(this.#height);
    return bytes;
  }

  #informed(bytes: Uint8Array): Uint8Array {
    const { lastBlockHeight } = ResponseInfo.decode(bytes);
    if (lastBlockHeight > this.#height) this.#height = lastBlockHeight;
    return bytes;
  }

  #take(message: ArrayBuffer | Message | Notice): void {
    if (message === 'closed') this.#closed.resolve();
    else if (message === 'open') return;
    else if ('failure' in message) this.#onFailure(new Error(message.failure));
    else if ('metrics' in message) this.#asking.shift()?.resolve(message.metrics);
    else if ('noMetrics' in message) this.#asking.shift()?.reject(new Error(message.noMetrics));
    else for (const { id, kind, bytes } of unpackMessages(message)) this.#answer(id, kind, bytes);
  }

  #answer(id: number, kind: number, bytes: Uint8Array): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (kind === answered) waiting?.resolve(bytes);
    else {
      const text = Buffer.from(bytes).toString();
      waiting?.reject(kind === damaged ? new FrameError(text) : new Error(text));
    }
  }

  #lost(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    for (const { reject } of this.#asking.splice(0)) reject(error);
    this.#closed.resolve();
    if (!this.#isClosing) this.#onFailure(error);
  }
}

/** Field of `RequestFinalizeBlock` (types.proto of CometBFT 0.38). */
const heightField = 5;

/**
 * The height in an encoded RequestFinalizeBlock; what stands before it, a block's transactions, is passed over.
 * @throws FrameError
 */
function heightOf(body: Uint8Array): bigint {
  try {
    const reader = new BinaryReader(body);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag >>> 3 === heightField) return reader.int64();
      reader.skipType(tag & 7);
    }
  } catch (error) {
    throw new FrameError(`damaged FinalizeBlock: ${messageOf(error)}`);
  }
  return 0n;
}
