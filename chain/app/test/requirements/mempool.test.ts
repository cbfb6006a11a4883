/** CometBFT's requirement 13, and what Info says around every step of a block. */
import { expect, test } from '@jest/globals';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { CheckTxType, RequestFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import { muStoreNames } from '../../src/mu-app.ts';
import { accountOf, any, denom, genesisFor, MuChain, signTx } from '../app/mu-chain.ts';

test('Requirement 13 [CheckTx, eventual non-oscillation]: a transaction is good until it or another took its place, then never', async () => {
  const [from, to] = [await accountOf('from'), await accountOf('to')];
  const message = { fromAddress: from.address, toAddress: to.address, amount: [{ denom, amount: '1' }] };
  const raw = await signTx(from, [any(MsgSend, message)], 0n, 0n);
  const store = new MemoryCommitStore(muStoreNames);
  const types = [CheckTxType.NEW, CheckTxType.RECHECK, CheckTxType.RECHECK];
  // A check that went well counts for those after it: each of these asks a node that has just been started.
  const codes = (): number[] => types.map((type) => MuChain.resume(store).app.checkTx({ tx: raw, type }).code);
  const kept = MuChain.begin(genesisFor([from, to]), store);
  const history: number[][] = [];
  for (let height = 1n; height <= 6n; height += 1n) {
    kept.feed({ height, txs: height === 4n ? [raw] : [] });
    history.push(codes());
  }
  expect(history).toEqual([...Array(3).fill([0, 0, 0]), ...Array(3).fill([32, 32, 32])]);
});

test('Info tells the last committed block, before and after every step and every start', async () => {
  const from = await accountOf('from');
  const store = new MemoryCommitStore(muStoreNames);
  const chain = MuChain.begin(genesisFor([from]), store);
  const heights = (): bigint[] => [chain.app.info().lastBlockHeight, MuChain.resume(store).app.info().lastBlockHeight];
  expect(heights()).toEqual([0n, 0n]);
  expect(chain.app.info().lastBlockAppHash).toEqual(new Uint8Array());
  for (let height = 1n; height <= 3n; height += 1n) {
    const { appHash } = chain.app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height }));
    expect(heights()).toEqual([height - 1n, height - 1n]);
    chain.app.commit();
    expect(heights()).toEqual([height, height]);
    expect(MuChain.resume(store).app.info().lastBlockAppHash).toEqual(appHash);
  }
});
