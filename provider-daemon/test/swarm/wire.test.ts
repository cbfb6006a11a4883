import { describe, expect, test } from '@jest/globals';
import { concatBytes } from '@mu/lib/bytes';
import fc from 'fast-check';
import { swarmLimits } from '../../src/swarm/limits.ts';
import { MessageReader } from '../../src/swarm/message-reader.ts';
import type { WireMessage } from '../../src/swarm/messages.ts';
import { encodeMessage, WireError, wireLimits } from '../../src/swarm/wire.ts';

const bytesOf = (length: number, value = 7): Uint8Array => new Uint8Array(length).fill(value);
const number = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
const plain = (most: number) =>
  fc.string({ minLength: 1, maxLength: most, unit: fc.constantFrom(...'abcxyzABC0189-_.:~!') });
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const perhaps = fc.option(number, { nil: undefined });

const messages: fc.Arbitrary<WireMessage> = fc.oneof(
  fc.record({
    ...{ type: fc.constant('hello' as const), protocol: fc.integer({ min: 0, max: 65_535 }) },
    ...{ chainId: plain(50), owner: plain(128), dseq: u64, revision: u64, version: hash },
  }),
  fc.constantFrom<WireMessage>({ type: 'get-head' }, { type: 'done' }, { type: 'get-keys' }),
  fc.record({
    type: fc.constant('keys' as const),
    keys: fc.array(fc.record({ infrastructure: plain(64), key: hash }), { maxLength: 4 }),
  }),
  fc.record({ type: fc.constant('head' as const), bytes: fc.uint8Array({ maxLength: 100 }) }),
  fc.integer({ min: 0, max: 500 }).chain((count) =>
    fc.record({
      ...{ type: fc.constant('pieces' as const), count: fc.constant(count) },
      have: fc.uint8Array({ minLength: Math.ceil(count / 8), maxLength: Math.ceil(count / 8) }),
    }),
  ),
  fc.record({ type: fc.constantFrom('have' as const, 'request' as const, 'cancel' as const), piece: number }),
  fc.record({ type: fc.constant('want' as const), starving: fc.boolean() }),
  fc.record({ type: fc.constant('grant' as const), piece: perhaps, now: fc.boolean() }),
  fc.record({ type: fc.constant('decline' as const), piece: perhaps, busy: fc.boolean() }),
  fc.record({ type: fc.constant('refuse' as const), piece: number, lost: fc.boolean() }),
  fc.record({
    ...{ type: fc.constant('piece' as const), piece: number, aunts: fc.array(hash, { maxLength: 3 }) },
    bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  }),
);

/** Reads a stream that comes in parts of these lengths, again and again. */
function read(stream: Uint8Array, lengths: readonly number[]): WireMessage[] {
  const reader = new MessageReader();
  const found: WireMessage[] = [];
  for (let at = 0, part = 0; at < stream.length; part += 1) {
    const length = lengths[part % lengths.length] as number;
    found.push(...reader.push(stream.subarray(at, at + length)));
    at += length;
  }
  return found;
}

test('whatever is written is read again, however the stream is cut', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(messages, { maxLength: 6 }), cuts, (list, lengths) => {
      expect(read(concatBytes(...list.map(encodeMessage)), lengths)).toEqual(list);
    }),
    { seed: 1, numRuns: 100 },
  );
});

test('there is one encoding of a message: what is read is written again as it was, or refused', () => {
  const damage = fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) });
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(messages, fc.array(damage, { minLength: 1, maxLength: 3 }), (message, places) => {
      const bytes = encodeMessage(message);
      for (const { at, bit } of places) bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ (1 << bit);
      const reader = new MessageReader();
      try {
        const found = reader.push(bytes);
        const rest = reader.waiting;
        const again = concatBytes(...found.map(encodeMessage));
        expect(again).toEqual(bytes.subarray(0, bytes.length - rest));
        read += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
        refused += 1;
      }
    }),
    { seed: 2, numRuns: 400 },
  );
  expect(read).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(50);
});

test('noise never throws anything but WireError and is never kept beyond the largest message', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (chunks) => {
      const reader = new MessageReader();
      for (const chunk of chunks) {
        try {
          reader.push(chunk);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
        expect(reader.waiting).toBeLessThanOrEqual(5 + wireLimits.piece + 4 + 1 + 32 * 32);
      }
    }),
    { seed: 3, numRuns: 100 },
  );
});

