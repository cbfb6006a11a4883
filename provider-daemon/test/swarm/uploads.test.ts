import { describe, expect, test } from '@jest/globals';
import { swarmLimits, swarmTimes } from '../../src/swarm/limits.ts';
import { done, Harness, saidOf } from './harness.ts';

const all = (count: number): number[] => Array.from({ length: count }, (_, piece) => piece);

/** Uses every grant for its piece, sends what is to be sent, and goes on until `pieces` were sent. */
function serve(swarm: Harness, pieces: number): { peer: string; piece: number }[] {
  const sent: { peer: string; piece: number }[] = [];
  for (let rounds = 0; sent.length < pieces && rounds < 10 * pieces; rounds += 1) {
    const work = swarm.takeLog();
    for (const { to, piece } of saidOf(work, 'grant')) if (piece !== undefined) swarm.request(to, piece);
    for (const effect of work) {
      if (effect.type !== 'send-piece') continue;
      sent.push(effect);
      swarm.sent(effect.peer, effect.piece);
    }
    if (work.length === 0) swarm.pass(swarmTimes.tickMs);
  }
  return sent;
}

test('a holder grants; a request that uses the grant is sent', () => {
  const swarm = new Harness(2, [0, 1]);
  const [grant] = saidOf(swarm.peer('a'), 'grant');
  expect(grant).toMatchObject({ to: 'a', now: true });
  expect(done(swarm.request('a', grant?.piece as number))).toEqual([
    { type: 'send-piece', peer: 'a', piece: grant?.piece },
  ]);
});

test('a first holder gives each piece once before it gives any twice, and to peers in turn', () => {
  const swarm = new Harness(12, all(12));
  for (const peer of ['a', 'b', 'c']) swarm.peer(peer);
  const sent = serve(swarm, 12);
  expect(sent.map(({ piece }) => piece).sort((x, y) => x - y)).toEqual(all(12));
  for (const peer of ['a', 'b', 'c']) expect(sent.filter((one) => one.peer === peer)).toHaveLength(4);
});

test('what others have already is not named', () => {
  const swarm = new Harness(4, all(4));
  swarm.peer('a', 0, 1, 3);
  const effects = swarm.peer('b');
  expect(saidOf(effects, 'grant').every(({ piece }) => piece === 2 || piece === undefined)).toBe(true);
});

test('a piece that was given to a peer that vanished is given to another before anything is given twice', () => {
  const swarm = new Harness(3, all(3));
  swarm.peer('a');
  const [first] = serve(swarm, 1);
  swarm.handle({ type: 'gone', peer: 'a' });
  swarm.peer('b');
  const pieces = serve(swarm, 3).map(({ piece }) => piece);
  expect(pieces).toContain(first?.piece);
  expect(new Set(pieces).size).toBe(3);
});

test('one piece at a time, as long as that fills the line', () => {
  const swarm = new Harness(8, all(8));
  const grants = [...saidOf(swarm.peer('a'), 'grant'), ...saidOf(swarm.peer('b'), 'grant')];
  expect(grants).toHaveLength(1);
  swarm.request(grants[0]?.to as string, grants[0]?.piece as number);
  expect(saidOf(swarm.pass(100), 'grant')).toEqual([]);
});

test('a piece that takes much longer than usual does not hold up the others', () => {
  const swarm = new Harness(8, all(8));
  const [first] = saidOf([...swarm.peer('a'), ...swarm.peer('b')], 'grant');
  swarm.request('a', first?.piece as number);
  swarm.nowMs += 100;
  const [second] = saidOf(swarm.sent('a', first?.piece as number), 'grant');
  swarm.request(second?.to as string, second?.piece as number);
  expect(saidOf(swarm.pass(100), 'grant')).toEqual([]);
  expect(saidOf(swarm.pass(100), 'grant')).toHaveLength(1);
});

