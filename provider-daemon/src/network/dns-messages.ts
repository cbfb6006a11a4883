/** DNS messages (RFC 1035, RFC 6891) as the resolver reads and writes them. */
import type { Answer, Packet, Question } from 'dns-packet';
import * as dns from 'dns-packet';

/** Largest query that is read: one question has room in it whatever its options are. */
export const maxQueryBytes = 1232;
/** Largest answer over UDP: above it the client is told to come by TCP. Fits into one packet everywhere. */
const maxUdpBytes = 1232;
/** What a client without EDNS can take. */
const plainUdpBytes = 512;
const headerBytes = 12;
const opcodeMask = 0x7800;
const responseFlag = 0x8000;

export const rcodes = {
  ok: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
} as const;
export type Rcode = (typeof rcodes)[keyof typeof rcodes];

/** A question that can be answered. */
export interface Query {
  readonly id: number;
  /** As it was asked: clients compare the case (draft 0x20). */
  readonly question: Question;
  /** Lower case, without a dot at the end. */
  readonly name: string;
  /** Largest answer over UDP that the client takes, in bytes. */
  readonly udpBytes: number;
  readonly edns: boolean;
  readonly recursionDesired: boolean;
}

/** What is answered, before it is put into a message. */
export interface Reply {
  readonly rcode: Rcode;
  readonly answers: readonly Answer[];
  /** From the zone itself, not from somebody else. */
  readonly authoritative: boolean;
  /** There is more, by TCP. */
  readonly truncated?: boolean;
}

export const failed = (rcode: Rcode): Reply => ({ rcode, answers: [], authoritative: false });

/** @returns a query, a message that refuses it, or undefined for what deserves no answer: no query at all, or an answer */
export function readQuery(bytes: Buffer): Query | { readonly refusal: Buffer } | undefined {
  if (bytes.length < headerBytes || bytes.length > maxQueryBytes) return undefined;
  const flags = bytes.readUInt16BE(2);
  // Answers are never answered: two servers would do it for ever.
  if ((flags & responseFlag) !== 0) return undefined;
  const refuse = (rcode: Rcode): { refusal: Buffer } => ({ refusal: emptyReply(bytes.readUInt16BE(0), rcode) });
  if ((flags & opcodeMask) !== 0) return refuse(rcodes.notImplemented);
  let packet: dns.DecodedPacket;
  try {
    packet = dns.decode(bytes);
  } catch {
    return refuse(rcodes.formatError);
  }
  const [question, ...more] = packet.questions ?? [];
  if (question === undefined || more.length > 0 || !isName(question.name)) return refuse(rcodes.formatError);
  if ((question.class ?? 'IN') !== 'IN') return refuse(rcodes.refused);
  const options = packet.additionals?.find((record) => record.type === 'OPT');
  const offered = options?.type === 'OPT' ? options.udpPayloadSize : plainUdpBytes;
  return {
    id: packet.id ?? 0,
    question,
    name: normalize(question.name),
    udpBytes: Math.min(Math.max(offered, plainUdpBytes), maxUdpBytes),
    edns: options !== undefined,
    recursionDesired: packet.flag_rd,
  };
}

export const normalize = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** Printable ASCII in labels of 1 to 63 characters: what is written again as it was read. */
export function isName(name: string): boolean {
  const text = name.replace(/\.$/, '');
  return (
    text.length <= 253 && (text === '' || text.split('.').every((label) => /^[\x21-\x2d\x2f-\x7e]{1,63}$/.test(label)))
  );
}

/** @param maxBytes where the message is longer, it says that there is more; undefined: no limit but TCP's own */
export function writeReply(query: Query, reply: Reply, maxBytes?: number): Buffer {
  const { rcode, answers, authoritative, truncated = false } = reply;
  const bytes = dns.encode(message(query, { rcode, answers: truncated ? [] : answers, authoritative, truncated }));
  if (maxBytes === undefined ? bytes.length <= 0xffff : bytes.length <= maxBytes) return bytes;
  return dns.encode(message(query, { rcode, answers: [], authoritative, truncated: true }));
}

function message(query: Query, reply: Required<Reply>): Packet {
  const flags =
    dns.RECURSION_AVAILABLE |
    (query.recursionDesired ? dns.RECURSION_DESIRED : 0) |
    (reply.authoritative ? dns.AUTHORITATIVE_ANSWER : 0) |
    (reply.truncated ? dns.TRUNCATED_RESPONSE : 0) |
    reply.rcode;
  return {
    type: 'response',
    id: query.id,
    flags,
    questions: [query.question],
    answers: [...reply.answers],
    additionals: query.edns ? [ednsOptions()] : [],
  };
}

/** The same question to another server. */
export function writeQuery(id: number, question: Question): Buffer {
  return dns.encode({
    type: 'query',
    id,
    flags: dns.RECURSION_DESIRED,
    questions: [question],
    additionals: [ednsOptions()],
  });
}

const ednsOptions = (): Answer => ({
  type: 'OPT',
  name: '.',
  udpPayloadSize: maxUdpBytes,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
});

function emptyReply(id: number, rcode: Rcode): Buffer {
  return dns.encode({ type: 'response', id, flags: dns.RECURSION_AVAILABLE | rcode });
}
