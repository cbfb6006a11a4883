import { expect, test } from '@jest/globals';
import { slowTimes, swarmLimits, swarmTimes } from '../../src/swarm/limits.ts';
import { done, Harness, said, saidOf } from './harness.ts';

const all = (count: number): number[] => Array.from({ length: count }, (_, piece) => piece);

test('a grant is used for the piece that the fewest peers have', () => {
  const swarm = new Harness(4, []);
  swarm.peer('a', 0, 1, 2, 3);
  swarm.peer('b', 0, 1, 3);
  swarm.peer('c', 0, 3);
  expect(said(swarm.grant('a'))).toEqual([{ type: 'request', piece: 2, to: 'a' }]);
  expect(said(swarm.grant('b'))).toEqual([{ type: 'request', piece: 1, to: 'b' }]);
});

test('among pieces equally rare chance decides', () => {
  const chosen = [0, 1, 2, 3].map((lucky) => {
    const swarm = new Harness(4, [], (end) => (end === lucky + 1 ? 0 : end - 1));
    swarm.peer('a', 0, 1, 2, 3);
    return saidOf(swarm.grant('a'), 'request')[0]?.piece;
  });
  expect(new Set(chosen).size).toBeGreaterThan(1);
});

test('what a peer has told since counts, and a peer that left does not', () => {
  const swarm = new Harness(3, []);
  swarm.peer('a', 0, 1, 2);
  swarm.peer('b', 0, 1);
  swarm.hear('b', { type: 'have', piece: 2 });
  swarm.peer('c', 0, 2);
  swarm.handle({ type: 'gone', peer: 'b' });
  expect(saidOf(swarm.grant('a'), 'request')).toMatchObject([{ piece: 1 }]);
});

test('a named grant is for that piece alone', () => {
  const swarm = new Harness(3, []);
  swarm.peer('a', 0, 1, 2);
  expect(saidOf(swarm.grant('a', 2), 'request')).toMatchObject([{ piece: 2 }]);
  expect(said(swarm.grant('a', 2))).toEqual([{ type: 'decline', piece: 2, busy: false, to: 'a' }]);
});

test('no piece is asked of two, and hands that are full decline', () => {
  const swarm = new Harness(9, []);
  for (const peer of ['a', 'b', 'c']) swarm.peer(peer, ...all(9));
  const asked = [...swarm.grant('a'), ...swarm.grant('b')].flatMap((one) => saidOf([one], 'request'));
  expect(new Set(asked.map(({ piece }) => piece)).size).toBe(swarmLimits.firstRequests);
  expect(said(swarm.grant('c'))).toEqual([{ type: 'decline', piece: undefined, busy: true, to: 'c' }]);
  // Who was declined hears when there is room again.
  expect(saidOf(swarm.take('a', asked[0]?.piece as number), 'want')).toMatchObject([{ to: 'c', starving: false }]);
});

test('a verified piece is written, and had only when it is on the disk', () => {
  const swarm = new Harness(2, []);
  swarm.peer('a', 0, 1);
  swarm.grant('a', 1);
  expect(swarm.machine.expects('a', 1)).toBe(true);
  expect(swarm.machine.expects('a', 0)).toBe(false);
  expect(done(swarm.arrive('a', 1))).toEqual([{ type: 'write', piece: 1 }]);
  expect(swarm.machine.has(1)).toBe(false);
  expect(said(swarm.handle({ type: 'written', piece: 1, ok: true }))).toContainEqual({
    ...{ type: 'have', piece: 1, to: 'a' },
  });
  expect(swarm.machine.has(1)).toBe(true);
});

test('a piece that could not be written is asked for again', () => {
  const swarm = new Harness(1, []);
  swarm.peer('a', 0);
  swarm.grant('a');
  swarm.arrive('a', 0);
  swarm.handle({ type: 'written', piece: 0, ok: false });
  expect(swarm.machine.had).toBe(0);
  expect(saidOf(swarm.grant('a'), 'request')).toMatchObject([{ piece: 0 }]);
});

test('a piece that was read past is asked for again, of nobody else whom it is asked of already', () => {
  const swarm = new Harness(1, []);
  for (const peer of ['a', 'b', 'c']) swarm.peer(peer, 0);
  swarm.grant('a');
  expect(said(swarm.handle({ type: 'passed', peer: 'a', piece: 0 }))).toEqual([]);
  expect(saidOf(swarm.grant('a'), 'request')).toMatchObject([{ piece: 0 }]);
  swarm.pass(swarmTimes.requestMs + 1);
  expect(saidOf(swarm.grant('b'), 'request')).toMatchObject([{ piece: 0 }]);
  expect(swarm.handle({ type: 'passed', peer: 'a', piece: 0 })).toEqual([]);
  expect(saidOf(swarm.grant('c'), 'decline')).toHaveLength(1);
  expect(done(swarm.arrive('b', 0))).toEqual([{ type: 'write', piece: 0 }]);
});