test('never more pieces side by side than may be', () => {
  const swarm = new Harness(400, all(400));
  for (let at = 0; at < 20; at += 1) swarm.peer(`${at}`);
  // The first pieces pass at once, all later ones get stuck.
  serve(swarm, 100);
  let sending = 0;
  for (let round = 0; round < 200; round += 1) {
    swarm.pass(10);
    const work = swarm.takeLog();
    for (const { to, piece } of saidOf(work, 'grant')) if (piece !== undefined) swarm.request(to, piece);
    sending += work.filter(({ type }) => type === 'send-piece').length;
  }
  expect(sending).toBe(swarmLimits.uploads);
});

test('no more grants ahead than may be', () => {
  const swarm = new Harness(400, all(400));
  for (let at = 0; at < 20; at += 1) swarm.peer(`${at}`);
  // The line stands still between any two pieces, and none hinders another.
  for (let round = 0; round < 100; round += 1) {
    const [grant] = saidOf(swarm.pass(swarmTimes.grantMs + 1), 'grant');
    const [to, piece] = [grant?.to as string, grant?.piece as number];
    swarm.request(to, piece);
    swarm.sent(to, piece);
  }
  const grants = saidOf(swarm.pass(swarmTimes.grantMs + 1), 'grant');
  expect(grants).toHaveLength(swarmLimits.uploads + swarmLimits.ahead);
});

test('grants that are declined or not used go to others', () => {
  const swarm = new Harness(1, [0]);
  const [first] = saidOf(swarm.peer('a'), 'grant');
  swarm.peer('b');
  expect(first).toMatchObject({ to: 'a', piece: 0 });
  const effects = swarm.hear('a', { type: 'decline', piece: 0, busy: false });
  expect(saidOf(effects, 'grant')).toMatchObject([{ to: 'b', piece: 0 }]);
  expect(saidOf(swarm.pass(swarmTimes.grantMs + 1), 'grant')).toMatchObject([{ to: 'a' }]);
});

test('who declined with full hands is granted again after a while, or when it wants', () => {
  const swarm = new Harness(2, [0, 1]);
  const [grant] = saidOf(swarm.peer('a'), 'grant');
  expect(saidOf(swarm.hear('a', { type: 'decline', piece: grant?.piece, busy: true }), 'grant')).toEqual([]);
  expect(saidOf(swarm.hear('a', { type: 'want', starving: false }), 'grant')).toHaveLength(1);
  swarm.hear('a', { type: 'decline', piece: grant?.piece, busy: true });
  expect(saidOf(swarm.pass(swarmTimes.busyMs - 1), 'grant')).toEqual([]);
  expect(saidOf(swarm.pass(1), 'grant')).toHaveLength(1);
});

test('a new piece is granted at once to who needed nothing before', () => {
  const swarm = new Harness(3, [0]);
  swarm.peer('a', 0, 1);
  swarm.peer('b');
  for (const { to, piece } of saidOf(swarm.takeLog(), 'grant')) swarm.hear(to, { type: 'decline', piece, busy: false });
  expect(saidOf(swarm.pass(1), 'grant')).toEqual([]);
  swarm.grant('a');
  expect(saidOf(swarm.take('a', 1), 'grant')).toMatchObject([{ to: 'b' }]);
});

test('a request without a grant is refused, and many drop the peer', () => {
  const swarm = new Harness(2, [0]);
  swarm.peer('a', 0);
  for (let time = 0; time < swarmLimits.unasked; time += 1) {
    expect(saidOf(swarm.request('a', 1), 'refuse')).toEqual([{ type: 'refuse', piece: 1, lost: true, to: 'a' }]);
  }
  expect(done(swarm.request('a', 1))).toEqual([{ type: 'drop', peer: 'a', reason: 'unasked', forGood: true }]);
});

