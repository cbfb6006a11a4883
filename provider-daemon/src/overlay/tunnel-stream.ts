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

/** Pieces from this size on are gathered. */
const gatheredFromBytes = 8192;
/** Into one of this size at most. */
const gatheredToBytes = 131_072;

type Written = (error?: Error | null) => void;

export class TunnelStream extends Duplex {
  readonly id: number;
  readonly #port: StreamPort;
  /** What the reader has no room for: as much as was granted at most. */
  #unread: Buffer[] = [];
  #hasRoom = true;
  #isGathering = false;
  #hasEnded = false;
  #isEndPassed = false;
  /** What has not been sent; `#written` is called when all of it is. */
  #unsent: Buffer[] = [];
  #written: Written | undefined;
  #reason: { readonly code: number; readonly text: string } = { code: resetCodes.closed, text: '' };

  constructor(id: number, port: StreamPort) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.#port = port;
  }

  /** Something waits to be sent. */
  get hasUnsent(): boolean {
    return this.#unsent.length > 0;
  }

  /**
   * Bytes that have come from the peer. Large pieces are gathered until the end of the turn: one write of 128 KiB to a
   * socket costs half of eight of 16 KiB. Small ones are passed on at once.
   */
  deliver(piece: Buffer): void {
    if (this.#hasRoom && this.#unread.length === 0 && piece.length < gatheredFromBytes) {
      this.#pass(piece);
      return;
    }
    this.#unread.push(piece);
    if (!this.#hasRoom || this.#isGathering) return;
    this.#isGathering = true;
    setImmediate(this.#gathered);
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
    if (!this.#isGathering) this.#passAll();
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

  readonly #gathered = (): void => {
    this.#isGathering = false;
    this.#passAll();
  };

  /** As much as the reader has room for. */
  #passAll(): void {
    while (this.#hasRoom && this.#unread.length > 0) this.#pass(this.#takeSome());
    if (!this.#hasRoom || !this.#hasEnded || this.#isEndPassed || this.destroyed) return;
    this.#isEndPassed = true;
    this.push(null);
  }

  /** The first pieces as one. */
  #takeSome(): Buffer {
    let [count, length] = [0, 0];
    for (const piece of this.#unread) {
      if (count > 0 && length + piece.length > gatheredToBytes) break;
      count += 1;
      length += piece.length;
    }
    const pieces = this.#unread.splice(0, count);
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length);
  }

  #pass(piece: Buffer): void {
    this.#hasRoom = this.push(piece);
    this.#port.consumed(this.id, piece.length);
  }
}
