/**
 * Reads whom a client of TLS asks for without taking part in the handshake (RFC 8446 4.1.2 and 5.1, RFC 6066 3, RFC 7301
 * 3.1): a listener that serves several protocols at one port decides by it who gets the connection.
 */

/** Of all bytes of a ClientHello, headers of records included; who sends more before it is whole is something else. */
export const maxHelloBytes = 16_384;

export interface ClientHello {
  /** The host name of SNI; undefined where there is none. */
  readonly serverName: string | undefined;
  /** Of ALPN, in the client's order; empty where there are none. */
  readonly protocols: readonly string[];
}

const [handshakeRecord, clientHelloMessage] = [22, 1];
const [serverNameExtension, alpnExtension] = [0, 16];
const hostNameKind = 0;
const recordHeaderBytes = 5;
const messageHeaderBytes = 4;
const maxRecordBytes = 16_384;

/** It is no ClientHello. */
class Malformed extends Error {}

/** Takes what comes, piece by piece. */
export class ClientHelloReader {
  #pieces: Buffer[] = [];
  #length = 0;
  /** Nothing can be told before there are so many bytes. */
  #needed = recordHeaderBytes;

  /** All that has been pushed, for whoever gets the connection. */
  get bytes(): Buffer {
    const [first] = this.#pieces;
    if (this.#pieces.length > 1 || first === undefined) this.#pieces = [Buffer.concat(this.#pieces, this.#length)];
    return this.#pieces[0]!;
  }

  /** @returns undefined while more has to come; `other` for what is no ClientHello, or a larger one than is read */
  push(chunk: Buffer): ClientHello | 'other' | undefined {
    this.#pieces.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return undefined;
    try {
      const found = messageIn(this.bytes.subarray(0, maxHelloBytes));
      if (!('needed' in found)) return helloIn(new Fields(found.body));
      this.#needed = found.needed;
      return found.needed > maxHelloBytes ? 'other' : undefined;
    } catch (error) {
      if (error instanceof Malformed) return 'other';
      throw error;
    }
  }
}

/**
 * The body of the first message of the handshake, out of as many records as it takes.
 * @returns how many bytes there must be before more can be told, where it is not whole
 */
function messageIn(bytes: Buffer): { readonly body: Buffer } | { readonly needed: number } {
  const parts: Buffer[] = [];
  let head = Buffer.alloc(0);
  let [at, have] = [0, 0];
  for (;;) {
    if (bytes.length < at + recordHeaderBytes) return { needed: at + recordHeaderBytes };
    const length = bytes.readUInt16BE(at + 3);
    // Servers take no notice of the record's version but for its first byte; an empty record of the handshake is a breach.
    const isRecord = bytes[at] === handshakeRecord && bytes[at + 1] === 3 && length > 0 && length <= maxRecordBytes;
    if (!isRecord) throw new Malformed('no record of a handshake');
    at += recordHeaderBytes;
    parts.push(bytes.subarray(at, at + length));
    have += length;
    if (head.length < messageHeaderBytes) head = Buffer.concat(parts).subarray(0, messageHeaderBytes);
    if (head.length > 0 && head[0] !== clientHelloMessage) throw new Malformed('another message');
    if (bytes.length < at + length) return { needed: at + length };
    at += length;
    if (have < messageHeaderBytes) continue;
    const end = messageHeaderBytes + head.readUIntBE(1, 3);
    // Nothing may follow it in its record: the keys of what comes next are others.
    if (have > end) throw new Malformed('more than one message');
    if (have === end) return { body: Buffer.concat(parts).subarray(messageHeaderBytes) };
  }
}

function helloIn(fields: Fields): ClientHello {
  const [versionBytes, randomBytes] = [2, 32];
  fields.take(versionBytes + randomBytes);
  const [session, ciphers, compressions] = [fields.vector(1), fields.vector(2), fields.vector(1)];
  if (session.length > 32 || ciphers.length === 0 || ciphers.length % 2 === 1 || compressions.length === 0)
    throw new Malformed('no ClientHello');
  const extensions = fields.isEmpty ? new Map<number, Buffer>() : extensionsIn(fields);
  const [names, protocols] = [extensions.get(serverNameExtension), extensions.get(alpnExtension)];
  return {
    serverName: names === undefined ? undefined : hostNameIn(names),
    protocols: protocols === undefined ? [] : protocolsIn(protocols),
  };
}

function extensionsIn(fields: Fields): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  const list = new Fields(fields.vector(2));
  fields.requireEnd();
  while (!list.isEmpty) {
    const kind = list.number(2);
    if (found.has(kind)) throw new Malformed('an extension twice');
    found.set(kind, list.vector(2));
  }
  return found;
}

function hostNameIn(bytes: Buffer): string {
  const outer = new Fields(bytes);
  const list = new Fields(outer.vector(2));
  outer.requireEnd();
  const [kind, name] = [list.number(1), list.vector(2)];
  list.requireEnd();
  const text = name.toString('latin1');
  if (kind !== hostNameKind || !/^[\x21-\x7e]{1,255}$/.test(text)) throw new Malformed('no host name');
  return text;
}

function protocolsIn(bytes: Buffer): string[] {
  const outer = new Fields(bytes);
  const list = new Fields(outer.vector(2));
  outer.requireEnd();
  const protocols: string[] = [];
  while (!list.isEmpty) {
    const name = list.vector(1);
    if (name.length === 0) throw new Malformed('a protocol without a name');
    protocols.push(name.toString('latin1'));
  }
  if (protocols.length === 0) throw new Malformed('no protocol');
  return protocols;
}

/** Reads fields of TLS one after the other. */
class Fields {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  get isEmpty(): boolean {
    return this.#rest.length === 0;
  }

  take(length: number): Buffer {
    if (this.#rest.length < length) throw new Malformed('it ends too early');
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  number(bytes: number): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  /** @param lengthBytes of the length before it */
  vector(lengthBytes: number): Buffer {
    return this.take(this.number(lengthBytes));
  }

  requireEnd(): void {
    if (!this.isEmpty) throw new Malformed('more than it says');
  }
}
