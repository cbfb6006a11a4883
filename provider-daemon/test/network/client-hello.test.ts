import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { type ClientHello, ClientHelloReader, maxHelloBytes } from '../../src/network/client-hello.ts';

/** What node:tls sends first. */
async function sent(options: { servername?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const client = connect({ host: '127.0.0.1', port: (server.address() as { port: number }).port, ...options });
  client.on('error', () => {});
  const [socket] = await accepted;
  const [hello] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

/** @returns what the last piece tells; those before it tell nothing */
function read(pieces: readonly Buffer[]): ClientHello | 'other' | undefined {
  const reader = new ClientHelloReader();
  let told: ClientHello | 'other' | undefined;
  for (const piece of pieces) {
    expect(told).toBeUndefined();
    told = reader.push(piece);
  }
  expect(reader.bytes).toEqual(Buffer.concat(pieces));
  return told;
}

const number = (value: number, bytes: number): Buffer => {
  const made = Buffer.alloc(bytes);
  made.writeUIntBE(value, 0, bytes);
  return made;
};
const vector = (lengthBytes: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([number(body.length, lengthBytes), body]);
};
const extension = (kind: number, ...parts: readonly Buffer[]): Buffer =>
  Buffer.concat([number(kind, 2), vector(2, ...parts)]);
const sni = (name: string): Buffer => extension(0, vector(2, number(0, 1), vector(2, Buffer.from(name))));
const alpn = (...names: readonly string[]): Buffer =>
  extension(16, vector(2, ...names.map((name) => vector(1, Buffer.from(name)))));
const record = (body: Buffer): Buffer => Buffer.concat([Buffer.from([22, 3, 1]), vector(2, body)]);

/** A message that holds these extensions. @param rest what stands behind them */
function message(extensions: readonly Buffer[] | undefined, rest = Buffer.alloc(0)): Buffer {
  const head = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32), vector(1), vector(2, number(0x1301, 2))]);
  const tail = extensions === undefined ? Buffer.alloc(0) : vector(2, ...extensions);
  return Buffer.concat([Buffer.from([1]), vector(3, head, vector(1, Buffer.from([0])), tail, rest)]);
}

describe('the first message of a TLS client', () => {
  it('of node:tls is read, whole and byte by byte', async () => {
    const bytes = await sent({ servername: 'a.tunnel.mu.internal', ALPNProtocols: ['mu-tunnel/1', 'mu/1'] });
    const hello = { serverName: 'a.tunnel.mu.internal', protocols: ['mu-tunnel/1', 'mu/1'] };
    expect(read([bytes])).toEqual(hello);
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(hello);
    expect(read([await sent({})])).toEqual({ serverName: undefined, protocols: [] });
  });

  it('may come in many records, with more behind it', () => {
    const whole = message([sni('db'), alpn('x')]);
    const records = [...whole].map((byte) => record(Buffer.from([byte])));
    expect(read([Buffer.concat(records)])).toEqual({ serverName: 'db', protocols: ['x'] });
    expect(read(records)).toEqual({ serverName: 'db', protocols: ['x'] });
    expect(read([Buffer.concat([record(whole), Buffer.from('early data')])])).toMatchObject({ serverName: 'db' });
  });

  it('may have no extensions at all', () => {
    expect(read([record(message(undefined))])).toEqual({ serverName: undefined, protocols: [] });
  });

  const wrong: readonly (readonly [string, Buffer])[] = [
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['another record', Buffer.from([23, 3, 3, 0, 5, 1, 0, 0, 1, 0])],
    ['an old version', Buffer.from([22, 2, 0, 0, 5, 1, 0, 0, 1, 0])],
    ['an empty record', record(Buffer.alloc(0))],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1, 1])],
    ['another message', record(Buffer.from([2, 0, 0, 0]))],
    ['a message that is empty', record(Buffer.from([1, 0, 0, 0]))],
    ['a second message in its record', record(Buffer.concat([message([]), Buffer.from([1])]))],
    ['bytes behind the extensions', record(message([], Buffer.from([0])))],
    ['an extension twice', record(message([alpn('a'), alpn('b')]))],
    ['an extension that ends too early', record(message([Buffer.from([0, 16, 0, 9, 0])]))],
    ['two names', record(message([extension(0, vector(2, number(0, 1), vector(2, Buffer.from('a')), number(0, 1)))]))],
    ['a name of another kind', record(message([extension(0, vector(2, number(1, 1), vector(2, Buffer.from('a'))))]))],
    ['an empty name', record(message([sni('')]))],
    ['a name that is none', record(message([sni('a\nb')]))],
    ['no protocols', record(message([alpn()]))],
    ['a protocol without a name', record(message([alpn('')]))],
    [
      'bytes behind the protocols',
      record(message([extension(16, vector(2, vector(1, Buffer.from('a'))), number(0, 1))])),
    ],
  ];
  it.each(wrong)('%s is something else', (_what, bytes) => {
    expect(read([bytes])).toBe('other');
  });

  it('is no longer read than it may be, in memory and in work', () => {
    const large = (bytes: number): Buffer => record(message([extension(21, Buffer.alloc(bytes))]));
    const around = large(0).length;
    expect(read([large(maxHelloBytes - around)])).toMatchObject({ protocols: [] });
    expect(read([large(maxHelloBytes - around + 1)])).toBe('other');
    const endless = Buffer.concat([Buffer.from([1, 0xff, 0xff, 0xff]), Buffer.alloc(maxHelloBytes)]);
    const reader = new ClientHelloReader();
    let pushed = 0;
    while (reader.push(record(endless.subarray(pushed, pushed + 1))) === undefined) pushed += 1;
    expect(reader.bytes.length).toBeLessThanOrEqual(maxHelloBytes + 6);
  });
});
