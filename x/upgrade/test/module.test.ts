/** Queries, genesis and the wiring of the module, on a context of its own. */
import { describe, expect, test } from '@jest/globals';
import { type Context, freshContext } from '@mu/framework/context';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { toHex } from '@mu/lib/bytes';
import { Plan as PlanMessage } from 'cosmjs-types/cosmos/upgrade/v1beta1/upgrade';
import { UpgradeNeeded } from '../src/errors.ts';
import { storeName, upgradedConsensusStateKey } from '../src/keys.ts';
import { createUpgradeModule } from '../src/module.ts';
import { isDue, planMessage, readPlan } from '../src/plan.ts';
import { createQueryServer } from '../src/query-server.ts';
import { getLastDone, getPlan, getProtocolVersion, getVersions, putDone } from '../src/state.ts';

const chain = { chainId: 'mu-1', bech32Prefix: 'mu', denom: 'umu' };
const queries = createQueryServer();

function at(height: bigint, stores = new BranchMultiStore(new MemoryCommitStore([storeName]))): Context {
  return freshContext({ chain, block: { height, timeNs: 0n, proposer: new Uint8Array() }, mode: 'finalize', stores });
}

/** The module of a program that knows `v2`, and what it tells others. */
function wired() {
  const told: bigint[] = [];
  const module = createUpgradeModule({
    versions: () =>
      new Map([
        ['market', 1n],
        ['auth', 5n],
      ]),
    protocol: { setProtocolVersion: (_ctx, version) => void told.push(version) },
    handlers: new Map([['v2', (_ctx, _plan, from) => new Map([...from, ['market', 2n]])]]),
    skipHeights: new Set(),
    onNeeded: () => undefined,
  });
  return { module, keeper: module.keeper, told };
}

describe('genesis', () => {
  test('is {}, and writes the versions of the modules', () => {
    const { module } = wired();
    const ctx = at(1n);
    expect(module.genesis.defaults()).toEqual({});
    module.genesis.init(ctx, {});
    expect([...getVersions(ctx)]).toEqual([
      ['auth', 5n],
      ['market', 1n],
    ]);
    expect(module.genesis.export(ctx)).toEqual({});
  });

  test.each([[{ plan: {} }], [[]], [null], ['']])('with content is refused: %j', (json) => {
    expect(() => wired().module.genesis.init(at(1n), json as never)).toThrow('app_state.upgrade is {}');
  });
});

describe('queries', () => {
  test('tell the plan, what was done and the versions', () => {
    const { module, keeper } = wired();
    const ctx = at(5n);
    module.genesis.init(ctx, {});
    expect(queries.currentPlan(ctx, {})).toEqual({});
    keeper.schedule(ctx, { name: 'v2', height: 9n, info: 'notes' });
    expect(queries.currentPlan(ctx, {}).plan).toMatchObject({ name: 'v2', height: 9n, info: 'notes' });
    expect(queries.appliedPlan(ctx, { name: 'v2' })).toEqual({ height: 0n });
    const due = at(9n, ctx.stores as BranchMultiStore);
    keeper.preBlock(due);
    expect(queries.appliedPlan(due, { name: 'v2' })).toEqual({ height: 9n });
    expect(queries.currentPlan(due, {})).toEqual({});
    expect(queries.moduleVersions(due, { moduleName: '' }).moduleVersions).toEqual([
      { name: 'auth', version: 5n },
      { name: 'market', version: 2n },
    ]);
    expect(queries.moduleVersions(due, { moduleName: 'market' }).moduleVersions).toEqual([
      { name: 'market', version: 2n },
    ]);
    expect(() => queries.moduleVersions(due, { moduleName: 'foo' })).toThrow(
      'x/upgrade: QueryModuleVersions module foo not found: module version not found: unknown request',
    );
  });

  test('tell the authority: that of genesis, else of governance', () => {
    const ctx = at(1n);
    expect(queries.authority(ctx, {}).address).toMatch(/^mu1/);
    const named = ctx.with({ chain: { ...chain, authority: 'mu1named' } });
    expect(queries.authority(named, {})).toEqual({ address: 'mu1named' });
  });

  test('tell what older chains kept for IBC, and nothing where there is nothing', () => {
    const ctx = at(1n);
    const empty = queries.upgradedConsensusState(ctx, { lastHeight: 7n });
    expect(empty.upgradedConsensusState).toEqual(new Uint8Array());
    ctx.store(storeName).set(upgradedConsensusStateKey(7n), Uint8Array.of(1, 2));
    expect(queries.upgradedConsensusState(ctx, { lastHeight: 7n }).upgradedConsensusState).toEqual(Uint8Array.of(1, 2));
  });
});

describe('a plan', () => {
  test('is written with the time that Go writes, and read with it, with none and with that of 1970', () => {
    const message = planMessage({ name: 'v2', height: 3n, info: '' });
    expect(toHex(PlanMessage.encode(message).finish())).toBe('0a027632120b088092b8c398feffffff011803');
    for (const time of [message.time, { seconds: 0n, nanos: 0 }]) {
      expect(readPlan({ ...message, time })).toEqual({ name: 'v2', height: 3n, info: '' });
    }
    expect(() => readPlan({ ...message, time: { seconds: 1n, nanos: 0 } })).toThrow('time-based upgrades');
    expect(() => readPlan({ ...message, time: { seconds: 0n, nanos: 1 } })).toThrow('time-based upgrades');
  });

  test('is due from its height on', () => {
    const plan = { name: 'v2', height: 3n, info: '' };
    expect([2n, 3n, 4n].map((height) => isDue(plan, height))).toEqual([false, true, true]);
    expect(isDue(undefined, 3n)).toBe(false);
  });
});

test('the count of upgrades is told on, and the last one is the highest, whatever their names', () => {
  const { module, keeper, told } = wired();
  const ctx = at(3n);
  module.genesis.init(ctx, {});
  putDone(at(2n, ctx.stores as BranchMultiStore), 'z');
  keeper.schedule(ctx, { name: 'v2', height: 3n, info: '' });
  keeper.preBlock(ctx);
  expect(told).toEqual([1n]);
  expect(getProtocolVersion(ctx)).toBe(1n);
  expect(getLastDone(ctx)).toBe('v2');
  expect(getPlan(ctx)).toBeUndefined();
});

test('a plan that this program does not know stops it by an error that carries the plan', () => {
  const { module, keeper } = wired();
  const ctx = at(3n);
  module.genesis.init(ctx, {});
  const plan = { name: 'v3', height: 3n, info: 'notes' };
  keeper.schedule(ctx, plan);
  expect(keeper.isUpgradeHeight(ctx, 2n)).toBe(false);
  expect(keeper.isUpgradeHeight(ctx, 3n)).toBe(true);
  let thrown: unknown;
  try {
    keeper.preBlock(ctx);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(UpgradeNeeded);
  expect((thrown as UpgradeNeeded).plan).toEqual(plan);
});
