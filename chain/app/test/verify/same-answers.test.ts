import {
  CheckTxType,
  RequestFinalizeBlock,
  RequestProcessProposal,
  ResponseCheckTx,
  ResponseFinalizeBlock,
} from 'cosmjs-types/tendermint/abci/types';
import fc from 'fast-check';
import { NodeApplication } from '../../src/node/node-application.ts';
import { type BatchVerifier, VerifyPool } from '../../src/verify/pool.ts';
import { PreVerifier } from '../../src/verify/pre-verifier.ts';
import { begin, type Flaw, flaws, send, wallets } from './sends.ts';

interface Step {
  readonly wallet: number;
  readonly sequence: number;
  readonly flaw: Flaw;
  readonly recheck: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  wallet: fc.nat(wallets.length - 1),
  sequence: fc.nat(2),
  flaw: fc.oneof(
    { weight: 3, arbitrary: fc.constant<Flaw>('none') },
    { weight: 1, arbitrary: fc.constantFrom(...flaws) },
  ),
  recheck: fc.boolean(),
});

/** Answers to checks and to a block of the same transactions, as bytes. */
async function answers(steps: readonly Step[], pool: BatchVerifier | undefined): Promise<string[]> {
  const { app, unverified } = begin();
  const preVerifier = pool && new PreVerifier({ unverified, pool });
  const node = new NodeApplication({ app, preVerifier });
  const checks = steps.map(({ wallet, sequence, flaw, recheck }) => ({
    tx: send(wallet, sequence, flaw),
    type: recheck ? CheckTxType.RECHECK : CheckTxType.NEW,
  }));
  const checked = await Promise.all(checks.map((request) => node.checkTx(request)));
  // The block repeats some of them and adds what was never checked.
  const txs = [...checks.map(({ tx }) => tx), ...wallets.map(({ number }) => send(number, 1))];
  await node.processProposal(RequestProcessProposal.fromPartial({ height: 2n, txs }));
  const done = await node.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 2n, txs }));
  return [
    ...checked.map((response) => Buffer.from(ResponseCheckTx.encode(response).finish()).toString('hex')),
    Buffer.from(ResponseFinalizeBlock.encode(done).finish()).toString('hex'),
  ];
}

describe('a node with threads', () => {
  const pool = new VerifyPool({ threads: 2 });
  afterAll(() => pool.close());

  it('answers as one without them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 24 }), async (steps) => {
        expect(await answers(steps, pool)).toEqual(await answers(steps, undefined));
      }),
      { numRuns: 20, seed: 4 },
    );
  }, 60_000);
});
