/**
 * Real transactions, damaged: each is refused as a transaction that does not decode, or is what it is to every node. 50,000
 * inputs; `TX_FUZZ_INPUTS=1000000` runs as many, `TX_FUZZ_SEED` others.
 */
import { AbciError } from '@mu/framework/errors';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { MsgMultiSend, MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { MsgSoftwareUpgrade } from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';
import { CheckTxType, RequestFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import { Damage } from '../../../abci/test/damage.ts';
import { createMuApp, muStoreNames } from '../../src/mu-app.ts';
import { type Account, accountOf, any, denom, genesisFor, initChainRequest, signTx } from '../app/mu-chain.ts';

const inputs = Number(process.env['TX_FUZZ_INPUTS'] ?? 50_000);
const seed = Number(process.env['TX_FUZZ_SEED'] ?? 1);
const longMs = 120_000 + inputs * 2;

async function realTxs(from: Account): Promise<Uint8Array[]> {
  const coins = [{ denom, amount: '1' }];
  const send = any(MsgSend, MsgSend.fromPartial({ fromAddress: from.address, toAddress: from.address, amount: coins }));
  const many = { inputs: [{ address: from.address, coins }], outputs: [{ address: from.address, coins }] };
  const plan = { name: 'v2', height: 1_000n, info: 'nothing' };
  return Promise.all([
    signTx(from, [send], 0n, 0n),
    signTx(from, [send, send, send], 0n, 0n),
    signTx(from, [any(MsgMultiSend, MsgMultiSend.fromPartial(many))], 0n, 0n),
    signTx(from, [any(MsgSoftwareUpgrade, MsgSoftwareUpgrade.fromPartial({ authority: from.address, plan }))], 0n, 0n),
  ]);
}

test(
  `${inputs} damaged transactions neither break a node nor divide two`,
  async () => {
    const from = await accountOf('alice');
    const real = await realTxs(from);
    const nodes = [0, 1].map(() => {
      const app = createMuApp({ store: new MemoryCommitStore(muStoreNames) });
      app.initChain(initChainRequest(genesisFor([from])));
      app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 1n }));
      app.commit();
      return app;
    });
    const [first, second] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
    const damage = new Damage(seed);
    const ends = { decoded: 0, refused: 0 };
    let heap = 0;
    let height = 2n;
    for (let at = 0; at < inputs; at += 1) {
      const whole = real[damage.below(real.length)] as Uint8Array;
      const tx = new Uint8Array(damage.below(20) === 0 ? whole : damage.damage(whole));
      try {
        first.decode(tx, first.chain);
        ends.decoded += 1;
      } catch (error) {
        // Anything else is a bug: a TypeError, an exhausted stack.
        if (!(error instanceof AbciError)) throw new Error(`input ${at} of seed ${seed}`, { cause: error });
        expect(error.code).toBe(2);
        ends.refused += 1;
      }
      const check = first.checkTx({ tx, type: CheckTxType.NEW });
      expect(check.code !== 0 || check.gasWanted > 0n).toBe(true);
      if (at % 100 === 0) {
        // In a block too, whatever it is; the second node has seen nothing of it before.
        const block = RequestFinalizeBlock.fromPartial({ height, txs: [tx] });
        const hashes = nodes.map((app) => Buffer.from(app.finalizeBlock(block).appHash).toString('hex'));
        expect(hashes[0]).toBe(hashes[1]);
        for (const app of nodes) app.commit();
        height += 1n;
      }
      if (at === Math.floor(inputs / 4)) heap = process.memoryUsage().heapUsed;
    }
    expect(second.decodeCache.hits).toBe(0);
    expect(ends.decoded).toBeGreaterThan(inputs / 50);
    expect(ends.refused).toBeGreaterThan(inputs / 4);
    // The decode cache is bounded by 64 MiB; a leak of every input would be far above.
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(400 * 1_048_576);
  },
  longMs,
);
