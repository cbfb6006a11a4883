/**
 * Messages between threads, many in one: what comes in one turn of the event loop travels in one buffer that changes
 * hands, for each message of its own would cost more than the checks it asks for.
 *
 * For each: id 4 ‖ kind 1 ‖ length 4 ‖ bytes. Numbers are big-endian.
 */

export interface Message {
  readonly id: number;
  /** of a question the field of the request, of an answer whether it is one */
  readonly kind: number;
  readonly bytes: Uint8Array;
}

const headerLength = 9;

export function packMessages(messages: readonly Message[]): ArrayBuffer {
  const total = messages.reduce((sum, { bytes }) => sum + headerLength + bytes.length, 0);
  const packed = new Uint8Array(new ArrayBuffer(total));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const { id, kind, bytes } of messages) {
    view.setUint32(at, id);
    packed[at + 4] = kind;
    view.setUint32(at + 5, bytes.length);
    packed.set(bytes, at + headerLength);
    at += headerLength + bytes.length;
  }
  return packed.buffer;
}

/** What an outbox has sent. The bytes of each message lie in its buffer. */
export function* unpackMessages(sent: ArrayBuffer | Message): IterableIterator<Message> {
  if ('kind' in sent) yield sent;
  else yield* unpack(sent);
}

function* unpack(buffer: ArrayBuffer): IterableIterator<Message> {
  const view = new DataView(buffer);
  for (let at = 0; at < buffer.byteLength; ) {
    const length = view.getUint32(at + 5);
    const start = at + headerLength;
    yield { id: view.getUint32(at), kind: view.getUint8(at + 4), bytes: new Uint8Array(buffer, start, length) };
    at = start + length;
  }
}

/** From this size on a message travels in its own memory: a genesis is not to be there twice. */
const ownBytes = 16 * 1_048_576;

/** Whether a message is large, and its memory is nobody else's: then it can change hands. */
export function travelsAlone({ bytes }: Message): boolean {
  return bytes.length >= ownBytes && bytes.buffer.byteLength - bytes.length < 1024;
}

/** Collects messages and hands them on at the end of the turn. */
export class Outbox {
  readonly #post: (message: ArrayBuffer | Message, owned: ArrayBuffer) => void;
  #messages: Message[] = [];

  /** @param post sends a message; the memory that it says is no longer this thread's */
  constructor(post: (message: ArrayBuffer | Message, owned: ArrayBuffer) => void) {
    this.#post = post;
  }

  add(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length === 1) setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    // In their order: what came before a large one goes before it.
    let from = 0;
    for (const [at, message] of messages.entries()) {
      if (!travelsAlone(message)) continue;
      this.#pack(messages.slice(from, at));
      this.#post(message, message.bytes.buffer as ArrayBuffer);
      from = at + 1;
    }
    this.#pack(from === 0 ? messages : messages.slice(from));
  }

  #pack(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    const buffer = packMessages(messages);
    this.#post(buffer, buffer);
  }
}
