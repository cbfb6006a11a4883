/** Reads the frames of one direction, strictly: what is not exactly of the form is a `Breach`. */
import {
  Breach,
  type Frame,
  type Hello,
  headBytes,
  maxDataBytes,
  maxDatagramBytes,
  maxStreamId,
  maxTextBytes,
  protocolVersion,
  type Renewal,
  signatureBytes,
  unprintable,
} from './frames.ts';
import { maxCertificateBytes } from './node-checks.ts';

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
  {
    name: 'renew',
    least: 2 * 3 + signatureBytes,
    most: 2 * (2 + maxCertificateBytes) + signatureBytes,
    ofStream: false,
  },
];

const nothing = Buffer.alloc(0);

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
  /** The payload of any other frame than DATA, once it has begun to come. */
  #payload: Buffer = nothing;
  #gathered = 0;

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
        else this.#gather(piece);
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

  /** In one piece as large as it will be: a peer that sends byte by byte makes no more objects than one that does not. */
  #gather(piece: Buffer): void {
    const before = this.#gathered;
    this.#gathered += piece.length;
    if (before === 0 && this.#left === 0) {
      this.#payload = piece;
      return;
    }
    if (before === 0) this.#payload = Buffer.allocUnsafe(piece.length + this.#left);
    piece.copy(this.#payload, before);
  }

  #finish(): void {
    const { name } = this.#form!;
    const payload = this.#payload;
    this.#form = undefined;
    this.#payload = nothing;
    this.#gathered = 0;
    if (name === 'data') return;
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
    case 'renew':
      return { type, renewal: decodeRenewal(payload) };
  }
}

function decodeRenewal(payload: Buffer): Renewal {
  const [first, afterFirst] = decodeCertificate(payload, 0);
  const [second, afterSecond] = decodeCertificate(payload, afterFirst);
  const signature = payload.subarray(afterSecond);
  if (signature.length !== signatureBytes) throw new Breach(`a renewal with a signature of ${signature.length} bytes`);
  return { chain: [first, second], signature };
}

/** @returns the certificate, a copy: payloads are views, and this one is kept; and where the next part begins */
function decodeCertificate(payload: Buffer, at: number): [Buffer, number] {
  const length = at + 2 > payload.length ? 0 : payload.readUInt16BE(at);
  const end = at + 2 + length;
  if (length === 0 || length > maxCertificateBytes || end > payload.length) {
    throw new Breach(`a renewal with a certificate of ${length} bytes`);
  }
  return [Buffer.from(payload.subarray(at + 2, end)), end];
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