describe('a reader refuses', () => {
  const frame = (kind: number, ...fields: readonly number[]): Uint8Array =>
    Uint8Array.from([0, 0, 0, 1 + fields.length, kind, ...fields]);
  const wrong: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['a kind that there is not', frame(99), /no message of kind 99/],
    ['a length of zero', Uint8Array.from([0, 0, 0, 0, 6]), /0 bytes/],
    ['more fields than the kind has', frame(6, 1), /kind 6 with 2 bytes/],
    ['fewer fields than the kind has', frame(5, 0, 0, 1), /ends too soon/],
    ['bytes after the fields', frame(8, 1, 0), /1 bytes too many/],
    ['a flag that is not known', frame(8, 4), /flag/],
    ['a bitfield of another length than its count', frame(4, 0, 0, 0, 9, 255), /ends too soon/],
    ['more pieces than a swarm has', frame(4, 0, 1, 0, 1, 0), /at most 65536/],
    ['a piece without bytes', frame(13, 0, 0, 0, 1, 0), /0 bytes/],
    ['too many hashes in a path', frame(13, 0, 0, 0, 1, 33), /33 hashes/],
    ['a piece of more than a mebibyte, by its length alone', Uint8Array.from([0, 0x20, 0, 0, 13]), /kind 13 with/],
    ['a head of more than a mebibyte, by its length alone', Uint8Array.from([0, 0x10, 0, 2, 3]), /kind 3 with/],
    ['more keys than a manifest has sections', frame(15, 17), /17 keys/],
    ['a text with blanks', frame(1, 0, 1, 1, 32, 1, 97, ...bytesOf(48)), /not plain/],
  ];
  test.each(wrong)('%s', (_, bytes, message) => {
    expect(() => new MessageReader().push(bytes)).toThrow(message);
  });

  test('everything after an error', () => {
    const reader = new MessageReader();
    expect(() => reader.push(frame(99))).toThrow(WireError);
    expect(() => reader.push(encodeMessage({ type: 'done' }))).toThrow(/refused before/);
    expect(reader.waiting).toBe(0);
  });
});

test('the largest of each kind passes, one byte more is not written', () => {
  const aunts = Array.from({ length: 32 }, () => bytesOf(32));
  const largest: WireMessage[] = [
    { type: 'head', bytes: bytesOf(wireLimits.head) },
    { type: 'pieces', count: swarmLimits.pieces, have: bytesOf(swarmLimits.pieces / 8) },
    { type: 'piece', piece: 2 ** 32 - 1, aunts, bytes: bytesOf(wireLimits.piece) },
    { type: 'keys', keys: Array.from({ length: 16 }, () => ({ infrastructure: 'a'.repeat(64), key: bytesOf(32) })) },
  ];
  expect(read(concatBytes(...largest.map(encodeMessage)), [16_384])).toEqual(largest);
  const beyond: WireMessage[] = [
    { type: 'head', bytes: bytesOf(wireLimits.head + 1) },
    { type: 'piece', piece: 0, aunts, bytes: bytesOf(wireLimits.piece + 1) },
    { type: 'piece', piece: 0, aunts: [...aunts, bytesOf(32)], bytes: bytesOf(1) },
    { type: 'piece', piece: 2 ** 32, aunts: [], bytes: bytesOf(1) },
    { type: 'piece', piece: 0, aunts: [bytesOf(31)], bytes: bytesOf(1) },
    { type: 'pieces', count: 8, have: bytesOf(2) },
    { type: 'have', piece: -1 },
    { type: 'keys', keys: Array.from({ length: 17 }, () => ({ infrastructure: 'a', key: bytesOf(32) })) },
    { type: 'keys', keys: [{ infrastructure: 'a', key: bytesOf(31) }] },
  ];
  for (const message of beyond) expect(() => encodeMessage(message)).toThrow(WireError);
});

test('the bytes of each kind are those of docs/MANIFESTS.md', () => {
  const hex = (message: WireMessage): string => Buffer.from(encodeMessage(message)).toString('hex');
  expect(hex({ type: 'get-head' })).toBe('0000000102');
  expect(hex({ type: 'pieces', count: 9, have: Uint8Array.from([0x80, 0x80]) })).toBe('0000000704000000098080');
  expect(hex({ type: 'have', piece: 258 })).toBe('000000050500000102');
  expect(hex({ type: 'done' })).toBe('0000000106');
  expect(hex({ type: 'want', starving: true })).toBe('000000020701');
  expect(hex({ type: 'grant', piece: undefined, now: true })).toBe('000000020801');
  expect(hex({ type: 'grant', piece: 3, now: false })).toBe('00000006080200000003');
  expect(hex({ type: 'decline', piece: undefined, busy: false })).toBe('000000020900');
  expect(hex({ type: 'request', piece: 1 })).toBe('000000050a00000001');
  expect(hex({ type: 'cancel', piece: 1 })).toBe('000000050b00000001');
  expect(hex({ type: 'refuse', piece: 1, lost: true })).toBe('000000060c0100000001');
  expect(hex({ type: 'piece', piece: 1, aunts: [], bytes: Uint8Array.from([255]) })).toBe('000000070d0000000100ff');
  expect(hex({ type: 'get-keys' })).toBe('000000010e');
  const keys = [{ infrastructure: 'db', key: bytesOf(32) }];
  expect(hex({ type: 'keys', keys })).toBe(`000000250f01026462${'07'.repeat(32)}`);
});
