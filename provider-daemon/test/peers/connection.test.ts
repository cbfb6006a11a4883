import { duplexPair } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BodyReader } from '../../src/manifests/body-reader.ts';
import { BackOff } from '../../src/peers/back-off.ts';
import { PeerConnection, type PeerHandler } from '../../src/peers/connection.ts';
import { awaitHello } from '../../src/peers/hello.ts';
import { peerLimits } from '../../src/peers/limits.ts';
import { Line } from '../../src/peers/line.ts';
import { isReplacedBy, keepEarly, linkTo, whyOver } from '../../src/peers/link.ts';
import { MessageReader } from '../../src/swarm/message-reader.ts';
import { encodeMessage } from '../../src/swarm/wire.ts';
import { eventually } from '../network/support/eventually.ts';
import { ManualTimers } from '../overlay/support/manual-timers.ts';

const timers = new ManualTimers();

function connection(change: Partial<PeerHandler> = {}) {
  const [near, far] = duplexPair();
  const ends: string[] = [];
  const handler: PeerHandler = {
    ...{ begun: () => 'keep', message: () => {}, skipped: () => {} },
    ...{ closed: (why) => ends.push(why), ...change },
  };
  return { connection: new PeerConnection({ socket: near, timers, handler }), far, ends };
}

const head = (bytes: number) => ({ type: 'head', bytes: new Uint8Array(bytes) }) as const;

test('a peer that takes nothing is hung up on after the stated time', async () => {
  const { connection: one, ends } = connection();
  one.send(head(200_000));
  timers.advance(peerLimits.takeMs);
  one.check();
  expect(ends).toEqual([]);
  timers.advance(1);
  one.check();
  expect(ends).toEqual(['it has taken nothing for 30 s']);
});

test('a peer that asks for answers and does not take them is not read from, then hung up on', () => {
  const { connection: one, far, ends } = connection();
  for (let sent = 0; sent < 3; sent += 1) one.send(head(1_000_000));
  expect(ends).toEqual([]);
  far.write(encodeMessage({ type: 'done' }));
  one.send(head(1_000_000));
  expect(ends).toEqual(['it asks for answers and does not take them']);
});

test('messages go before pieces that wait, and a piece is told of when its last byte was taken', async () => {
  const { connection: one, far } = connection();
  const [taken, seen]: [number[], string[]] = [[], []];
  for (const piece of [1, 2]) {
    one.sendBulk({ type: 'piece', piece, aunts: [], bytes: new Uint8Array(150_000) }, () => taken.push(piece));
  }
  one.send({ type: 'done' });
  expect(taken).toEqual([]);
  const reader = new MessageReader();
  far.on('data', (chunk: Uint8Array) => seen.push(...reader.push(chunk).map(({ type }) => type)));
  await eventually('both pieces', () => seen.length === 3);
  expect(seen).toEqual(['piece', 'done', 'piece']);
  expect(taken).toEqual([1, 2]);
});

test('a piece that is not wanted is read past: nothing of it is kept, what follows is read', async () => {
  const told: string[] = [];
  const { connection: one, far } = connection({
    begun: (type, piece) => (type === 'piece' && piece === 7 ? 'skip' : 'keep'),
    message: ({ type }) => told.push(type),
    skipped: (_, piece) => told.push(`skipped ${piece}`),
  });
  far.write(encodeMessage({ type: 'piece', piece: 7, aunts: [], bytes: new Uint8Array(300_000) }));
  far.write(encodeMessage({ type: 'done' }));
  await eventually('both', () => told.length === 2);
  expect(told).toEqual(['skipped 7', 'done']);
  one.close('over');
});

test('what is skipped does not wait in memory', () => {
  const reader = new MessageReader();
  const sink = { begun: () => 'skip' as const, message: () => {}, skipped: () => {} };
  const bytes = encodeMessage({ type: 'piece', piece: 7, aunts: [], bytes: new Uint8Array(1_000) });
  reader.feed(bytes.subarray(0, 500), sink);
  expect(reader.waiting).toBe(9);
  reader.feed(bytes.subarray(500), sink);
  expect(reader.waiting).toBe(0);
});

test('a piece that is let go is kept no longer, and ends as one that was not wanted', () => {
  const reader = new MessageReader();
  const told: string[] = [];
  const sink = {
    begun: () => 'keep' as const,
    message: ({ type }: { readonly type: string }) => told.push(type),
    skipped: (_: string, piece: number | undefined) => told.push(`skipped ${piece}`),
  };
  const bytes = encodeMessage({ type: 'piece', piece: 7, aunts: [], bytes: new Uint8Array(1_000) });
  reader.feed(bytes.subarray(0, 500), sink);
  expect(reader.waiting).toBe(500);
  reader.letGo();
  expect(reader.waiting).toBe(0);
  reader.letGo();
  reader.feed(bytes.subarray(500), sink);
  reader.letGo();
  reader.feed(encodeMessage({ type: 'done' }), sink);
  expect(told).toEqual(['skipped 7', 'done']);
});

test('who sends a piece hears of its end, also where the connection ends before', () => {
  const { connection: one } = connection();
  const ended: boolean[] = [];
  for (const piece of [1, 2]) {
    one.sendBulk({ type: 'piece', piece, aunts: [], bytes: new Uint8Array(150_000) }, (isTaken) => ended.push(isTaken));
  }
  one.close('over');
  one.sendBulk(head(10), (isTaken) => ended.push(isTaken));
  expect(ended).toEqual([false, false, false]);
});

