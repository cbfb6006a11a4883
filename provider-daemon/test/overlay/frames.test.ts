import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FrameReader } from '../../src/overlay/frame-reader.ts';
import {
  Breach,
  encodeFrame,
  encodeHead,
  type Frame,
  frameTypes,
  maxDataBytes,
  maxStreamId,
  maxTextBytes,
} from '../../src/overlay/frames.ts';

type Seen = Frame | { readonly type: 'data'; readonly stream: number; readonly bytes: Buffer };

/** What a reader makes of bytes that come in chunks. */
function read(chunks: readonly Buffer[]): Seen[] {
  const seen: Seen[] = [];
  let data: { stream: number; length: number; parts: Buffer[] } | undefined;
  const reader = new FrameReader({
    // What is kept is copied: payloads are views.
    frame: (frame) => seen.push('payload' in frame ? { ...frame, payload: Buffer.from(frame.payload) } : frame),
    dataHead: (stream, length) => {
      data = { stream, length, parts: [] };
    },
    dataPiece: (stream, piece) => {
      expect(stream).toBe(data!.stream);
      data!.parts.push(Buffer.from(piece));
      const bytes = Buffer.concat(data!.parts);
      expect(bytes.length).toBeLessThanOrEqual(data!.length);
      if (bytes.length === data!.length) seen.push({ type: 'data', stream, bytes });
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  return seen;
}

const id = fc.oneof(fc.constantFrom(1, maxStreamId), fc.integer({ min: 1, max: maxStreamId }));
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const nonce = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const words = fc.constantFrom('', 'no instance takes the connection', 'ärgerlich', '語'.repeat(85));
const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((one) => Buffer.from(one));

const frames: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    hello: fc.record({ role: fc.constantFrom('caller' as const, 'callee' as const), window: u32, maxStreams: u32 }),
  }),
  fc.record({
    type: fc.constant('open' as const),
    stream: id,
    kind: fc.constantFrom('stream' as const, 'datagrams' as const),
  }),
  fc.record({ type: fc.constant('end' as const), stream: id }),
  fc.record({ type: fc.constant('reset' as const), stream: id, code: u16, text: words }),
  fc.record({ type: fc.constant('credit' as const), stream: id, bytes: fc.integer({ min: 1, max: 0xffff_ffff }) }),
  fc.record({
    type: fc.constant('datagram' as const),
    stream: id,
    payload: fc.uint8Array({ maxLength: 300 }).map((one) => Buffer.from(one)),
  }),
  fc.record({ type: fc.constantFrom('ping' as const, 'pong' as const), nonce }),
  fc.record({ type: fc.constant('goAway' as const) }),
  fc.record({ type: fc.constant('close' as const), code: u16, text: words }),
  fc.record({
    type: fc.constant('renew' as const),
    renewal: fc.record({
      chain: fc.tuple(bytes, bytes),
      signature: fc.uint8Array({ minLength: 64, maxLength: 64 }).map((one) => Buffer.from(one)),
    }),
  }),
);
const items: fc.Arbitrary<Seen> = fc.oneof(
  frames,
  fc.record({ type: fc.constant('data' as const), stream: id, bytes }),
);

const encode = (item: Seen): Buffer =>
  item.type === 'data'
    ? Buffer.concat([encodeHead(frameTypes.data, item.bytes.length, item.stream), item.bytes])
    : encodeFrame(item);

/** Cuts bytes at the places. */
function cut(all: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (all.length + 1)).sort((a, b) => a - b), all.length];
  return at.slice(1).map((end, i) => all.subarray(at[i]!, end));
}

