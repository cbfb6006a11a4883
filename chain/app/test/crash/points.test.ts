/** A crash at every point between writes: the process is killed there, and the files must hold the state of some block. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { toBase64, toHex } from '@mu/lib/bytes';
import { muStoreNames } from '../../src/mu-app.ts';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { actors, Market, marketGenesis } from '../app/market.ts';
import { tell } from '../app/story.ts';

/** By hand: MU_CRASHES=1000 npm run unit -- --testPathPatterns crash; the number is the seed of where it happens. */
const crashes = Number(process.env['MU_CRASHES'] ?? 12);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-crash-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** @param point at which point between writes the process dies, from 1; 0: never. @returns whether it came to its end */
async function feed(state: string, blocks: string, point: number): Promise<boolean> {
  const victim = join(import.meta.dirname, 'victim.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', victim, state, blocks, `${point}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { promise, resolve } = Promise.withResolvers<[number | null, NodeJS.Signals | null]>();
  child.once('exit', (code, signal) => resolve([code, signal]));
  const [code, signal] = await promise;
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the victim ended by itself with code ${code}`);
  return code === 0;
}

test(`after each of ${crashes} crashes the files hold a block as it was, and the chain goes on to the same hashes`, async () => {
  const told = await Market.begin();
  await tell(told);
  const { blocks } = told.chain;
  const file = join(folder, 'blocks.json');
  const fed = blocks.map(({ height, txs }) => ({ height: Number(height), txs: txs.map(toBase64) }));
  writeFileSync(file, JSON.stringify({ genesis: marketGenesis(await actors()), blocks: fed }));
  const hashes = new Map(blocks.map(({ height, appHash }) => [height, appHash]));
  const state = join(folder, 'state');
  let reached = 0n;
  for (let crash = 0; crash < crashes; crash += 1) {
    // The first ones fall into genesis, the later ones anywhere in the next blocks.
    const ended = await feed(state, file, 1 + ((crash * 7) % 23));
    const store = new LmdbCommitStore(state, muStoreNames);
    const { height, appHash } = store.last;
    expect(height).toBeGreaterThanOrEqual(reached);
    if (height > 0n) expect([height, toHex(appHash)]).toEqual([height, hashes.get(height)]);
    await store.close();
    reached = height;
    if (ended) {
      rmSync(state, { recursive: true });
      reached = 0n;
    }
  }
  expect(await feed(state, file, 0)).toBe(true);
  const store = new LmdbCommitStore(state, muStoreNames, { pruning: { keepRecent: 2, interval: 10 } });
  const last = blocks.at(-1);
  expect([store.last.height, toHex(store.last.appHash)]).toEqual([last?.height, last?.appHash]);
  await store.prune();
  const reachable = new Set<number>();
  for (let height = BigInt(store.oldest); height <= store.last.height; height += 1n) {
    for (const { nodes } of store.nodes(height)) for (const { id } of nodes) reachable.add(id);
  }
  // No node is lost, and none is left behind.
  expect(store.figures.nodes).toBe(reachable.size);
  await store.close();
}, 1_000_000);