test('who does not say hello in time is hung up on', () => {
  const { connection: one } = connection();
  const failed: string[] = [];
  awaitHello(one, { timers, came: () => {}, failed: (why) => failed.push(why) });
  timers.advance(peerLimits.helloMs - 1);
  expect(failed).toEqual([]);
  timers.advance(1);
  expect(failed).toEqual(['no hello within 10 s']);
});

test('a line of 1 MiB a second: the burst at once, the rest in its time', () => {
  const line = new Line(1_048_576, timers);
  const done: number[] = [];
  for (const job of [1, 2, 3]) line.use({ swarm: 's', peer: 'p', bytes: 262_144 }, () => done.push(job));
  expect(done).toEqual([1]);
  timers.advance(250);
  expect(done).toEqual([1, 2]);
  line.forget('s', 'p');
  timers.advance(1_000);
  expect(done).toEqual([1, 2]);
  line.close();
});

test('of two connections that are made at once both sides keep the same', () => {
  const nowMs = 100_000;
  const at = { nowMs, atOnceMs: 10_000 };
  // a and b dial each other; a is the lower one, so what a has dialled stays.
  const [byA, byB] = [
    { provider: 'b', isDialled: true },
    { provider: 'b', isDialled: false },
  ];
  expect(isReplacedBy({ ...byA, sinceMs: nowMs }, byB, { ...at, own: 'a' })).toBe(false);
  expect(isReplacedBy({ ...byB, sinceMs: nowMs }, byA, { ...at, own: 'a' })).toBe(true);
  const [fromA, toA] = [
    { provider: 'a', isDialled: false },
    { provider: 'a', isDialled: true },
  ];
  expect(isReplacedBy({ ...fromA, sinceMs: nowMs }, toA, { ...at, own: 'b' })).toBe(false);
  expect(isReplacedBy({ ...toA, sinceMs: nowMs }, fromA, { ...at, own: 'b' })).toBe(true);
  // Not at once: who dials knows of no other any more.
  expect(isReplacedBy({ ...byA, sinceMs: nowMs - 10_000 }, byB, { ...at, own: 'a' })).toBe(true);
});

test('what is said of pieces before the head is here is kept in one message', () => {
  const { connection: one } = connection();
  const peer = { provider: 'p', chain: [], role: 'receive', notAfterMs: 0, isDialled: true, connection: one } as const;
  const link = linkTo(peer, 0);
  expect(keepEarly(link, { type: 'have', piece: 1 })).toBe(false);
  expect(keepEarly(link, { type: 'pieces', count: 11, have: new Uint8Array(2) })).toBe(true);
  expect(keepEarly(link, { type: 'have', piece: 9 })).toBe(true);
  expect(link.early?.have).toEqual(new Uint8Array([0, 0x40]));
  expect(keepEarly(link, { type: 'have', piece: 11 })).toBe(false);
  expect(keepEarly(link, { type: 'request', piece: 1 })).toBe(false);
  expect(keepEarly(link, { type: 'done' })).toBe(true);
  expect(link.early?.have).toEqual(new Uint8Array([0xff, 0xe0]));
  expect(keepEarly(link, { type: 'pieces', count: 11, have: new Uint8Array(2) })).toBe(false);
});

test('a peer is dialled again after a second, then two, at last a minute; and at once less where it was of use', () => {
  const backOff = new BackOff(() => 1);
  const next = (failed: boolean): number => {
    backOff.ended('p', failed, 0);
    let ms = 0;
    while (!backOff.may('p', ms)) ms += 500;
    return ms;
  };
  expect(backOff.may('p', 0)).toBe(true);
  expect([next(true), next(true), next(true)]).toEqual([1_000, 2_000, 4_000]);
  for (let more = 0; more < 10; more += 1) next(true);
  expect(next(true)).toBe(60_000);
  expect(next(false)).toBe(1_000);
  // A clock that was set back makes it no longer.
  expect(backOff.may('p', -3_600_000)).toBe(true);
  backOff.keepOnly(new Set());
  expect(backOff.may('p', 0)).toBe(true);
});

test('who has dialled ends a connection of no use after 30 s, or 120 of silence; the other side after 300', () => {
  const over = (isDialled: boolean, isIdle: boolean, seconds: number): string | undefined =>
    whyOver(
      { isDialled, sinceMs: 0, connection: { heardMs: 1_000 } },
      { isIdle, nowMs: 1_000 + seconds * 1_000, limits: peerLimits },
    );
  expect([over(true, true, 29), over(true, true, 30)]).toEqual([undefined, 'neither side lacks anything']);
  expect([over(true, false, 119), over(true, false, 120)]).toEqual([undefined, 'nothing was heard of it for long']);
  expect([over(false, true, 299), over(false, true, 300)]).toEqual([undefined, 'nothing was heard of it for long']);
});

test('a message that comes byte by byte takes the memory of one message', () => {
  const reader = new MessageReader();
  const frame = encodeMessage(head(1_000_000));
  const gc = collector();
  gc();
  const before = process.memoryUsage();
  for (let at = 0; at < frame.length - 1; at += 1) reader.push(frame.subarray(at, at + 1));
  gc();
  const after = process.memoryUsage();
  expect(reader.waiting).toBe(frame.length - 1);
  expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(8_000_000);
  expect(reader.push(frame.subarray(-1))).toEqual([head(1_000_000)]);
});

test('so does the first message of a delivery', async () => {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < 500_000; at += 1) yield new Uint8Array(1);
    gc();
    after = process.memoryUsage();
  };
  const gc = collector();
  gc();
  const before = process.memoryUsage();
  let after = before;
  const reader = new BodyReader(chunks());
  await expect(reader.exactly(500_001)).rejects.toThrow('the delivery ended 1 bytes too early');
  expect(after).not.toBe(before);
  expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(8_000_000);
});

/** Collects garbage at once. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
