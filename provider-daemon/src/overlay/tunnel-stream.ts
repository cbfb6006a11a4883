/** A stream of a session as a stream of Node: half-close, back-pressure both ways, `destroy` is a reset. */
import { Duplex } from 'node:stream';
import { maxDataBytes, resetCodes } from './frames.ts';

/** The session, as its streams see it. */
export interface StreamPort {
  /** It has something to send. */
  schedule(stream: TunnelStream): void;
  /** All has been sent: this side's direction ends. */
  finish(id: number): void;
  /** The reader has had so many bytes. */
  consumed(id: number, bytes: number): void;
  /** It is closed; where it is not over, it is reset. */
  gone(id: number, code: number, text: string): void;
}

/** Pieces below this size that wait are copied into blocks. */
const smallBytes = 4096;
const blockBytes = 16_384;

type Written = (error?: Error | null) => void;

export class TunnelStream extends Duplex {
  readonly id: number;
  readonly #port: StreamPort;
  /** What the reader has no room for: as much as was granted at most. */
  #unread: Buffer[] = [];
  /** The last one of them, while it is filled with small pieces. */
  #block: Buffer | undefined;
  #blockUsed = 0;
  #hasRoom = true;
  #hasEnded = false;
  #isEndPassed = false;
  /** What has not been sent; `#written` is called when all of it is. */
  #unsent: Buffer[] = [];
  #written: Written | undefined;
  #reason: { readonly code: number; readonly text: string } = { code: resetCodes.closed, text: '' };

  constructor(id: number, port: StreamPort) {
    // What waits is kept here, where small pieces become large ones; Node's own buffer holds one.
    super({ allowHalfOpen: true, readableHighWaterMark: 1 });
    this.id = id;
    this.#port = port;
  }

  /** Something waits to be sent. */
  get hasUnsent(): boolean {
    return this.#unsent.length > 0;
  }

  /** Bytes that have come from the peer. Large ones are not gathered: copying them costs more than the calls it saves. */
  deliver(piece: Buffer): void {
    if (this.#hasRoom) this.#pass(piece);
    else this.#keep(piece);
  }

  /** The peer's direction has ended. */
  deliverEnd(): void {
    this.#hasEnded = true;
    this.#passAll();
  }

  /** Ends it, and the peer is told why. */
  refuse(code: number, text: string): void {
    this.#reason = { code, text };
    this.destroy();
  }

  /**
   * Sends one frame.
   * @param write takes the first bytes that may go. @returns how many
   * @returns whether there is more that may go now
   */
  sendOne(write: (bytes: Buffer) => number): boolean {
    const [first] = this.#unsent;
    if (first === undefined) return false;
    const sent = write(first);
    if (sent === 0) return false;
    if (sent < first.length) {
      this.#unsent[0] = first.subarray(sent);
      return true;
    }
    this.#unsent.shift();
    if (this.#unsent.length > 0) return true;
    const written = this.#written;
    this.#written = undefined;
    written?.();
    return false;
  }

  override _read(): void {
    this.#hasRoom = true;
    this.#passAll();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: Written): void {
    this.#toSend([chunk], written);
  }

  /** What gathered while nothing could be sent: in one frame where there is room. */
  override _writev(chunks: ReadonlyArray<{ chunk: Buffer }>, written: Written): void {
    const all = chunks.map(({ chunk }) => chunk);
    const length = all.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#toSend(length <= maxDataBytes ? [Buffer.concat(all, length)] : all, written);
  }

  override _final(done: Written): void {
    this.#port.finish(this.id);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#unread = [];
    this.#unsent = [];
    const written = this.#written;
    this.#written = undefined;
    written?.(error ?? new Error('the stream was closed'));
    this.#port.gone(this.id, this.#reason.code, this.#reason.text);
    done(error);
  }

  #toSend(chunks: Buffer[], written: Written): void {
    this.#unsent = chunks.filter((chunk) => chunk.length > 0);
    if (this.#unsent.length === 0) {
      written();
      return;
    }
    this.#written = written;
    this.#port.schedule(this);
  }

  /** Keeps it for later; a peer that sends byte by byte makes no more objects than one that does not. */
  #keep(piece: Buffer): void {
    if (piece.length >= smallBytes) {
      this.#block = undefined;
      this.#unread.push(piece);
      return;
    }
    if (this.#block === undefined || this.#blockUsed + piece.length > blockBytes) {
      this.#block = Buffer.allocUnsafeSlow(blockBytes);
      this.#blockUsed = 0;
      this.#unread.push(this.#block);
    }
    this.#blockUsed += piece.copy(this.#block, this.#blockUsed);
    this.#unread[this.#unread.length - 1] = this.#block.subarray(0, this.#blockUsed);
  }

  /** As much as the reader has room for. */
  #passAll(): void {
    while (this.#hasRoom && this.#unread.length > 0) {
      if (this.#unread.length === 1) this.#block = undefined;
      this.#pass(this.#unread.shift()!);
    }
    if (this.#unread.length > 0 || !this.#hasEnded || this.#isEndPassed || this.destroyed) return;
    this.#isEndPassed = true;
    this.push(null);
  }

  #pass(piece: Buffer): void {
    this.#hasRoom = this.push(piece);
    this.#port.consumed(this.id, piece.length);
  }
}
