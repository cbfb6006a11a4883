/**
 * The framing of ABCI 2.0 sockets (CometBFT 0.38, abci/types/messages.go): an unsigned varint with the length of the
 * message, then the message: a protobuf `Request` or `Response` with exactly one field set, whose number says what it is.
 */
import { readVarint, varintLength, writeVarint } from './varint.ts';

/** CometBFT sends genesis as one message, and its own bound is 2 GiB. */
export const defaultMaxMessageBytes = 1_073_741_824;

/** Bytes that are no frame, or one above the bound; where the next message begins is unknown from there on. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** A first piece of memory for a message that comes in parts; it grows as the bytes arrive, never on their promise. */
const firstPart = 65_536;

/** Cuts what a socket delivers into messages, wherever the chunks begin and end. Work is linear in the bytes. */
export class FrameReader {
  readonly #maxMessageBytes: number;
  #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that are used already. */
  #at = 0;
  #length: number | undefined;
  /** The length prefix so far. */
  #prefix = 0;
  #prefixBytes = 0;
  #body: Uint8Array | undefined;
  #filled = 0;

  constructor(maxMessageBytes: number = defaultMaxMessageBytes) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Whether bytes of a message that is not complete are waiting. */
  get isWithinMessage(): boolean {
    return this.#chunks.length > 0 || this.#prefixBytes > 0 || this.#length !== undefined;
  }

  /** Adds what has arrived. The reader keeps the chunk; nobody may write into it. */
  push(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
  }

  /**
   * The next message, or undefined until more has arrived. It may share its memory with the chunk.
   * @throws FrameError
   */
  next(): Uint8Array | undefined {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const length = this.#length ?? this.#readPrefix(chunk);
      const message = length === undefined ? undefined : this.#readBody(chunk, length);
      if (this.#at === chunk.length) {
        this.#chunks.shift();
        this.#at = 0;
      }
      if (message !== undefined) return message;
    }
    return undefined;
  }

  #readPrefix(chunk: Uint8Array): number | undefined {
    while (this.#at < chunk.length) {
      const byte = chunk[this.#at++]!;
      this.#prefix += (byte & 0x7f) * 2 ** (7 * this.#prefixBytes++);
      if (byte >= 0x80) {
        if (this.#prefixBytes === 5) throw new FrameError('the length of a message is not a varint of 32 bits');
        continue;
      }
      if (byte === 0 && this.#prefixBytes > 1) throw new FrameError('the length of a message is over-long');
      if (this.#prefix > this.#maxMessageBytes) {
        throw new FrameError(`a message of ${this.#prefix} bytes: at most ${this.#maxMessageBytes} are taken`);
      }
      this.#length = this.#prefix;
      this.#prefix = 0;
      this.#prefixBytes = 0;
      return this.#length;
    }
    return undefined;
  }

  #readBody(chunk: Uint8Array, length: number): Uint8Array | undefined {
    const available = chunk.length - this.#at;
    if (this.#body === undefined && available >= length) {
      const message = chunk.subarray(this.#at, this.#at + length);
      this.#at += length;
      this.#length = undefined;
      return message;
    }
    const part = chunk.subarray(this.#at, this.#at + Math.min(available, length - this.#filled));
    const body = this.#room(this.#filled + part.length, length);
    body.set(part, this.#filled);
    this.#at += part.length;
    this.#filled += part.length;
    if (this.#filled < length) return undefined;
    this.#body = undefined;
    this.#filled = 0;
    this.#length = undefined;
    return body;
  }

  /** Memory for so many bytes of the message; doubled each time it is too small, so that copying stays linear. */
  #room(needed: number, length: number): Uint8Array {
    const before = this.#body;
    if (before !== undefined && before.length >= needed) return before;
    const size = Math.max(needed, firstPart, before === undefined ? 0 : before.length * 2);
    const body = new Uint8Array(Math.min(length, size));
    if (before !== undefined) body.set(before.subarray(0, this.#filled));
    this.#body = body;
    return body;
  }
}

/** What stands before the body of a message whose one field has this number: length, tag, length of the body. */
export function frameHeader(field: number, body: Uint8Array): Uint8Array {
  const tag = field * 8 + 2;
  const length = varintLength(tag) + varintLength(body.length) + body.length;
  const header = new Uint8Array(varintLength(length) + length - body.length);
  writeVarint(header, writeVarint(header, writeVarint(header, 0, length), tag), body.length);
  return header;
}

/** The one field of a `Request` or `Response`. Number 0: none is set. */
export interface Envelope {
  readonly field: number;
  readonly body: Uint8Array;
}

/** @throws FrameError when the message is anything but one field with a message in it */
export function openEnvelope(message: Uint8Array): Envelope {
  if (message.length === 0) return { field: 0, body: message };
  try {
    const tag = readVarint(message, 0);
    if (tag.value % 8 !== 2 || tag.value < 8) throw new RangeError(`tag ${tag.value} is not that of a message`);
    const length = readVarint(message, tag.end);
    if (length.end + length.value !== message.length) {
      throw new RangeError(`field of ${length.value} bytes in a message of ${message.length}`);
    }
    return { field: Math.floor(tag.value / 8), body: message.subarray(length.end) };
  } catch (error) {
    throw new FrameError(`not a message of ABCI: ${(error as Error).message}`);
  }
}
