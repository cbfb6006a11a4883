/**
 * The messages of `mu-peer/1` as bytes: a length (u32, of what follows), a kind (u8), and fields of fixed order; numbers
 * are big-endian. Whatever is not exactly the one encoding of a message is refused, and a length is checked against its
 * kind before anything is kept. docs/MANIFESTS.md has the tables.
 */
import { concatBytes } from '@mu/lib/bytes';
import { swarmLimits } from './limits.ts';
import type { WireMessage } from './messages.ts';
import { FieldReader, FieldWriter, WireError } from './wire-fields.ts';

export { WireError } from './wire-fields.ts';

/** The version of the protocol, in `hello`. */
export const swarmProtocol = 1;

/** What may stand in messages, in bytes where nothing else is said. */
export const wireLimits = {
  chainId: 50,
  owner: 128,
  version: 32,
  head: 1_048_576,
  piece: 1_048_576,
  /** hashes of a Merkle path: as many as a file of 2³² pieces needs */
  aunts: 32,
  aunt: 32,
  /** as many as a manifest has sections */
  keys: 16,
  infrastructure: 64,
  key: 32,
} as const;

type Kind = WireMessage['type'];
type Of<Name extends Kind> = Extract<WireMessage, { type: Name }>;

interface Codec<Name extends Kind> {
  readonly code: number;
  /** bytes of its fields at most */
  readonly most: number;
  write(message: Of<Name>, to: FieldWriter): void;
  read(from: FieldReader): Of<Name>;
}

/** A message whose only field is the number of a piece. */
function ofPiece<Name extends 'have' | 'request' | 'cancel'>(code: number, type: Name): Codec<Name> {
  return {
    code,
    most: 4,
    write: (message, to) => to.u32((message as Of<'have' | 'request' | 'cancel'>).piece),
    read: (from) => ({ type, piece: from.u32() }) as Of<Name>,
  };
}

/** A message without fields. */
function bare<Name extends 'get-head' | 'get-keys' | 'done'>(code: number, type: Name): Codec<Name> {
  return { code, most: 0, write: () => {}, read: () => ({ type }) as Of<Name> };
}

const hello: Codec<'hello'> = {
  code: 1,
  most: 2 + 1 + wireLimits.chainId + 1 + wireLimits.owner + 8 + 8 + wireLimits.version,
  write: (message, to) => {
    to.u16(message.protocol);
    to.text(message.chainId, wireLimits.chainId);
    to.text(message.owner, wireLimits.owner);
    to.u64(message.dseq);
    to.u64(message.revision);
    to.fixed(message.version, wireLimits.version);
  },
  read: (from) => ({
    type: 'hello',
    protocol: from.u16(),
    chainId: from.text(wireLimits.chainId),
    owner: from.text(wireLimits.owner),
    dseq: from.u64(),
    revision: from.u64(),
    version: from.fixed(wireLimits.version),
  }),
};

const head: Codec<'head'> = {
  code: 3,
  most: wireLimits.head,
  write: ({ bytes }, to) => to.rest(bytes, wireLimits.head),
  read: (from) => ({ type: 'head', bytes: from.rest() }),
};

const pieces: Codec<'pieces'> = {
  code: 4,
  most: 4 + swarmLimits.pieces / 8,
  write: ({ count, have }, to) => {
    to.u32(count);
    to.fixed(have, Math.ceil(count / 8));
  },
  read: (from) => {
    const count = from.u32();
    if (count > swarmLimits.pieces) throw new WireError(`${count} pieces: at most ${swarmLimits.pieces}`);
    return { type: 'pieces', count, have: from.fixed(Math.ceil(count / 8)) };
  },
};

const want: Codec<'want'> = {
  code: 7,
  most: 1,
  write: ({ starving }, to) => to.flags(starving),
  read: (from) => {
    const [starving] = from.flags(1) as [boolean];
    return { type: 'want', starving };
  },
};

const grant: Codec<'grant'> = {
  code: 8,
  most: 5,
  write: ({ piece, now }, to) => {
    to.flags(now, piece !== undefined);
    if (piece !== undefined) to.u32(piece);
  },
  read: (from) => {
    const [now, isNamed] = from.flags(2) as [boolean, boolean];
    return { type: 'grant', now, piece: isNamed ? from.u32() : undefined };
  },
};

const decline: Codec<'decline'> = {
  code: 9,
  most: 5,
  write: ({ piece, busy }, to) => {
    to.flags(busy, piece !== undefined);
    if (piece !== undefined) to.u32(piece);
  },
  read: (from) => {
    const [busy, isNamed] = from.flags(2) as [boolean, boolean];
    return { type: 'decline', busy, piece: isNamed ? from.u32() : undefined };
  },
};

