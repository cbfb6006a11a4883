/** One connection of an {@link AbciServer}: requests in, calls in their order, replies out in the same order. */
import type { Socket } from 'node:net';
import { ResponseException } from 'cosmjs-types/tendermint/abci/types';
import { FrameError, FrameReader, frameHeader, openEnvelope } from './frame.ts';
import type { MessageHandler } from './handler.ts';
import type { AbciLog } from './log.ts';
import { exceptionField, isPromise, methodOfRequest, type ServedMethod } from './methods.ts';
import { ReplyQueue, type Slot } from './reply-queue.ts';

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly handler: MessageHandler;
  readonly maxMessageBytes: number;
  /** Requests whose replies are not yet written, at most. */
  readonly maxInFlight: number;
  readonly log: AbciLog;
  /** Why a method may not be called any more. */
  refusal(method: ServedMethod): Error | undefined;
  /** A method failed. */
  failed(method: ServedMethod, error: Error): void;
}

/** A synchronous application keeps the thread at most so long for one connection; then the others get their turn. */
const turnMs = 4;

/** So many bytes are written at once, without waiting for what else this turn answers. */
const writeBytes = 262_144;

/** Replies that wait for an earlier one hold at most about so much; then nothing more is begun. */
const maxReplyBytes = 16_777_216;

/** So long a peer may take to close its side. */
const lingerMs = 2000;

interface Call {
  readonly method: ServedMethod;
  readonly body: Uint8Array;
}