test('pieces that nobody asked for drop their sender though they are read past', () => {
  const swarm = new Harness(1, []);
  swarm.peer('a', 0);
  for (let sent = 0; sent < swarmLimits.unasked; sent += 1) {
    expect(swarm.handle({ type: 'passed', peer: 'a', piece: 0 })).toEqual([]);
  }
  const dropped = { type: 'drop', peer: 'a', reason: 'unasked', forGood: true };
  expect(done(swarm.handle({ type: 'passed', peer: 'a', piece: 0 }))).toEqual([dropped]);
});

test('all of it: done is told to everybody, once', () => {
  const swarm = new Harness(2, [0]);
  swarm.peer('a', 0, 1);
  swarm.peer('b');
  swarm.grant('a');
  const effects = swarm.take('a', 1);
  expect(saidOf(effects, 'done').map(({ to }) => to)).toEqual(['a', 'b']);
  expect(done(effects)).toContainEqual({ type: 'done' });
  expect(swarm.machine.isDone).toBe(true);
  expect(said(swarm.grant('a'))).toEqual([{ type: 'decline', piece: undefined, busy: false, to: 'a' }]);
});

test('without room nothing is asked for; who was declined hears when there is some; who needs nothing does not ask for room', () => {
  let [hasRoom, questions] = [false, 0];
  const swarm = new Harness(1, [], undefined, () => {
    questions += 1;
    return hasRoom;
  });
  swarm.peer('a', 0);
  swarm.peer('b');
  expect(said(swarm.grant('a'))).toEqual([{ type: 'decline', piece: undefined, busy: true, to: 'a' }]);
  hasRoom = true;
  expect(said(swarm.handle({ type: 'room' }))).toEqual([{ type: 'want', starving: false, to: 'a' }]);
  expect(said(swarm.grant('a'))).toEqual([{ type: 'request', piece: 0, to: 'a' }]);
  swarm.take('a', 0);
  hasRoom = false;
  const before = questions;
  expect(said(swarm.grant('a'))).toEqual([{ type: 'decline', piece: undefined, busy: false, to: 'a' }]);
  expect(questions).toBe(before);
});

test('it goes on with what is on the disk', () => {
  const swarm = new Harness(4, [0, 2]);
  swarm.peer('a', ...all(4));
  const first = saidOf(swarm.grant('a'), 'request')[0]?.piece;
  const second = saidOf(swarm.grant('a'), 'request')[0]?.piece;
  expect([first, second].sort()).toEqual([1, 3]);
});

test('end game: a piece that is owed for long is asked of others too, and taken back from them when it came', () => {
  const swarm = new Harness(1, []);
  for (const peer of ['a', 'b', 'c', 'd']) swarm.peer(peer, 0);
  swarm.grant('a');
  swarm.handle({ type: 'begun', peer: 'a', piece: 0 });
  expect(saidOf(swarm.grant('b'), 'decline')).toHaveLength(1);
  // Those that were declined hear of it.
  expect(saidOf(swarm.pass(swarmTimes.endGameMs + 1), 'want').map(({ to }) => to)).toEqual(['b']);
  expect(saidOf(swarm.grant('b'), 'request')).toHaveLength(1);
  swarm.pass(swarmTimes.endGameMs + 1);
  expect(saidOf(swarm.grant('c'), 'request')).toHaveLength(1);
  swarm.pass(swarmTimes.endGameMs + 1);
  // `copies` and no more.
  expect(saidOf(swarm.grant('d'), 'decline')).toHaveLength(1);
  const effects = swarm.arrive('b', 0);
  expect(saidOf(effects, 'cancel').map(({ to }) => to)).toEqual(['a', 'c']);
  swarm.handle({ type: 'written', piece: 0, ok: true });
  // The copy that was on its way already is no offence, and is not written again.
  expect(swarm.arrive('a', 0)).toEqual([]);
  expect(swarm.machine.peers).toBe(4);
});

test('end game: what waits behind others is moved to a peer that sends at once', () => {
  const swarm = new Harness(1, []);
  swarm.peer('a', 0);
  swarm.peer('b', 0);
  swarm.peer('c', 0);
  swarm.grant('a', undefined, false);
  expect(saidOf(swarm.grant('b', undefined, false), 'decline')).toHaveLength(1);
  expect(said(swarm.grant('c'))).toEqual([
    { type: 'cancel', piece: 0, to: 'a' },
    { type: 'request', piece: 0, to: 'c' },
  ]);
  // Not when it is on its way already.
  const other = new Harness(1, []);
  other.peer('a', 0);
  other.peer('b', 0);
  other.grant('a', undefined, false);
  other.handle({ type: 'begun', peer: 'a', piece: 0 });
  expect(saidOf(other.grant('b'), 'decline')).toHaveLength(1);
});

test('a request that takes too long goes to others; a peer that never gives is dropped', () => {
  const swarm = new Harness(8, []);
  swarm.peer('miser', ...all(8));
  swarm.peer('other', ...all(8));
  for (let time = 1; time <= swarmLimits.timeouts; time += 1) {
    const [request] = saidOf(swarm.grant('miser'), 'request');
    const effects = swarm.pass(swarmTimes.requestMs + 1);
    expect(saidOf(effects, 'cancel')).toMatchObject([{ to: 'miser', piece: request?.piece }]);
    const isLast = time === swarmLimits.timeouts;
    expect(done(effects)).toEqual(isLast ? [{ type: 'drop', peer: 'miser', reason: 'timeouts', forGood: false }] : []);
  }
  expect(swarm.machine.peers).toBe(1);
  expect(saidOf(swarm.grant('other'), 'request')).toHaveLength(1);
});

