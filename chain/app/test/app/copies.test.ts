/** Copies of a chain: other nodes fed the same blocks, nodes that start again, and chains that begin from an export. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { muStoreNames } from '../../src/mu-app.ts';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { actors, Market, marketGenesis } from './market.ts';
import { MuChain } from './mu-chain.ts';
import { tell } from './story.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-app-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const openStore = (): LmdbCommitStore => new LmdbCommitStore(folder, muStoreNames);

describe('nodes that are fed the blocks of a story', () => {
  test('have its hashes and results, in memory', async () => {
    const told = await Market.begin();
    await tell(told);
    const copy = MuChain.begin(marketGenesis(await actors()));
    for (const { height, txs, results, injected, appHash } of told.chain.blocks) {
      const done = copy.feed({ height, txs }, results.length);
      expect(done).toEqual({ height, txs, results, injected, appHash });
    }
    expect(copy.app.exportState()).toEqual(told.chain.app.exportState());
  });

  test('have its hashes from a folder too, started anew after every few blocks', async () => {
    const told = await Market.begin();
    await tell(told);
    let store = openStore();
    let copy = MuChain.begin(marketGenesis(await actors()), store);
    for (const { height, txs, appHash } of told.chain.blocks) {
      expect([height, copy.feed({ height, txs }).appHash]).toEqual([height, appHash]);
      if (height % 7n !== 1n) continue;
      await store.close();
      store = openStore();
      copy = MuChain.resume(store);
      expect(copy.height).toBe(height);
      expect(Buffer.from(copy.app.info().lastBlockAppHash).toString('hex')).toBe(appHash);
    }
    expect(copy.app.exportState()).toEqual(told.chain.app.exportState());
    await store.close();
  }, 60_000);

  test('have other hashes after one other transaction', async () => {
    const [one, other] = [await Market.begin(), await Market.begin()];
    for (const market of [one, other]) await market.register();
    const before = one.chain.blocks.at(-1)?.appHash;
    expect(other.chain.blocks.at(-1)?.appHash).toBe(before);
    await one.deploy(1n);
    await other.deploy(2n);
    expect(other.chain.blocks.at(-1)?.appHash).not.toBe(one.chain.blocks.at(-1)?.appHash);
  });
});

describe('a chain that begins from an export', () => {
  /** Brings a market to a stage from the one before. */
  const stages: readonly [string, (market: Market) => Promise<unknown>][] = [
    ['with providers', (market) => market.register()],
    ['with an order', (market) => market.deploy(1n, { persist: true })],
    ['with bids', (market) => market.bid(market.who.cheap, 1n, '9.25')],
    ['with a lease', (market) => market.chain.to(8n)],
    ['with a bill', (market) => market.confirm(1n, market.who.cheap)],
    ['with a broken lease and its next round', (market) => market.chain.to(45n)],
    ['with an escrow that closes', (market) => market.cancel(1n)],
    ['with all settled', (market) => market.chain.to(70n)],
  ];

  test.each(stages.map(([name], at) => [name, at] as const))(
    '%s has the same state, and goes on alike',
    async (_, at) => {
      const market = await Market.begin();
      for (const [, step] of stages.slice(0, at + 1)) await step(market);
      const exported = market.chain.app.exportState();
      const copy = MuChain.begin(exported, undefined, market.chain.height + 1n);
      expect(copy.app.exportState()).toEqual(exported);
      const [next] = stages.slice(at + 1);
      if (next === undefined) return;
      const other = new Market(copy, market.who);
      await next[1](market);
      await next[1](other);
      expect(copy.height).toBe(market.chain.height);
      expect(copy.app.exportState()).toEqual(market.chain.app.exportState());
    },
  );
});
