/**
 * What is sent to a peer: messages first, then heads and pieces, in slices, each when the one before was taken. So a message
 * waits for one of these at most, and what waits is bounded.
 */
import type { Duplex } from 'node:stream';

interface Bulk {
  readonly bytes: Uint8Array;
  readonly ended: (isTaken: boolean) => void;
}

interface Slice {
  readonly slice: Uint8Array;
  /** what ends with it */
  readonly last?: Bulk;
}

export interface OutboxOptions {
  readonly socket: Duplex;
  readonly now: () => number;
  readonly sliceBytes: number;
  /** Something was taken. */
  readonly onTaken: () => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #messages: Uint8Array[] = [];
  #messageBytes = 0;
  readonly #bulk: Bulk[] = [];
  /** what is still to go of the one that was begun; its last slice may be with the socket */
  #rest: Bulk | undefined;
  #isWriting = false;
  #sinceMs = 0;
  #isClosed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Bytes of messages that wait. */
  get queued(): number {
    return this.#messageBytes;
  }

  /** For how long the peer has not taken what was handed to the socket; 0 where nothing waits. */
  waitingMs(nowMs: number): number {
    return this.#isWriting ? nowMs - this.#sinceMs : 0;
  }

  message(bytes: Uint8Array): void {
    this.#messages.push(bytes);
    this.#messageBytes += bytes.length;
    this.#pump();
  }

  /** @param ended called once: when its last byte was handed on, or with `false` where all is closed before */
  bulk(bytes: Uint8Array, ended: (isTaken: boolean) => void): void {
    this.#bulk.push({ bytes, ended });
    this.#pump();
  }

  close(): void {
    this.#isClosed = true;
    this.#messages.length = 0;
    this.#messageBytes = 0;
    const left = [...(this.#rest === undefined ? [] : [this.#rest]), ...this.#bulk.splice(0)];
    this.#rest = undefined;
    for (const { ended } of left) ended(false);
  }

  #pump(): void {
    if (this.#isWriting || this.#isClosed) return;
    const next = this.#next();
    if (next === undefined) return;
    this.#isWriting = true;
    this.#sinceMs = this.#options.now();
    this.#options.socket.write(next.slice, (error) => {
      this.#isWriting = false;
      if (this.#isClosed || error != null) return;
      this.#end(next);
      this.#options.onTaken();
      this.#pump();
    });
  }

  #end({ last }: Slice): void {
    if (last === undefined) return;
    this.#rest = undefined;
    last.ended(true);
  }

  #next(): Slice | undefined {
    const { sliceBytes } = this.#options;
    if (this.#rest === undefined) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#messageBytes -= message.length;
        return { slice: message };
      }
      this.#rest = this.#bulk.shift();
      if (this.#rest === undefined) return undefined;
    }
    const { bytes, ended } = this.#rest;
    const slice = bytes.subarray(0, sliceBytes);
    if (slice.length === bytes.length) return { slice, last: this.#rest };
    this.#rest = { bytes: bytes.subarray(slice.length), ended };
    return { slice };
  }
}
