/** What is Mu's own of the parameters: the rules beyond CometBFT's, the version, the query. The rest is compared with the SDK's. */
import { describe, expect, test } from '@jest/globals';
import { defaultConsensusParams, type FullConsensusParams } from '@mu/framework/consensus-params';
import { type Context, freshContext } from '@mu/framework/context';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { MsgUpdateParams } from 'cosmjs-types/cosmos/consensus/v1/tx';
import { ConsensusParams } from 'cosmjs-types/tendermint/types/params';
import { compactText } from '../src/events.ts';
import { ConsensusKeeper } from '../src/keeper.ts';
import { paramsKey, storeName } from '../src/keys.ts';
import { createConsensusModule } from '../src/module.ts';
import { createMsgServer } from '../src/msg-server.ts';
import { createQueryServer } from '../src/query-server.ts';

const authority = 'mu1authority';
const chain = { chainId: 'mu-1', bech32Prefix: 'mu', denom: 'umu', authority };
const keeper = new ConsensusKeeper();
const server = createMsgServer(keeper);

function begin(change: Partial<FullConsensusParams> = {}): Context {
  const stores = new BranchMultiStore(new MemoryCommitStore([storeName]));
  const block = { height: 5n, timeNs: 0n, proposer: new Uint8Array() };
  const ctx = freshContext({ chain, block, mode: 'finalize', stores });
  keeper.set(ctx, { ...defaultConsensusParams(), ...change });
  return ctx;
}

const mebi = 1_048_576n;
const evidence = { maxAgeNumBlocks: 1n, maxAgeDuration: { seconds: 1n, nanos: 0 }, maxBytes: 0n };
const good = {
  authority,
  block: { maxBytes: mebi, maxGas: -1n },
  evidence,
  validator: { pubKeyTypes: ['ed25519'] },
};

describe('an update', () => {
  test.each([
    ['a byte below 1 MiB', { block: { maxBytes: mebi - 1n, maxGas: -1n } }, 'it must be -1 or ≥ 1048576'],
    ['evidence in the reserve', { evidence: { ...evidence, maxBytes: mebi - 262_143n } }, 'at most 786432 leaves room'],
    ['no gas', { block: { maxBytes: mebi, maxGas: 0n } }, 'block.max_gas is 0'],
    ['a lost key type', { validator: { pubKeyTypes: ['secp256k1'] } }, 'lacks ed25519'],
    [
      'an age that Go cannot count',
      { evidence: { ...evidence, maxAgeDuration: { seconds: 9_223_372_037n, nanos: 0 } } },
      'no duration of at most 2^63-1 nanoseconds',
    ],
    [
      'an age of two signs',
      { evidence: { ...evidence, maxAgeDuration: { seconds: 1n, nanos: -1 } } },
      'no duration of at most',
    ],
  ])('with %s changes nothing', (_what, change, text) => {
    const ctx = begin();
    expect(() => server.updateParams(ctx, MsgUpdateParams.fromPartial({ ...good, ...change }))).toThrow(text);
    expect(keeper.get(ctx)).toEqual(defaultConsensusParams());
    expect(ctx.events.events).toEqual([]);
  });

  test('at the bounds is taken', () => {
    const ctx = begin();
    const change = { evidence: { ...evidence, maxBytes: mebi - 262_144n } };
    server.updateParams(ctx, MsgUpdateParams.fromPartial({ ...good, ...change }));
    expect(keeper.get(ctx)).toMatchObject({ block: good.block, ...change });
  });

  test('keeps the version, which counts upgrades', () => {
    const ctx = begin({ version: { app: 3n } });
    server.updateParams(ctx, MsgUpdateParams.fromPartial(good));
    expect(keeper.get(ctx).version).toEqual({ app: 3n });
    keeper.setProtocolVersion(ctx, 4n);
    expect(keeper.get(ctx)).toMatchObject({ version: { app: 4n }, block: good.block });
  });

  test('is the authority’s', () => {
    const message = MsgUpdateParams.fromPartial({ ...good, authority: 'mu1other' });
    expect(() => server.updateParams(begin(), message)).toThrow(
      'invalid authority; expected mu1authority, got mu1other',
    );
  });
});

test('the query answers what is stored', () => {
  const ctx = begin();
  expect(createQueryServer(keeper).params(ctx, {})).toEqual({ params: defaultConsensusParams() });
});

test('parameters of an older chain, without version and extensions, are read', () => {
  const ctx = begin();
  const { block, evidence: age, validator } = defaultConsensusParams();
  const old = ConsensusParams.encode(ConsensusParams.fromPartial({ block, evidence: age, validator })).finish();
  ctx.store(storeName).set(paramsKey, old);
  expect(keeper.get(ctx)).toEqual(defaultConsensusParams());
  ctx.store(storeName).set(paramsKey, new Uint8Array());
  expect(() => keeper.get(ctx)).toThrow('incomplete');
  ctx.store(storeName).delete(paramsKey);
  expect(() => keeper.get(ctx)).toThrow('before genesis');
});

test('genesis is {}', () => {
  const { genesis } = createConsensusModule();
  expect([genesis.defaults(), genesis.export(begin())]).toEqual([{}, {}]);
  expect(() => genesis.validate({ params: {} })).toThrow('app_state.consensus is {}');
});

test('the event’s text quotes as Go does', () => {
  const asked = { ...good, abci: { voteExtensionsEnableHeight: 7n } };
  expect(compactText(asked)).toBe(
    'block:<max_bytes:1048576 max_gas:-1 > evidence:<max_age_num_blocks:1 max_age_duration:<seconds:1 > > validator:<pub_key_types:"ed25519" > version:<> abci:<vote_extensions_enable_height:7 > ',
  );
});
