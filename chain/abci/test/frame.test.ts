import { Request } from 'cosmjs-types/tendermint/abci/types';
import { formatAddress, parseAddress } from '../src/address.ts';
import { FrameError, FrameReader, frameHeader, openEnvelope } from '../src/frame.ts';
import { delimited } from './peer.ts';

function readAll(reader: FrameReader, chunks: readonly Uint8Array[]): Buffer[] {
  const found: Buffer[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) found.push(Buffer.from(frame));
  }
  return found;
}

const bodies = [
  Buffer.alloc(0),
  Buffer.from('a'),
  Buffer.alloc(127, 1),
  Buffer.alloc(128, 2),
  Buffer.alloc(300, 3),
  Buffer.from('end'),
];
const stream = Buffer.concat(bodies.map(delimited));

describe('frames', () => {
  it('are found whatever the two places where the stream is cut', () => {
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second++) {
        const chunks = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
        // Compared here and not by `expect`: there are thousands.
        const found = readAll(new FrameReader(), chunks);
        if (found.length !== bodies.length || !found.every((body, at) => body.equals(bodies[at] as Buffer))) {
          throw new Error(`cut at ${first} and ${second}: ${found.map((body) => body.length).join(', ')}`);
        }
      }
    }
  });

  it('are found byte by byte', () => {
    const bytes = [...stream].map((byte) => Uint8Array.of(byte));
    expect(readAll(new FrameReader(), bytes)).toEqual(bodies);
  });

  it('are found when all chunks are pushed before the first is read', () => {
    const reader = new FrameReader();
    for (let at = 0; at < stream.length; at += 3) reader.push(stream.subarray(at, at + 3));
    expect(readAll(reader, [Buffer.alloc(0)])).toEqual(bodies);
    expect(reader.isWithinMessage).toBe(false);
  });

  it('of 64 MiB in chunks of 1 KiB take time in proportion', () => {
    const body = Buffer.alloc(64 * 1024 * 1024, 9);
    const whole = delimited(body);
    const reader = new FrameReader();
    let found: Uint8Array | undefined;
    const began = performance.now();
    for (let at = 0; at < whole.length; at += 1024) {
      reader.push(whole.subarray(at, at + 1024));
      found = reader.next() ?? found;
    }
    expect(found?.length).toBe(body.length);
    expect(Buffer.compare(found as Uint8Array, body)).toBe(0);
    // Copying everything for each chunk would be two terabytes: minutes, not seconds.
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('above the bound are refused by their length alone, with the bound in the text', () => {
    const reader = new FrameReader(1000);
    reader.push(delimited(Buffer.alloc(1000)));
    expect(reader.next()?.length).toBe(1000);
    reader.push(Uint8Array.of(0xe9, 0x07));
    expect(() => reader.next()).toThrow(new FrameError('a message of 1001 bytes: at most 1000 are taken'));
  });

  it('take no memory on the promise of a length', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 50 }, () => new FrameReader());
    for (const reader of readers) {
      reader.push(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x04, 1));
      expect(reader.next()).toBeUndefined();
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    expect(readers.every((reader) => reader.isWithinMessage)).toBe(true);
  });

  it.each([
    ['longer than five bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ['over-long', [0x81, 0x00]],
    ['above 32 bits', [0xff, 0xff, 0xff, 0xff, 0x7f]],
  ])('whose length is %s are refused', (_, bytes) => {
    const reader = new FrameReader();
    reader.push(Uint8Array.from(bytes));
    expect(() => reader.next()).toThrow(FrameError);
  });
});

describe('the one field of a message', () => {
  it('is written as the generated code writes it', () => {
    for (const length of [0, 1, 100, 125, 126, 127, 128, 16_380, 20_000, 3_000_000]) {
      const body = Request.encode(Request.fromPartial({ checkTx: { tx: Buffer.alloc(length, 5) } })).finish();
      const inner = openEnvelope(body);
      expect(inner.field).toBe(8);
      const written = Buffer.concat([frameHeader(8, inner.body), inner.body]);
      expect(Buffer.compare(written, delimited(body))).toBe(0);
    }
    const vote = Request.encode(Request.fromPartial({ verifyVoteExtension: { height: 9n } })).finish();
    const inner = openEnvelope(vote);
    expect(Buffer.concat([frameHeader(19, inner.body), inner.body])).toEqual(delimited(vote));
  });

  it.each([
    ['of another wire type', [0x08, 0x01]],
    ['with the number 0', [0x02, 0x00]],
    ['shorter than it says', [0x0a, 0x05, 1]],
    ['followed by another', [0x12, 0x00, 0x12, 0x00]],
    ['without a length', [0x12]],
    ['with a tag that does not end', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ])('is refused %s', (_, bytes) => {
    expect(() => openEnvelope(Uint8Array.from(bytes))).toThrow(FrameError);
  });
});

describe('addresses', () => {
  it.each([
    'tcp://127.0.0.1:26658',
    'tcp://[::1]:0',
    'tcp://node.example:1',
    'unix:///run/mud.sock',
    'unix://mud.sock',
  ])('%s is read and written', (address) => {
    expect(formatAddress(parseAddress(address))).toBe(address);
  });

  it.each(['127.0.0.1:26658', 'tcp://host', 'tcp://host:70000', 'tcp://::1:1', 'unix://', 'http://host:1'])(
    '%s is refused',
    (address) => {
      expect(() => parseAddress(address)).toThrow('write tcp://host:port or unix:///path/to/socket');
    },
  );

  it('of a unix socket is refused when the system would cut it', () => {
    expect(() => parseAddress(`unix:///${'x'.repeat(107)}`)).toThrow('has at most 107 bytes, this one has 108');
  });
});
