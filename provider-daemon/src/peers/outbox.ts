/**
 * What is sent to a peer: messages first, then pieces, in slices, each when the one before was taken. So a message waits for
 * one piece at most, and what waits is bounded.
 */
import type { Duplex } from 'node:stream';

interface Bulk {
  readonly bytes: Uint8Array;
  readonly taken: () => void;
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
  /** of a piece, what is still to go */
  #rest: { bytes: Uint8Array; taken: () => void } | undefined;
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

  /** @param taken called when its last byte was handed on */
  piece(bytes: Uint8Array, taken: () => void): void {
    this.#bulk.push({ bytes, taken });
    this.#pump();
  }

  close(): void {
    this.#isClosed = true;
    this.#messages.length = 0;
    this.#bulk.length = 0;
    this.#rest = undefined;
    this.#messageBytes = 0;
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
      next.taken?.();
      this.#options.onTaken();
      this.#pump();
    });
  }

  #next(): { slice: Uint8Array; taken?: () => void } | undefined {
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
    const { bytes, taken } = this.#rest;
    const slice = bytes.subarray(0, sliceBytes);
    if (slice.length === bytes.length) {
      this.#rest = undefined;
      return { slice, taken };
    }
    this.#rest = { bytes: bytes.subarray(slice.length), taken };
    return { slice };
  }
}
