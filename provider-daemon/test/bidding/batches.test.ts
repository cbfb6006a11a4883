import { describe, expect, test } from '@jest/globals';
import type { CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { inBatches, maxBatchBytes, maxBatchMessages, post, type Sendable } from '../../src/bidding/batches.ts';

interface Item extends Sendable {
  readonly name: number;
}
const item = (name: number, bytes = 100): Item => ({ name, bytes, message: { typeUrl: '/x', value: name } });
const items = (count: number): Item[] => Array.from({ length: count }, (_none, at) => item(at));

describe('batches', () => {
  test('keep the order, and have at most so many messages', () => {
    const batches = inBatches(items(2 * maxBatchMessages + 1));
    expect(batches.map(({ length }) => length)).toEqual([maxBatchMessages, maxBatchMessages, 1]);
    expect(batches.flat().map(({ name }) => name)).toEqual(items(2 * maxBatchMessages + 1).map(({ name }) => name));
    expect(inBatches([])).toEqual([]);
  });

  test('have at most so many bytes; what is larger goes alone', () => {
    const half = maxBatchBytes / 2;
    const batches = inBatches([item(0, half), item(1, half), item(2, 1), item(3, maxBatchBytes + 1), item(4, 1)]);
    expect(batches.map((batch) => batch.map(({ name }) => name))).toEqual([[0, 1], [2], [3], [4]]);
  });
});

describe('sending a batch', () => {
  /** @param bad fail the simulation @param late fail in the first block that they are in, and simulations after it */
  async function sendAll(
    count: number,
    { bad = [] as number[], late = [] as number[], whole = undefined as Error | undefined },
  ) {
    const done: number[] = [];
    const failed: [number[], unknown][] = [];
    const known = new Set(bad);
    let transactions = 0;
    let simulations = 0;
    await post(items(count), {
      send(messages) {
        simulations += 1;
        if (whole !== undefined) return Promise.reject(whole);
        const names = messages.map(({ value }) => value as number);
        const wrong = names.find((name) => known.has(name));
        if (wrong !== undefined) return Promise.reject(new ChainError('no', { codespace: 'market', code: 3 }));
        transactions += 1;
        const fails = names.filter((name) => late.includes(name));
        for (const name of fails) known.add(name);
        const failure = new ChainError('late', { codespace: 'market', code: 4, hash: 'AB' });
        const committed = () =>
          fails.length > 0 ? Promise.reject(failure) : Promise.resolve({ height: 9 } as CommittedTx);
        return Promise.resolve({ hash: 'AB', committed });
      },
      onDone: (some) => done.push(...some.map(({ name }) => name)),
      onFailed: (some, error) => failed.push([some.map(({ name }) => name), error]),
    });
    return { done, failed, transactions, simulations };
  }

  test('takes one transaction where all are right', async () => {
    const { done, failed, transactions, simulations } = await sendAll(64, {});
    expect([done.length, failed, transactions, simulations]).toEqual([64, [], 1, 1]);
  });

  test('loses only those that would fail, found by simulation alone', async () => {
    const { done, failed, simulations } = await sendAll(64, { bad: [0, 31, 63] });
    expect(done).toEqual(items(64).flatMap(({ name }) => ([0, 31, 63].includes(name) ? [] : [name])));
    expect(failed.map(([names]) => names)).toEqual([[0], [31], [63]]);
    expect(failed[0]?.[1]).toMatchObject({ codespace: 'market', code: 3 });
    expect(simulations).toBeLessThan(3 * 2 * 6 + 3);
  });

  test('loses only those that fail in the block', async () => {
    const { done, failed, transactions } = await sendAll(16, { late: [5] });
    expect(done).toHaveLength(15);
    expect(failed.map(([names]) => names)).toEqual([[5]]);
    expect(transactions).toBeLessThanOrEqual(1 + 4);
  });

  test('does not try parts of it where the trouble is not a message’s', async () => {
    const troubles = [
      new Error('fetch failed'),
      new ChainError('fees', { codespace: 'sdk', code: 13 }),
      new ChainError('sequence', { codespace: 'sdk', code: 32 }),
      new ChainError('lost', { codespace: 'sdk', code: 30 }),
      new ChainError('no such account', { code: 9, notFound: true }),
    ];
    for (const whole of troubles) {
      const { failed, simulations } = await sendAll(8, { whole });
      expect(failed).toEqual([[items(8).map(({ name }) => name), whole]]);
      expect(simulations).toBe(1);
    }
  });
});
