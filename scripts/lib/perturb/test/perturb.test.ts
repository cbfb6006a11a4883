import { describe, expect, test } from '@jest/globals';
import type { BlockMeta } from '../../localnet/rpc.ts';
import { heightBoundMs, heightTimes } from '../bound.ts';
import { kinds, planSteps } from '../kinds.ts';
import { seeded } from '../random.ts';
import { checkTransactions, compareMetas, type NodeAccounts } from '../verify.ts';

const timeouts = { proposeMs: 1500, voteMs: 500, deltaMs: 500, commitMs: 1000 };

const block = (height: number, timeMs: number, other: Partial<BlockMeta> = {}): BlockMeta => ({
  height,
  timeMs,
  hash: `hash ${height}`,
  appHash: `app ${height}`,
  lastResultsHash: 'results',
  dataHash: 'data',
  txCount: 0,
  ...other,
});

describe('the plan', () => {
  test('is the same for the same seed, and another one for another', () => {
    expect(planSteps(seeded(7), 50, 4)).toEqual(planSteps(seeded(7), 50, 4));
    expect(planSteps(seeded(7), 50, 4)).not.toEqual(planSteps(seeded(8), 50, 4));
  });

  test('never takes its blocks from the first node, where the others find them', () => {
    const steps = planSteps(seeded(3), 200, 4, ['wipe', 'state-sync', 'restart']);
    const victims = (kind: string) => new Set(steps.filter((step) => step.kind === kind).map(({ victim }) => victim));
    expect(victims('wipe')).toEqual(new Set([1, 2, 3]));
    expect(victims('state-sync')).toEqual(new Set([1, 2, 3]));
    expect(victims('restart')).toEqual(new Set([0, 1, 2, 3]));
  });

  test('has each kind once before one comes twice, and reaches every node', () => {
    const steps = planSteps(seeded(1), kinds.length * 5, 4);
    for (let at = 0; at < steps.length; at += kinds.length) {
      expect(
        steps
          .slice(at, at + kinds.length)
          .map(({ kind }) => kind)
          .sort(),
      ).toEqual([...kinds].sort());
    }
    expect(new Set(steps.map(({ victim }) => victim))).toEqual(new Set([0, 1, 2, 3]));
  });
});

describe('the time of a height', () => {
  test('is bounded by the timeouts of two rounds, the pause after a block and what a small machine needs', () => {
    expect(heightBoundMs(timeouts)).toBe(1000 + (1500 + 1000) + (1500 + 1000 + 1500) + 5000);
  });

  test('is the time between two blocks; a standstill of all is allowed to the height that it fell into', () => {
    const metas = [block(1, 0), block(2, 50_000), block(3, 51_000), block(4, 91_000), block(5, 92_000)];
    const times = heightTimes(metas, timeouts, [{ fromMs: 60_000, toMs: 70_000 }]);
    const bound = heightBoundMs(timeouts);
    // The first block has the time of the genesis: what lies between it and the second says nothing.
    expect(times.map(({ height, tookMs }) => [height, tookMs])).toEqual([
      [3, 1000],
      [4, 40_000],
      [5, 1000],
    ]);
    expect(times.map(({ allowedMs }) => allowedMs)).toEqual([bound, bound + 10_000 + 11_000, bound]);
  });
});

describe('the chains of two nodes', () => {
  const chain = [block(1, 0), block(2, 1), block(3, 2)];

  test('are the same, also where one begins later', () => {
    expect(() => compareMetas('node1', chain, chain)).not.toThrow();
    expect(() => compareMetas('node1', chain.slice(1), chain)).not.toThrow();
  });

  test.each(['appHash', 'hash', 'lastResultsHash', 'dataHash'] as const)('differ by %s', (field) => {
    const other = [block(1, 0), block(2, 1, { [field]: 'another' }), block(3, 2)];
    expect(() => compareMetas('node1', other, chain)).toThrow(`node1 differs at height 2: its ${field} is another`);
  });

  test('differ when one has a block that the other lacks', () => {
    expect(() => compareMetas('node1', chain, chain.slice(0, 2))).toThrow('node1 differs at height 3');
  });
});

describe('the transactions', () => {
  const load = { sent: new Set(['A', 'B', 'C', 'D']), seen: new Map([['one', 1n]]) };
  const node = (one: bigint, two: bigint, received = one + two): NodeAccounts => ({
    name: 'node2',
    sequences: new Map([
      ['one', one],
      ['two', two],
    ]),
    received,
  });

  test('are right when each was sent, is there once, and every node counts all of them', () => {
    expect(() => checkTransactions(['A', 'B', 'C'], load, [node(2n, 1n), node(2n, 1n)])).not.toThrow();
  });

  test('are wrong in each way in which they can be', () => {
    const all = ['A', 'B', 'C'];
    expect(() => checkTransactions([...all, 'A'], load, [])).toThrow('1 transactions are on the chain twice');
    expect(() => checkTransactions([...all, 'X'], load, [])).toThrow(
      'transaction X is on the chain, and nobody sent it',
    );
    expect(() => checkTransactions(all, load, [node(0n, 3n)])).toThrow(
      'node2 has sequence 0 for one, but 1 was committed',
    );
    expect(() => checkTransactions(all, load, [node(2n, 1n), node(1n, 1n)])).toThrow('have sent 2 transactions, 3 are');
    expect(() => checkTransactions(all, load, [node(2n, 1n, 2n)])).toThrow('2 umu have arrived by 3 sends');
  });
});