export class ServerConnection {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #frames: FrameReader;
  readonly #replies = new ReplyQueue();
  /** Calls that are under way. */
  #running = 0;
  /** Whether the call under way is one that must be alone. */
  #alone = false;
  /** A call that waits until it is alone. */
  #held: Call | undefined;
  /** The peer has sent all it will send. */
  #inputEnded = false;
  /** Nothing more is begun; what is under way is answered. */
  #closing = false;
  #closed = false;
  #isWritable = true;
  #isFlushDue = false;
  #isTurnDue = false;
  readonly whenClosed: Promise<void>;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#frames = new FrameReader(host.maxMessageBytes);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.whenClosed = promise;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#frames.push(chunk);
      this.#work();
    });
    socket.on('drain', () => {
      this.#isWritable = true;
      this.#work();
    });
    socket.on('end', () => {
      this.#inputEnded = true;
      this.#work();
    });
    socket.on('error', (error) => host.log.warn({ err: error }, 'ABCI connection failed'));
    socket.on('close', () => {
      this.#closed = true;
      this.#held = undefined;
      resolve();
    });
  }

  /** Answers what is under way, then ends. */
  close(): void {
    this.#closing = true;
    this.#held = undefined;
    this.#work();
  }

  /** Ends at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Begins what may begin, and lets more come in, or not. */
  #work(): void {
    if (this.#closed) return;
    const until = performance.now() + turnMs;
    let hasAll = false;
    while (this.#mayBegin()) {
      const call = this.#nextCall();
      if (call === undefined) {
        hasAll = !this.#closing;
        break;
      }
      if (call === 'answered') continue;
      if (this.#running > 0 && call.method.traits.together !== true) this.#held = call;
      else this.#call(call);
      if (this.#replies.bytes >= writeBytes) this.#flush();
      if (performance.now() > until) this.#yieldTurn();
    }
    if (this.#closing || (this.#inputEnded && hasAll)) this.#endWhenDone();
    else if (this.#mayBegin()) this.#socket.resume();
    else this.#socket.pause();
  }

  #mayBegin(): boolean {
    return (
      !this.#closing &&
      !this.#alone &&
      this.#held === undefined &&
      this.#isWritable &&
      !this.#isTurnDue &&
      this.#replies.size < this.#host.maxInFlight &&
      this.#replies.bytes < maxReplyBytes
    );
  }

  #yieldTurn(): void {
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      this.#work();
    });
  }

  /** The next request; 'answered' where there is nothing to call. */
  #nextCall(): Call | 'answered' | undefined {
    try {
      const frame = this.#frames.next();
      if (frame === undefined) return undefined;
      const { field, body } = openEnvelope(frame);
      const method = methodOfRequest(field);
      if (method !== undefined) return { method, body };
      this.#answerException(this.#replies.open(), new Error(`unknown request: field ${field}`));
      return 'answered';
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#refuseMore(error);
      return undefined;
    }
  }

  /** Damage closes the connection: whatever follows it cannot be trusted to be what the peer meant. */
  #refuseMore(error: FrameError): void {
    this.#host.log.warn({ err: error }, 'malformed ABCI message: the connection is closed');
    this.#closing = true;
    this.#held = undefined;
  }

  #call({ method, body }: Call): void {
    const slot = this.#replies.open();
    this.#running++;
    this.#alone = method.traits.together !== true;
    try {
      const refused = this.#host.refusal(method);
      if (refused !== undefined) throw refused;
      const reply = this.#host.handler.handle(method, body);
      if (!isPromise(reply)) this.#succeeded(slot, method, reply);
      else {
        reply.then(
          (answer) => this.#succeeded(slot, method, answer),
          (error: unknown) => this.#failed(slot, method, error),
        );
      }
    } catch (error) {
      this.#failed(slot, method, error);
    }
  }

  #succeeded(slot: Slot, method: ServedMethod, body: Uint8Array): void {
    this.#replies.answer(slot, [frameHeader(method.response, body), body]);
    this.#finished();
  }

  /**
   * The engine hears of it by an exception. CometBFT ends at any exception; one of consensus ends the connection too, as
   * CometBFT's own server does.
   */
  #failed(slot: Slot, method: ServedMethod, thrown: unknown): void {
    if (thrown instanceof FrameError) {
      // The application was not asked: nothing of it has failed, and there is no reply.
      this.#replies.answer(slot, []);
      this.#refuseMore(thrown);
      this.#finished();
      return;
    }
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#host.log.error({ err: error, method: method.name }, 'the application failed');
    this.#answerException(slot, error);
    if (method.connection === 'consensus') {
      this.#closing = true;
      this.#held = undefined;
    }
    this.#finished();
    this.#host.failed(method, error);
  }

  #answerException(slot: Slot, error: Error): void {
    const body = ResponseException.encode({ error: error.message }).finish();
    this.#replies.answer(slot, [frameHeader(exceptionField, body), body]);
    this.#flushSoon();
  }

  #finished(): void {
    this.#running--;
    this.#alone = false;
    this.#flushSoon();
    const held = this.#held;
    if (held === undefined || this.#running > 0 || this.#closed) return;
    this.#held = undefined;
    this.#call(held);
  }

  /** After everything that this turn of the event loop answers: one write for all. */
  #flushSoon(): void {
    if (this.#isFlushDue || this.#closed) return;
    this.#isFlushDue = true;
    process.nextTick(() => {
      this.#isFlushDue = false;
      if (this.#closed) return;
      this.#flush();
      this.#work();
    });
  }

  #flush(): void {
    const bytes = this.#replies.take();
    if (bytes !== undefined && !this.#socket.write(bytes)) this.#isWritable = false;
  }

  #endWhenDone(): void {
    this.#socket.pause();
    if (this.#running > 0 || this.#isFlushDue || this.#replies.size > 0 || this.#socket.writableEnded) return;
    if (this.#inputEnded && !this.#closing && this.#frames.isWithinMessage) {
      this.#host.log.warn({}, 'an ABCI connection ended within a message');
    }
    this.#socket.end();
    // What the peer still sends is read and dropped: closing over unread bytes would reset the connection, and the last
    // replies with it. One that does not close in time is cut off.
    this.#socket.removeAllListeners('data').resume();
    setTimeout(() => this.#socket.destroy(), lingerMs).unref();
  }
}