test('a piece asked for again and again drops the peer', () => {
  const swarm = new Harness(1, [0]);
  swarm.peer('a');
  let dropped: unknown;
  for (let time = 0; time <= swarmLimits.repeats + 1; time += 1) {
    expect(dropped).toBeUndefined();
    const effects = [...swarm.pass(swarmTimes.grantMs + 1), ...swarm.request('a', 0)];
    dropped = effects.find(({ type }) => type === 'drop');
    swarm.sent('a', 0);
  }
  expect(dropped).toEqual({ type: 'drop', peer: 'a', reason: 'repeats', forGood: false });
});

test('a piece that is on its way is not sent a second time beside the first', () => {
  const swarm = new Harness(4, all(4));
  swarm.peer('b', ...all(4));
  swarm.peer('a');
  swarm.request('a', 0);
  swarm.nowMs += 100;
  expect(saidOf(swarm.sent('a', 0), 'grant')).toMatchObject([{ to: 'a', piece: undefined }]);
  expect(done(swarm.request('a', 1))).toHaveLength(1);
  // It takes longer than the first one, so that there is a grant beside it.
  expect(saidOf(swarm.pass(200), 'grant')).toHaveLength(1);
  const effects = swarm.request('a', 1);
  expect(done(effects)).toEqual([]);
  expect(saidOf(effects, 'refuse')).toEqual([]);
});

test('what is taken back before it was sent is not sent', () => {
  const swarm = new Harness(80, all(80));
  swarm.peer('a');
  swarm.peer('b');
  // Until grants are made ahead.
  serve(swarm, 24);
  swarm.takeLog();
  const grants = saidOf(swarm.pass(swarmTimes.grantMs + 1), 'grant');
  const at = grants.findIndex(({ now }) => !now);
  expect(at).toBeGreaterThan(0);
  for (const { to, piece } of grants.slice(0, at)) swarm.request(to, piece as number);
  const { to, piece } = grants[at] as (typeof grants)[0];
  expect(done(swarm.request(to, piece as number))).toEqual([]);
  swarm.hear(to, { type: 'cancel', piece: piece as number });
  const [first] = grants as [(typeof grants)[0]];
  expect(done(swarm.sent(first.to, first.piece as number))).toEqual([]);
});

test('a piece that cannot be read is refused, and asked of others', () => {
  const swarm = new Harness(1, [0]);
  const [grant] = saidOf(swarm.peer('a'), 'grant');
  swarm.request('a', grant?.piece as number);
  expect(saidOf(swarm.sent('a', 0, false), 'refuse')).toEqual([{ type: 'refuse', piece: 0, lost: true, to: 'a' }]);
  expect(swarm.machine.isDone).toBe(false);
  swarm.peer('b', 0);
  expect(saidOf(swarm.grant('b'), 'request')).toHaveLength(1);
});

describe('a first holder leaves the others to one another', () => {
  /** Two peers that have everything between them never tell, so that only the holder could give. */
  function spent(): Harness {
    const swarm = new Harness(40, all(40));
    for (const peer of ['a', 'b', 'c', 'd']) swarm.peer(peer);
    serve(swarm, 40);
    for (let round = 0; round < 400; round += 1) {
      for (const { to, piece } of saidOf(swarm.pass(swarmTimes.tickMs), 'grant')) {
        const any = (round * 7) % 40;
        for (const effect of swarm.request(to, piece ?? any)) {
          if (effect.type === 'send-piece') swarm.sent(effect.peer, effect.piece);
        }
      }
    }
    return swarm;
  }

  test('after its copies nothing is granted, but to one that starves', () => {
    const swarm = spent();
    swarm.peer('late', 0);
    expect(saidOf(swarm.pass(swarmTimes.nothingMs + 1), 'grant')).toEqual([]);
    expect(saidOf(swarm.hear('late', { type: 'want', starving: false }), 'grant')).toEqual([]);
    const grants = saidOf(swarm.hear('late', { type: 'want', starving: true }), 'grant');
    expect(new Set(grants.map(({ to }) => to))).toEqual(new Set(['late']));
  });
});
