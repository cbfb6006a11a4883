import { describe, expect, test } from '@jest/globals';
import { swarmLimits, swarmTimes } from '../../src/swarm/limits.ts';
import type { SwarmMessage } from '../../src/swarm/messages.ts';
import { bits, done, Harness, said } from './harness.ts';

test('a peer that comes is told what is here', () => {
  const swarm = new Harness(9, [0, 8]);
  expect(said(swarm.handle({ type: 'came', peer: 'a' }))).toEqual([
    { type: 'pieces', count: 9, have: Uint8Array.from([0x80, 0x80]), to: 'a' },
  ]);
});

describe('dropped for good at once:', () => {
  const wrong: readonly (readonly [string, SwarmMessage])[] = [
    ['a piece that there is not, had', { type: 'have', piece: 9 }],
    ['a piece that there is not, asked for', { type: 'request', piece: 9 }],
    ['a piece that there is not, granted', { type: 'grant', piece: 2 ** 32 - 1, now: true }],
    ['a piece that there is not, refused', { type: 'refuse', piece: 9, lost: false }],
    ['a piece that there is not, taken back', { type: 'cancel', piece: 9 }],
    ['a piece that there is not, declined', { type: 'decline', piece: 9, busy: true }],
    ['its pieces a second time', { type: 'pieces', count: 9, have: bits(9).toBytes() }],
  ];
  test.each(wrong)('%s', (_, message) => {
    const swarm = new Harness(9, [0]);
    swarm.peer('a');
    expect(done(swarm.hear('a', message))).toEqual([{ type: 'drop', peer: 'a', reason: 'bad-message', forGood: true }]);
    expect(swarm.machine.peers).toBe(0);
    expect(swarm.hear('a', { type: 'have', piece: 0 })).toEqual([]);
  });

  const introductions: readonly (readonly [string, SwarmMessage])[] = [
    ['another number of pieces', { type: 'pieces', count: 10, have: bits(10).toBytes() }],
    ['bits of another length', { type: 'pieces', count: 9, have: new Uint8Array(3) }],
    ['spare bits that are set', { type: 'pieces', count: 9, have: Uint8Array.from([0, 1]) }],
    ['anything else before its pieces', { type: 'have', piece: 0 }],
  ];
  test.each(introductions)('%s', (_, message) => {
    const swarm = new Harness(9, [0]);
    swarm.handle({ type: 'came', peer: 'a' });
    expect(done(swarm.hear('a', message))).toMatchObject([{ type: 'drop', reason: 'bad-message' }]);
  });
});

test('one peer more than may be is dropped, and may come again', () => {
  const swarm = new Harness(1, []);
  for (let at = 0; at < swarmLimits.peers; at += 1) swarm.peer(`${at}`);
  const drop = { type: 'drop', peer: 'more', reason: 'too-many-peers', forGood: false };
  expect(swarm.handle({ type: 'came', peer: 'more' })).toEqual([drop]);
  swarm.handle({ type: 'gone', peer: '0' });
  expect(said(swarm.handle({ type: 'came', peer: 'more' }))).toMatchObject([{ type: 'pieces' }]);
  expect(swarm.machine.peers).toBe(swarmLimits.peers);
});

test('a peer that comes again has a new connection: what was before is forgotten', () => {
  const swarm = new Harness(2, []);
  swarm.peer('a', 0, 1);
  swarm.grant('a');
  swarm.peer('a', 0, 1);
  expect(swarm.machine.peers).toBe(1);
  expect(swarm.machine.expects('a', 0) || swarm.machine.expects('a', 1)).toBe(false);
});

test('so many are banned at most, and the first of them is forgotten', () => {
  const swarm = new Harness(1, []);
  for (let at = 0; at <= swarmLimits.banned; at += 1) {
    swarm.handle({ type: 'came', peer: `${at}` });
    swarm.hear(`${at}`, { type: 'have', piece: 9 });
  }
  expect(done(swarm.handle({ type: 'came', peer: '1' }))).toMatchObject([{ reason: 'banned' }]);
  expect(done(swarm.handle({ type: 'came', peer: '0' }))).toEqual([]);
});

test('what is said by or of peers that are not there is no matter', () => {
  const swarm = new Harness(1, [0]);
  for (const effects of [
    swarm.arrive('ghost', 0, false),
    swarm.sent('ghost', 0),
    swarm.request('ghost', 0),
    swarm.handle({ type: 'gone', peer: 'ghost' }),
    swarm.handle({ type: 'written', piece: 0, ok: true }),
  ]) {
    expect(effects).toEqual([]);
  }
});

test('more messages than anybody needs drop the peer; as many in each tick do not', () => {
  const swarm = new Harness(1, []);
  swarm.peer('a');
  for (let tick = 0; tick < 3; tick += 1) {
    swarm.pass(swarmTimes.tickMs);
    for (let time = 0; time < swarmLimits.messages; time += 1) swarm.hear('a', { type: 'have', piece: 0 });
  }
  expect(swarm.machine.peers).toBe(1);
  const drop = { type: 'drop', peer: 'a', reason: 'flood', forGood: true };
  expect(done(swarm.hear('a', { type: 'have', piece: 0 }))).toEqual([drop]);
});