test('a piece in between makes up for timeouts', () => {
  const swarm = new Harness(8, []);
  swarm.peer('a', ...all(8));
  for (let round = 0; round < 2; round += 1) {
    for (let time = 1; time < swarmLimits.timeouts; time += 1) {
      swarm.grant('a');
      swarm.pass(swarmTimes.requestMs * slowTimes + 1);
    }
    const [request] = saidOf(swarm.grant('a'), 'request');
    swarm.take('a', request?.piece as number);
  }
  expect(swarm.machine.peers).toBe(1);
});

test('requests of a peer that vanishes go to others at once', () => {
  const swarm = new Harness(2, []);
  swarm.peer('a', 0, 1);
  swarm.peer('b', 0, 1);
  swarm.grant('a');
  swarm.grant('a');
  expect(saidOf(swarm.grant('b', undefined, false), 'decline')).toHaveLength(1);
  expect(saidOf(swarm.handle({ type: 'gone', peer: 'a' }), 'want').map(({ to }) => to)).toEqual(['b']);
  expect(saidOf(swarm.grant('b'), 'request')).toHaveLength(1);
});

test('a false piece: dropped for good, never marked as had, and asked of others', () => {
  const swarm = new Harness(1, []);
  swarm.peer('liar', 0);
  swarm.peer('b', 0);
  swarm.grant('liar');
  expect(done(swarm.arrive('liar', 0, false))).toEqual([
    { type: 'drop', peer: 'liar', reason: 'false-piece', forGood: true },
  ]);
  expect(swarm.machine.had).toBe(0);
  expect(swarm.handle({ type: 'came', peer: 'liar' })).toEqual([
    { type: 'drop', peer: 'liar', reason: 'banned', forGood: true },
  ]);
  expect(saidOf(swarm.grant('b'), 'request')).toHaveLength(1);
});

test('a refused piece is asked of others; one that is lost is not asked of that peer again', () => {
  const swarm = new Harness(1, []);
  swarm.peer('a', 0);
  swarm.grant('a');
  swarm.hear('a', { type: 'refuse', piece: 0, lost: false });
  expect(saidOf(swarm.grant('a'), 'request')).toHaveLength(1);
  swarm.hear('a', { type: 'refuse', piece: 0, lost: true });
  expect(saidOf(swarm.grant('a'), 'decline')).toHaveLength(1);
  swarm.hear('a', { type: 'have', piece: 0 });
  expect(saidOf(swarm.grant('a'), 'request')).toHaveLength(1);
});

test('pieces that nobody asked for are not written, and many of them drop the peer', () => {
  const swarm = new Harness(2, []);
  swarm.peer('a', 0, 1);
  for (let time = 0; time < swarmLimits.unasked; time += 1) expect(done(swarm.arrive('a', 0))).toEqual([]);
  expect(done(swarm.arrive('a', 0))).toEqual([{ type: 'drop', peer: 'a', reason: 'unasked', forGood: true }]);
  expect(swarm.machine.had).toBe(0);
});

test('no more is asked than may be in memory, in all and of one peer', () => {
  const swarm = new Harness(400, []);
  const peers = Array.from({ length: 20 }, (_, at) => `${at}`);
  for (const peer of peers) swarm.peer(peer, ...all(400));
  // Pieces that come at once widen the window as far as it goes.
  for (let round = 0; round < 100; round += 1) {
    const [request] = saidOf(swarm.grant(peers[round % 20] as string), 'request');
    swarm.take(request?.to as string, request?.piece as number);
  }
  const asked = peers.flatMap((peer) => [1, 2, 3, 4, 5, 6].flatMap(() => saidOf(swarm.grant(peer), 'request')));
  expect(asked).toHaveLength(swarmLimits.requests);
  expect(asked.filter(({ to }) => to === '0')).toHaveLength(swarmLimits.requestsPerPeer);
  // Late requests make room in the window, not in memory.
  swarm.pass(swarmTimes.endGameMs + 1);
  expect(saidOf(swarm.grant('19'), 'request')).toEqual([]);
  // Neither does a piece that has come, before it is written.
  const [{ to, piece }] = asked as [(typeof asked)[0]];
  swarm.arrive(to, piece);
  expect(saidOf(swarm.grant('19'), 'request')).toEqual([]);
  swarm.handle({ type: 'written', piece, ok: true });
  expect(saidOf(swarm.grant('19'), 'request')).toHaveLength(1);
});

test('who gets nothing for long says so', () => {
  const swarm = new Harness(2, []);
  swarm.peer('a', 0, 1);
  expect(said(swarm.pass(1))).toEqual([]);
  expect(saidOf(swarm.pass(swarmTimes.starvedMs), 'want')).toEqual([{ type: 'want', starving: true, to: 'a' }]);
});
