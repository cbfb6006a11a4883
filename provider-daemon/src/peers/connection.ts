/**
 * A connection to a peer: messages in, messages out. It reads only while what came can be taken, keeps one message at most of
 * what comes, and ends the connection of a peer that sends what is no message or does not take what is sent to it.
 */
import type { Duplex } from 'node:stream';
import type { Timers } from '../overlay/timers.ts';
import { MessageReader, type MessageSink } from '../swarm/message-reader.ts';
import type { WireMessage } from '../swarm/messages.ts';
import { encodeMessage } from '../swarm/wire.ts';
import { type PeerLimits, peerLimits } from './limits.ts';
import { Outbox } from './outbox.ts';

/** Who is told what a peer says. */
export interface PeerHandler extends MessageSink {
  /** It is over; nothing follows. @param why for the log */
  closed(why: string): void;
}

export interface ConnectionOptions {
  readonly socket: Duplex;
  readonly timers: Timers;
  /** Told of bytes that have come; the next are read when `next` is called. @returns false where it never will be */
  readonly paceReads?: (bytes: number, next: () => void) => boolean;
  readonly limits?: Partial<PeerLimits>;
  readonly handler: PeerHandler;
}

export class PeerConnection {
  /** It may be replaced at any time, also while it is told something. */
  handler: PeerHandler;
  paceReads: ConnectionOptions['paceReads'];
  readonly #socket: Duplex;
  readonly #timers: Timers;
  readonly #limits: PeerLimits;
  readonly #reader = new MessageReader();
  readonly #outbox: Outbox;
  readonly #sink: MessageSink = {
    begun: (type, piece, bytes) => (this.#isClosed ? 'skip' : this.handler.begun(type, piece, bytes)),
    message: (message) => {
      if (!this.#isClosed) this.handler.message(message);
    },
    skipped: (type, piece) => {
      if (!this.#isClosed) this.handler.skipped(type, piece);
    },
  };
  /** why nothing is read now */
  readonly #holds = new Set<'line' | 'outbox'>();
  #isClosed = false;
  #heardMs: number;

  constructor({ socket, timers, limits, handler, paceReads }: ConnectionOptions) {
    this.handler = handler;
    this.paceReads = paceReads;
    this.#socket = socket;
    this.#timers = timers;
    this.#limits = { ...peerLimits, ...limits };
    this.#heardMs = timers.now();
    this.#outbox = new Outbox({
      ...{ socket, now: timers.now, sliceBytes: this.#limits.sliceBytes },
      onTaken: () => this.#release('outbox', this.#outbox.queued <= this.#limits.queuedBytes),
    });
    socket
      .on('data', (chunk: Uint8Array) => this.#onData(chunk))
      .on('error', (error) => this.close(error.message))
      .on('end', () => this.close('the peer has hung up'))
      .on('close', () => this.close('the peer has hung up'));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** When something came last. */
  get heardMs(): number {
    return this.#heardMs;
  }

  send(message: WireMessage): void {
    if (this.#isClosed) return;
    this.#outbox.message(encodeMessage(message));
    if (this.#outbox.queued > this.#limits.stalledBytes) this.close('it asks for answers and does not take them');
    else if (this.#outbox.queued > this.#limits.queuedBytes) this.#hold('outbox');
  }

  /** @param ended called once: when the last byte is on its way, or with `false` where the connection ends before */
  sendBulk(message: Extract<WireMessage, { type: 'piece' | 'head' }>, ended: (isTaken: boolean) => void): void {
    if (this.#isClosed) ended(false);
    else this.#outbox.bulk(encodeMessage(message), ended);
  }

  /** The piece that is coming is not kept: the rest of it is read past. */
  letGo(): void {
    this.#reader.letGo();
  }

  /** To be called now and then: ends the connection of a peer that takes nothing. */
  check(): void {
    if (this.#outbox.waitingMs(this.#timers.now()) <= this.#limits.takeMs) return;
    this.close(`it has taken nothing for ${Math.round(this.#limits.takeMs / 1000)} s`);
  }

  /** Ends it at once. */
  close(why: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbox.close();
    this.#socket.destroy();
    this.handler.closed(why);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    this.#heardMs = this.#timers.now();
    this.#hold('line');
    try {
      this.#reader.feed(chunk, this.#sink);
    } catch (error) {
      this.close((error as Error).message);
      return;
    }
    const next = (): void => this.#release('line', true);
    if (this.paceReads === undefined) next();
    else if (!this.paceReads(chunk.length, next)) this.close('too much waits for the line');
  }

  #hold(why: 'line' | 'outbox'): void {
    if (this.#holds.size === 0) this.#socket.pause();
    this.#holds.add(why);
  }

  #release(why: 'line' | 'outbox', may: boolean): void {
    if (!may || !this.#holds.delete(why) || this.#holds.size > 0 || this.#isClosed) return;
    this.#socket.resume();
  }
}
