/**
 * Messages out of a stream of bytes. At most one message is kept, of at most its kind's bytes, and none that its reader does
 * not want. After an error the connection must end: where the next message begins is not known.
 */
import { readU32be } from '@mu/lib/bytes';
import type { WireMessage } from './messages.ts';
import { decodeFrame, readFrameHeader } from './wire.ts';
import { WireError } from './wire-fields.ts';

/** Of a message whose header has come. `skip`: its bytes are not kept; `refuse`: the connection ends. */
export type Verdict = 'keep' | 'skip' | 'refuse';

/** Who reads: told in the order of the stream. */
export interface MessageSink {
  /** A message begins. @param piece its number, of a piece @param bytes of all of it */
  begun(type: WireMessage['type'], piece: number | undefined, bytes: number): Verdict;
  /** A message is whole. */
  message(message: WireMessage): void;
  /** One that was not to be kept is over. */
  skipped(type: WireMessage['type'], piece: number | undefined): void;
}

/** Bytes of length and kind. */
const headerBytes = 5;
/** Of a piece its number belongs to what is looked at first. */
const pieceHeaderBytes = 9;

export class MessageReader {
  /** One buffer of the message's length, however small the parts are in which it comes. */
  #kept = new Uint8Array(pieceHeaderBytes);
  #keptBytes = 0;
  /** bytes of the message with its header; of what is looked at first until that is there */
  #expected = headerBytes;
  /** the kind of the message that is being read, once its header is there */
  #type: WireMessage['type'] | undefined;
  #piece: number | undefined;
  #isJudged = false;
  #total = 0;
  /** bytes of a message that is not kept which have not come yet; undefined while none is skipped */
  #skip: number | undefined;
  #failed = false;

  /** Bytes that wait for the rest of their message. */
  get waiting(): number {
    return this.#keptBytes;
  }

  /** @returns the messages that are whole now. @throws WireError for what is none, also every time after */
  push(chunk: Uint8Array): WireMessage[] {
    const messages: WireMessage[] = [];
    this.feed(chunk, {
      begun: () => 'keep',
      message: (message) => messages.push(message),
      skipped: () => {},
    });
    return messages;
  }

  /** The same, message by message. @throws WireError also for one that the sink refuses */
  feed(chunk: Uint8Array, sink: MessageSink): void {
    if (this.#failed) throw new WireError('the stream was refused before');
    try {
      this.#take(chunk, sink);
    } catch (error) {
      this.#failed = true;
      this.#reset();
      throw error;
    }
  }

  /** What has come of a piece is kept no longer, nor is what still comes of it: it ends as one that was not wanted. */
  letGo(): void {
    if (this.#type !== 'piece' || !this.#isJudged || this.#skip !== undefined) return;
    this.#skip = this.#total - this.#keptBytes;
    this.#kept = new Uint8Array(pieceHeaderBytes);
    this.#keptBytes = 0;
  }

  #take(chunk: Uint8Array, sink: MessageSink): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#skip !== undefined) {
        const passed = Math.min(this.#skip, rest.length);
        rest = rest.subarray(passed);
        this.#skip -= passed;
        this.#endSkipped(sink);
        continue;
      }
      const part = rest.subarray(0, this.#expected - this.#keptBytes);
      rest = rest.subarray(part.length);
      this.#kept.set(part, this.#keptBytes);
      this.#keptBytes += part.length;
      if (this.#keptBytes === this.#expected) this.#advance(sink);
    }
  }

  /** All that was expected is there: more of the header, the rest of the message, or all of it. */
  #advance(sink: MessageSink): void {
    if (this.#type === undefined) {
      const { type, length } = readFrameHeader(this.#kept.subarray(0, this.#keptBytes));
      this.#type = type;
      this.#total = 4 + length;
      if (type === 'piece') this.#expected = Math.min(pieceHeaderBytes, this.#total);
      if (this.#expected > this.#keptBytes) return;
    }
    if (!this.#isJudged) {
      this.#judge(this.#type, sink);
      if (this.#skip !== undefined) {
        this.#endSkipped(sink);
        return;
      }
      if (this.#expected > this.#keptBytes) return;
    }
    const message = decodeFrame(this.#kept.subarray(0, this.#total));
    this.#reset();
    sink.message(message);
  }

  #judge(type: WireMessage['type'], sink: MessageSink): void {
    if (type === 'piece' && this.#keptBytes === pieceHeaderBytes) {
      this.#piece = readU32be(this.#kept.subarray(headerBytes));
    }
    const verdict = sink.begun(type, this.#piece, this.#total);
    if (verdict === 'refuse') throw new WireError(`a message ${type} that is not for now`);
    this.#isJudged = true;
    this.#expected = this.#total;
    if (verdict === 'skip') this.#skip = this.#total - this.#keptBytes;
    else if (this.#total > this.#kept.length) {
      const whole = new Uint8Array(this.#total);
      whole.set(this.#kept);
      this.#kept = whole;
    }
  }

  #endSkipped(sink: MessageSink): void {
    if (this.#skip !== 0) return;
    const [type, piece] = [this.#type as WireMessage['type'], this.#piece];
    this.#reset();
    sink.skipped(type, piece);
  }

  #reset(): void {
    this.#kept = new Uint8Array(pieceHeaderBytes);
    this.#keptBytes = 0;
    this.#expected = headerBytes;
    this.#type = undefined;
    this.#piece = undefined;
    this.#isJudged = false;
    this.#skip = undefined;
  }
}
