/**
 * Frames of a tunnel (docs/OVERLAY.md): a head of eight bytes, type, length of the payload (three bytes), stream (four),
 * the high byte first, then the payload. Nothing that is not exactly of the form is taken.
 */

export const headBytes = 8;
/** Payload of one DATA frame: four records of TLS, and a turn that other streams need not wait for long. */
export const maxDataBytes = 65_536;
/** What UDP over IPv4 can carry. */
export const maxDatagramBytes = 65_507;
/** Of a renewal's signature: r and s of P-256. */
export const signatureBytes = 64;
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
  renew: 12,
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

/** Newer certificates of the sender, and the proof that it has the key of the first one. */
export interface Renewal {
  /** In DER: the tunnel's certificate, the node's. */
  readonly chain: readonly [Buffer, Buffer];
  readonly signature: Buffer;
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
  | { readonly type: 'close'; readonly code: number; readonly text: string }
  | { readonly type: 'renew'; readonly renewal: Renewal };

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
    case 'renew':
      return Buffer.concat([encodeRenewed(frame.renewal.chain), frame.renewal.signature]);
  }
}

/** The part of a renewal that is signed: each certificate behind its length, two bytes. */
export function encodeRenewed(chain: Renewal['chain']): Buffer {
  return Buffer.concat(
    chain.flatMap((certificate) => {
      const length = Buffer.allocUnsafe(2);
      length.writeUInt16BE(certificate.length);
      return [length, certificate];
    }),
  );
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
export const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
