/**
 * Frames of a tunnel (docs/OVERLAY.md): a head of eight bytes, type, length of the payload (three bytes), stream (four),
 * the high byte first, then the payload. Nothing that is not exactly of the form is taken.
 */

export const headBytes = 8;
/** Payload of one DATA frame: four records of TLS, and a turn that other streams need not wait for long. */
export const maxDataBytes = 65_536;
/** What UDP over IPv4 can carry. */
export const maxDatagramBytes = 65_507;
/** Of the words that go with a code. */
export const maxTextBytes = 256;
export const protocolVersion = 1;
/** The highest number of a stream; a session that has come there is replaced. */
export const maxStreamId = 0x7fff_ffff;

export const frameTypes = {
  hello: 1,
  open: 2,
  data: 3,
  end: 4,
  reset: 5,
  credit: 6,
  datagram: 7,
  ping: 8,
  pong: 9,
  goAway: 10,
  close: 11,
} as const;

/** Who opens streams, and who takes them. */
export type Role = 'caller' | 'callee';
/** What a stream carries: bytes in order, or datagrams of which some may be lost. */
export type StreamKind = 'stream' | 'datagrams';

/** Why a stream is reset. */
export const resetCodes = { closed: 0, refused: 1, busy: 2, timeout: 3, broken: 4 } as const;
/** Why a session ends. */
export const closeCodes = {
  done: 0,
  breach: 1,
  silent: 2,
  lease_ended: 3,
  revoked: 4,
  not_admitted: 5,
  expired: 6,
  shutdown: 7,
  stalled: 8,
} as const;

export interface Hello {
  readonly role: Role;
  /** Bytes that the sender takes of each stream before it has granted more. */
  readonly window: number;
  /** Streams at once that the sender takes; 0 from a caller, who takes none. */
  readonly maxStreams: number;
}

/** Every frame but DATA, whose payload is passed on as it comes. */
export type Frame =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'open'; readonly stream: number; readonly kind: StreamKind }
  | { readonly type: 'end'; readonly stream: number }
  | { readonly type: 'reset'; readonly stream: number; readonly code: number; readonly text: string }
  | { readonly type: 'credit'; readonly stream: number; readonly bytes: number }
  | { readonly type: 'datagram'; readonly stream: number; readonly payload: Buffer }
  | { readonly type: 'ping' | 'pong'; readonly nonce: bigint }
  | { readonly type: 'goAway' }
  | { readonly type: 'close'; readonly code: number; readonly text: string };

/** The peer does what the protocol forbids; the session is cut with these words. */
export class Breach extends Error {
  override readonly name = 'Breach';
}

/** The head of a frame. */
export function encodeHead(type: number, length: number, stream: number): Buffer {
  const head = Buffer.allocUnsafe(headBytes);
  head.writeUInt32BE(type * 0x100_0000 + length, 0);
  head.writeUInt32BE(stream, 4);
  return head;
}

/** A whole frame, head and payload. */
export function encodeFrame(frame: Frame): Buffer {
  const payload = payloadOf(frame);
  const stream = 'stream' in frame ? frame.stream : 0;
  const bytes = Buffer.allocUnsafe(headBytes + payload.length);
  bytes.writeUInt32BE(frameTypes[frame.type] * 0x100_0000 + payload.length, 0);
  bytes.writeUInt32BE(stream, 4);
  payload.copy(bytes, headBytes);
  return bytes;
}

const nothing = Buffer.alloc(0);

function payloadOf(frame: Frame): Buffer {
  switch (frame.type) {
    case 'hello': {
      const bytes = Buffer.alloc(12);
      bytes[0] = protocolVersion;
      bytes[1] = frame.hello.role === 'caller' ? 0 : 1;
      bytes.writeUInt32BE(frame.hello.window, 4);
      bytes.writeUInt32BE(frame.hello.maxStreams, 8);
      return bytes;
    }
    case 'open':
      return Buffer.of(frame.kind === 'stream' ? 0 : 1);
    case 'end':
    case 'goAway':
      return nothing;
    case 'reset':
    case 'close':
      return encodeReason(frame.code, frame.text);
    case 'credit': {
      const bytes = Buffer.allocUnsafe(4);
      bytes.writeUInt32BE(frame.bytes);
      return bytes;
    }
    case 'datagram':
      return frame.payload;
    case 'ping':
    case 'pong': {
      const bytes = Buffer.allocUnsafe(8);
      bytes.writeBigUInt64BE(frame.nonce);
      return bytes;
    }
  }
}

function encodeReason(code: number, text: string): Buffer {
  // Cut between characters: half of one would be a breach.
  let words = Buffer.from(text.replace(unprintable, ' ').toWellFormed());
  if (words.length > maxTextBytes) {
    let end = maxTextBytes;
    while ((words[end]! & 0xc0) === 0x80) end -= 1;
    words = words.subarray(0, end);
  }
  const bytes = Buffer.allocUnsafe(2 + words.length);
  bytes.writeUInt16BE(code);
  words.copy(bytes, 2);
  return bytes;
}

/** What would forge lines of a log. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** The name and form of each type: how long its payload may be, and whether it is about a stream or the session. */
interface Form {
  readonly name: Frame['type'] | 'data';
  readonly least: number;
  readonly most: number;
  readonly ofStream: boolean;
}

