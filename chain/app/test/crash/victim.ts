/**
 * A process that feeds a node the blocks of a file and kills itself (SIGKILL) at the nth point between writes.
 * Usage: node victim.ts STATE BLOCKS POINT
 */
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { fromBase64 } from '@mu/lib/bytes';
import { RequestFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import { createMuApp, muStoreNames } from '../../src/mu-app.ts';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { chainId, genesisSeconds, initChainRequest } from '../app/mu-chain.ts';

const [state = '', blocksFile = '', point = '0'] = process.argv.slice(2);
const { genesis, blocks } = JSON.parse(readFileSync(blocksFile, 'utf8')) as {
  genesis: object;
  blocks: { height: number; txs: string[] }[];
};
let left = Number(point);
const step = (): void => {
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
};
const store = new LmdbCommitStore(state, muStoreNames, { pruning: { keepRecent: 2, interval: 10 }, onStep: step });
const app = createMuApp({ store });
if (app.info().lastBlockHeight === 0n) {
  app.initChain(initChainRequest(genesis));
  step();
}
for (const { height, txs } of blocks) {
  if (BigInt(height) <= app.info().lastBlockHeight) continue;
  const time = { seconds: genesisSeconds + BigInt(height), nanos: 0 };
  app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: BigInt(height), txs: txs.map(fromBase64), time }));
  step();
  app.commit();
  step();
  // What runs beside goes on, and one block is on its way to the files.
  await setImmediate();
}
await store.close();
process.stdout.write(`${chainId} done\n`);
