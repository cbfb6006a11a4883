/** Rows of "What broke other chains": consensus parameters, defaults, validators. */
import { describe, expect, test } from '@jest/globals';
import {
  cometProblem,
  extensionsProblem,
  type FullConsensusParams,
  keyTypesProblem,
  starvation,
} from '@mu/framework/consensus-params';
import { MsgUpdateParams } from 'cosmjs-types/cosmos/consensus/v1/tx';
import { RequestFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import fc from 'fast-check';
import { defaultAppState } from '../../src/mu-app.ts';
import { newGenesis } from '../../src/node/genesis.ts';
import { accountOf, any, genesisFor, MuChain, signTx, withAuthority } from '../app/mu-chain.ts';

describe('consensus parameters from the application halted the chain (ASA-2024-001)', () => {
  /** Mostly values that are good, and those at and around every limit. */
  const around = (...good: bigint[]): fc.Arbitrary<bigint> =>
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...good) },
      { weight: 1, arbitrary: fc.constantFrom(-2n, -1n, 0n, 1n, 1_048_575n, 1_048_576n, 104_857_600n, 104_857_601n) },
      { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
    );
  const nanos: fc.Arbitrary<number> = fc.constantFrom(0, 0, 0, 1, -1, 999_999_999, 1_000_000_000);
  const pubKeyTypes: fc.Arbitrary<string[]> = fc.constantFrom(
    ['ed25519'],
    ['ed25519'],
    ['secp256k1', 'ed25519'],
    ['secp256k1'],
    ['ed25519', 'bls'],
    [],
  );
  const updates = fc.record({
    block: fc.record({ maxBytes: around(-1n, 1_048_576n, 2_097_152n), maxGas: around(-1n, 50_000_000n) }),
    evidence: fc.record({
      maxAgeNumBlocks: around(1n, 100_000n),
      maxAgeDuration: fc.record({
        seconds: around(1n, 9_223_372_036n, 9_223_372_037n),
        nanos,
      }),
      maxBytes: around(0n, 786_432n),
    }),
    validator: fc.record({
      pubKeyTypes,
    }),
    abci: fc.option(fc.record({ voteExtensionsEnableHeight: around(0n, 1n, 2n, 3n, 100n) }), { nil: undefined }),
  });

  test('whatever the authority asks for, what the engine is told next it takes', async () => {
    const authority = await accountOf('authority');
    const chain = MuChain.begin(withAuthority(genesisFor([authority]), authority));
    await chain.block();
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(updates, async ({ abci, ...update }) => {
        const height = chain.height + 1n;
        const { accountNumber, sequence } = chain.account(authority.address);
        const message = MsgUpdateParams.fromPartial({ authority: authority.address, ...update });
        if (abci !== undefined) message.abci = abci;
        const txs = [await signTx(authority, [any(MsgUpdateParams, message)], accountNumber, sequence)];
        const before = chain.app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height }));
        const after = chain.app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height, txs }));
        const [old, next] = [before, after].map((answer) => answer.consensusParamUpdates as FullConsensusParams);
        if (old === undefined || next === undefined) throw new Error('parameters are told with every block');
        expect([cometProblem(next), starvation(next)]).toEqual([undefined, undefined]);
        expect(extensionsProblem(old.abci, next.abci, height)).toBeUndefined();
        expect(keyTypesProblem(old.validator, next.validator)).toBeUndefined();
        if (after.txResults[0]?.code === 0) taken += 1;
        else expect(next).toEqual(old);
      }),
      { numRuns: 300 },
    );
    expect(taken).toBeGreaterThan(10);
    expect(taken).toBeLessThan(300);
  });

  test('a good update is told in its own block, and gas follows it in the next', async () => {
    const authority = await accountOf('authority');
    const chain = MuChain.begin(withAuthority(genesisFor([authority]), authority));
    const message = MsgUpdateParams.fromPartial({
      authority: authority.address,
      block: { maxBytes: 2_000_000n, maxGas: 1_500_000n },
      evidence: { maxAgeNumBlocks: 10n, maxAgeDuration: { seconds: 60n, nanos: 0 }, maxBytes: 10_000n },
      validator: { pubKeyTypes: ['ed25519', 'secp256k1'] },
    });
    const txs = [await signTx(authority, [any(MsgUpdateParams, message)], 0n, 0n)];
    const request = RequestFinalizeBlock.fromPartial({ height: 1n, txs });
    const { consensusParamUpdates, txResults } = chain.app.finalizeBlock(request);
    expect(txResults[0]).toMatchObject({ code: 0 });
    expect(consensusParamUpdates).toEqual({
      block: message.block,
      evidence: message.evidence,
      validator: message.validator,
      version: { app: 0n },
      abci: { voteExtensionsEnableHeight: 0n },
    });
    chain.app.commit();
    // Every transaction of these tests wants 2,000,000 gas.
    const late = await signTx(authority, [any(MsgUpdateParams, message)], 0n, 1n);
    expect(chain.app.checkTx({ tx: late, type: 0 })).toMatchObject({ codespace: 'sdk', code: 41 });
  });
});

test('defaults allowed 21 MB blocks (ASA-2023-002)', () => {
  const appState = defaultAppState({ bech32Prefix: 'mu', denom: 'umu' });
  const genesis = newGenesis({ chainId: 'a-1', time: '2026-01-01T00:00:00Z', validators: [], appState });
  const { max_bytes: bytes, max_gas: gas } = genesis.consensus_params['block'] as Record<string, string>;
  expect(Number(bytes)).toBeLessThanOrEqual(2_097_152);
  expect(Number(gas)).toBeGreaterThan(0);
});

test('two modules returned validator updates in one block', async () => {
  const user = await accountOf('user');
  const chain = MuChain.begin(genesisFor([user]));
  for (let height = 1n; height <= 3n; height += 1n) {
    const answer = chain.app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height }));
    // The set is that of genesis until one module owns it: nobody else has a way to answer updates.
    expect(answer.validatorUpdates).toEqual([]);
    chain.app.commit();
  }
});