const refuse: Codec<'refuse'> = {
  code: 12,
  most: 5,
  write: ({ piece, lost }, to) => {
    to.flags(lost);
    to.u32(piece);
  },
  read: (from) => {
    const [lost] = from.flags(1) as [boolean];
    return { type: 'refuse', lost, piece: from.u32() };
  },
};

const piece: Codec<'piece'> = {
  code: 13,
  most: 4 + 1 + wireLimits.aunts * wireLimits.aunt + wireLimits.piece,
  write: (message, to) => {
    if (message.aunts.length > wireLimits.aunts) throw new WireError(`${message.aunts.length} hashes in a Merkle path`);
    to.u32(message.piece);
    to.u8(message.aunts.length);
    for (const aunt of message.aunts) to.fixed(aunt, wireLimits.aunt);
    if (message.bytes.length === 0) throw new WireError('a piece without bytes');
    to.rest(message.bytes, wireLimits.piece);
  },
  read: (from) => {
    const number = from.u32();
    const count = from.u8();
    if (count > wireLimits.aunts) throw new WireError(`${count} hashes in a Merkle path: at most ${wireLimits.aunts}`);
    const aunts = Array.from({ length: count }, () => from.fixed(wireLimits.aunt));
    const bytes = from.rest();
    if (bytes.length === 0 || bytes.length > wireLimits.piece) throw new WireError(`a piece of ${bytes.length} bytes`);
    return { type: 'piece', piece: number, aunts, bytes };
  },
};

const keys: Codec<'keys'> = {
  code: 15,
  most: 1 + wireLimits.keys * (1 + wireLimits.infrastructure + wireLimits.key),
  write: (message, to) => {
    if (message.keys.length > wireLimits.keys) throw new WireError(`${message.keys.length} keys of sections`);
    to.u8(message.keys.length);
    for (const { infrastructure, key } of message.keys) {
      to.text(infrastructure, wireLimits.infrastructure);
      to.fixed(key, wireLimits.key);
    }
  },
  read: (from) => {
    const count = from.u8();
    if (count > wireLimits.keys) throw new WireError(`${count} keys of sections: at most ${wireLimits.keys}`);
    const one = () => ({ infrastructure: from.text(wireLimits.infrastructure), key: from.fixed(wireLimits.key) });
    return { type: 'keys', keys: Array.from({ length: count }, one) };
  },
};

const codecs: { readonly [Name in Kind]: Codec<Name> } = {
  hello,
  'get-head': bare(2, 'get-head'),
  head,
  pieces,
  have: ofPiece(5, 'have'),
  done: bare(6, 'done'),
  want,
  grant,
  decline,
  request: ofPiece(10, 'request'),
  cancel: ofPiece(11, 'cancel'),
  refuse,
  piece,
  'get-keys': bare(14, 'get-keys'),
  keys,
};
const typeByCode = new Map<number, Kind>((Object.keys(codecs) as Kind[]).map((type) => [codecs[type].code, type]));

/** The bytes of a message. @throws WireError for one that is beyond the limits */
export function encodeMessage(message: WireMessage): Uint8Array {
  const codec = codecs[message.type] as unknown as Codec<Kind>;
  const writer = new FieldWriter();
  codec.write(message, writer);
  const frame = new FieldWriter();
  frame.u32(1 + writer.length);
  frame.u8(codec.code);
  return concatBytes(...frame.parts, ...writer.parts);
}

/** Bytes of length and kind, which say what is to be kept. */
const frameHeader = 5;

/** The kind of a message and the length of kind and fields. @throws WireError when no message of the kind is so long */
export function readFrameHeader(frame: Uint8Array): { readonly type: WireMessage['type']; readonly length: number } {
  const reader = new FieldReader(frame.subarray(0, frameHeader));
  const [length, code] = [reader.u32(), reader.u8()];
  const type = typeByCode.get(code);
  if (type === undefined) throw new WireError(`there is no message of kind ${code}`);
  if (length < 1 || length > 1 + codecs[type].most) {
    throw new WireError(`a message of kind ${code} with ${length} bytes`);
  }
  return { type, length };
}

/** A whole message, its header included. @throws WireError */
export function decodeFrame(frame: Uint8Array): WireMessage {
  const { type } = readFrameHeader(frame);
  const reader = new FieldReader(frame.subarray(frameHeader));
  const message = (codecs[type] as unknown as Codec<Kind>).read(reader);
  reader.end();
  return message;
}

/** Bytes at most of a message with a piece of so many bytes, its header included. */
export function pieceMessageBytes(bytes: number): number {
  return frameHeader + codecs.piece.most - wireLimits.piece + bytes;
}