const forms: readonly (Form | undefined)[] = [
  undefined,
  { name: 'hello', least: 12, most: 12, ofStream: false },
  { name: 'open', least: 1, most: 1, ofStream: true },
  { name: 'data', least: 1, most: maxDataBytes, ofStream: true },
  { name: 'end', least: 0, most: 0, ofStream: true },
  { name: 'reset', least: 2, most: 2 + maxTextBytes, ofStream: true },
  { name: 'credit', least: 4, most: 4, ofStream: true },
  { name: 'datagram', least: 0, most: maxDatagramBytes, ofStream: true },
  { name: 'ping', least: 8, most: 8, ofStream: false },
  { name: 'pong', least: 8, most: 8, ofStream: false },
  { name: 'goAway', least: 0, most: 0, ofStream: false },
  { name: 'close', least: 2, most: 2 + maxTextBytes, ofStream: false },
];

export interface FrameSink {
  frame(frame: Frame): void;
  /** A DATA frame begins. */
  dataHead(stream: number, length: number): void;
  /** A part of its payload; all parts together are as long as the head said. They are views of what was pushed. */
  dataPiece(stream: number, piece: Buffer): void;
}

/** Takes the bytes of one direction in chunks of any size. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** Of a head that has not come whole. */
  readonly #head = Buffer.alloc(headBytes);
  #headLength = 0;
  #form: Form | undefined;
  #stream = 0;
  /** Bytes of payload that are still to come. */
  #left = 0;
  /** Of a payload that is gathered, the parts that have come. */
  #parts: Buffer[] = [];

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** @throws Breach, and what the sink throws; nothing may be pushed after that */
  push(chunk: Buffer): void {
    let at = 0;
    for (;;) {
      if (this.#form === undefined) {
        if (this.#headLength === 0 && chunk.length - at >= headBytes) {
          this.#begin(chunk, at);
          at += headBytes;
        } else {
          const taken = chunk.copy(this.#head, this.#headLength, at, at + headBytes - this.#headLength);
          this.#headLength += taken;
          at += taken;
          if (this.#headLength < headBytes) return;
          this.#headLength = 0;
          this.#begin(this.#head, 0);
        }
      }
      if (this.#left > 0) {
        if (at === chunk.length) return;
        const piece = at === 0 && chunk.length <= this.#left ? chunk : chunk.subarray(at, at + this.#left);
        at += piece.length;
        this.#left -= piece.length;
        if (this.#form?.name === 'data') this.#sink.dataPiece(this.#stream, piece);
        else this.#parts.push(piece);
      }
      if (this.#left > 0) return;
      this.#finish();
    }
  }

  #begin(bytes: Buffer, at: number): void {
    const first = bytes.readUInt32BE(at);
    const [type, length] = [first >>> 24, first & 0xff_ffff];
    const stream = bytes.readUInt32BE(at + 4);
    const form = forms[type];
    if (form === undefined) throw new Breach(`a frame of type ${type}, which there is none of`);
    if (length < form.least || length > form.most) throw new Breach(`a ${form.name} frame of ${length} bytes`);
    if (form.ofStream ? stream < 1 || stream > maxStreamId : stream !== 0) {
      throw new Breach(`a ${form.name} frame of stream ${stream}`);
    }
    this.#form = form;
    this.#stream = stream;
    this.#left = length;
    if (form.name === 'data') this.#sink.dataHead(stream, length);
  }

  #finish(): void {
    const { name } = this.#form!;
    this.#form = undefined;
    if (name === 'data') return;
    const payload = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    if (this.#parts.length > 0) this.#parts = [];
    this.#sink.frame(decode(name, this.#stream, payload));
  }
}

function decode(type: Frame['type'], stream: number, payload: Buffer): Frame {
  switch (type) {
    case 'hello':
      return { type, hello: decodeHello(payload) };
    case 'open':
      if (payload[0]! > 1) throw new Breach(`an open frame of kind ${payload[0]}`);
      return { type, stream, kind: payload[0] === 0 ? 'stream' : 'datagrams' };
    case 'end':
      return { type, stream };
    case 'reset':
      return { type, stream, code: payload.readUInt16BE(), text: decodeText(payload) };
    case 'credit': {
      const bytes = payload.readUInt32BE();
      if (bytes === 0) throw new Breach('a credit of nothing');
      return { type, stream, bytes };
    }
    case 'datagram':
      return { type, stream, payload };
    case 'ping':
    case 'pong':
      return { type, nonce: payload.readBigUInt64BE() };
    case 'goAway':
      return { type };
    case 'close':
      return { type, code: payload.readUInt16BE(), text: decodeText(payload) };
  }
}

function decodeHello(payload: Buffer): Hello {
  if (payload[0] !== protocolVersion) throw new Breach(`version ${payload[0]}, not ${protocolVersion}`);
  if (payload[1]! > 1 || payload.readUInt16BE(2) !== 0) throw new Breach('a hello frame with unknown parts');
  return {
    role: payload[1] === 0 ? 'caller' : 'callee',
    window: payload.readUInt32BE(4),
    maxStreams: payload.readUInt32BE(8),
  };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeText(payload: Buffer): string {
  let text: string;
  try {
    text = strictUtf8.decode(payload.subarray(2));
  } catch {
    throw new Breach('words that are not UTF-8');
  }
  // They are logged.
  if (text.search(unprintable) !== -1) throw new Breach('words with control characters');
  return text;
}