describe('frames', () => {
  it('are read as they were written, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(items, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 12 }), (sent, places) => {
        expect(read(cut(Buffer.concat(sent.map(encode)), places))).toEqual(sent);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('that are damaged are refused or read as other frames, and end in nothing else', () => {
    fc.assert(
      fc.property(
        fc.array(items, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (sent, place, flip) => {
          const all = Buffer.concat(sent.map(encode));
          all[place % all.length]! ^= flip;
          try {
            // What was read is written again as it came: there is one form of each frame.
            const again = Buffer.concat(read([all]).map(encode));
            expect(all.subarray(0, again.length)).toEqual(again);
          } catch (error) {
            expect(error).toBeInstanceOf(Breach);
          }
        },
      ),
      { seed: 8, numRuns: 2000 },
    );
  });

  it('of random bytes are refused, or wait for the rest', () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 64 }), (random) => {
        try {
          read([Buffer.from(random)]);
        } catch (error) {
          expect(error).toBeInstanceOf(Breach);
          refused += 1;
        }
      }),
      { seed: 9, numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(900);
  });

  const head = (type: number, length: number, stream: number) => encodeHead(type, length, stream);
  const renewalOf = (payload: Buffer) => Buffer.concat([head(frameTypes.renew, payload.length, 0), payload]);
  it.each<[string, Buffer, RegExp]>([
    ['no type', head(0, 0, 0), /type 0/],
    ['an unknown type', head(13, 0, 0), /type 13/],
    ['data without bytes', head(frameTypes.data, 0, 1), /a data frame of 0 bytes/],
    ['data that are too many', head(frameTypes.data, maxDataBytes + 1, 1), /a data frame of 65537 bytes/],
    ['data of no stream', head(frameTypes.data, 1, 0), /of stream 0/],
    ['a stream that is too high', head(frameTypes.end, 0, maxStreamId + 1), /of stream 2147483648/],
    ['a ping of a stream', head(frameTypes.ping, 8, 1), /of stream 1/],
    ['an end with a payload', head(frameTypes.end, 1, 1), /an? end frame of 1 bytes/],
    ['a datagram that is too large', head(frameTypes.datagram, 65_508, 1), /datagram frame of 65508/],
    ['words that are too long', head(frameTypes.reset, 3 + maxTextBytes, 1), /reset frame of 259/],
    ['a credit of nothing', Buffer.concat([head(frameTypes.credit, 4, 1), Buffer.alloc(4)]), /credit of nothing/],
    ['a kind there is none of', Buffer.concat([head(frameTypes.open, 1, 1), Buffer.of(2)]), /of kind 2/],
    ['another version', Buffer.concat([head(frameTypes.hello, 12, 0), Buffer.alloc(12, 2)]), /version 2, not 1/],
    ['an unknown role', Buffer.concat([head(frameTypes.hello, 12, 0), Buffer.of(1, 2), Buffer.alloc(10)]), /unknown/],
    ['no UTF-8', Buffer.concat([head(frameTypes.close, 3, 0), Buffer.of(0, 0, 0xff)]), /not UTF-8/],
    ['a renewal that is too long', head(frameTypes.renew, 8261, 0), /renew frame of 8261/],
    ['a renewal without certificates', renewalOf(Buffer.alloc(70)), /certificate of 0 bytes/],
    ['a certificate that is too long', renewalOf(Buffer.alloc(8000, 0x11)), /certificate of 4369 bytes/],
    ['a certificate beyond the end', renewalOf(Buffer.alloc(80).fill(1, 1, 2).fill(200, 4, 5)), /200 bytes/],
    ['half a signature', renewalOf(Buffer.alloc(70).fill(1, 1, 2).fill(2, 4, 5)), /signature of 63 bytes/],
    ['a line of a log', Buffer.concat([head(frameTypes.close, 3, 0), Buffer.of(0, 0, 10)]), /control characters/],
  ])('refuse %s, at once', (_, wrong, why) => {
    expect(() => read([wrong])).toThrow(Breach);
    expect(() => read([wrong])).toThrow(why);
  });

  it('that come byte by byte are gathered in one piece: nothing is kept of the chunks', () => {
    const sent: Frame = { type: 'datagram', stream: 3, payload: Buffer.from('one datagram, whole') };
    const seen: Frame[] = [];
    const reader = new FrameReader({
      frame: (frame) => seen.push(frame),
      dataHead: () => {},
      dataPiece: () => {},
    });
    const chunk = Buffer.alloc(1);
    for (const byte of encodeFrame(sent)) {
      chunk[0] = byte;
      reader.push(chunk);
    }
    expect(seen).toEqual([sent]);
  });

  it('cut long words between characters, and blank what would forge lines', () => {
    const [first] = read([encodeFrame({ type: 'close', code: 1, text: '語'.repeat(100) })]);
    expect(first).toEqual({ type: 'close', code: 1, text: '語'.repeat(85) });
    const [second] = read([encodeFrame({ type: 'close', code: 1, text: 'a\nb\ud800' })]);
    expect(second).toEqual({ type: 'close', code: 1, text: 'a b\ufffd' });
  });
});
