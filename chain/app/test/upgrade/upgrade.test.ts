/** Upgrades over the whole application: the plan, the stop, the next program, and the ones that must not run. */
import { describe, expect, test } from '@jest/globals';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { ConsensusKeeper } from '@mu/x-consensus/keeper';
import { UpgradeNeeded, WrongProgram } from '@mu/x-upgrade/errors';
import type { Plan } from '@mu/x-upgrade/plan';
import { MsgSoftwareUpgrade } from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';
import {
  RequestPrepareProposal,
  ResponseProcessProposal_ProposalStatus as Status,
} from 'cosmjs-types/tendermint/abci/types';
import { muStoreNames } from '../../src/mu-app.ts';
import type { Upgrade } from '../../src/upgrades.ts';
import { actors, Market, marketGenesis } from '../app/market.ts';
import { accountOf, MuChain, withAuthority } from '../app/mu-chain.ts';
import { Planner } from './planner.ts';

const v2: Upgrade = { name: 'v2' };

describe('the plan', () => {
  test('is set and dropped by the authority of genesis alone', async () => {
    const planner = await Planner.begin();
    const stranger = await accountOf('user');
    expect(await planner.plan('v2', 20n, '', stranger)).toMatchObject({ codespace: 'upgrade', code: 6 });
    expect(await planner.plan('v2', 20n, 'see the notes')).toMatchObject({ code: 0 });
    expect(planner.currentPlan()).toMatchObject({ name: 'v2', height: 20n, info: 'see the notes' });
    expect(await planner.cancel(stranger)).toMatchObject({ codespace: 'upgrade', code: 6 });
    expect(await planner.cancel()).toMatchObject({ code: 0 });
    expect(planner.currentPlan()).toBeUndefined();
  });

  test('is refused for a block of the past', async () => {
    const planner = await Planner.begin();
    await planner.chain.to(4n);
    expect(await planner.plan('v2', 4n)).toMatchObject({ codespace: 'sdk', code: 18 });
  });

  test('is nobody’s where genesis names no authority: governance has no key', async () => {
    const user = await accountOf('user');
    const chain = MuChain.begin(marketGenesis(await actors()));
    expect(chain.app.chain.authority).toBeUndefined();
    expect(withAuthority({}, user)).toEqual({ app: { authority: user.address } });
  });
});

describe('at its height', () => {
  test('a program that does not know it stops before the block, each time it is started, and nothing is lost', async () => {
    const told: Plan[] = [];
    const onUpgradeNeeded = (plan: Plan): void => void told.push(plan);
    const planner = await Planner.begin({ onUpgradeNeeded });
    await planner.plan('v2', 5n, 'see the notes');
    await planner.chain.to(4n);
    const before = planner.store.last;
    for (const again of [false, true]) {
      if (again) planner.restart({ onUpgradeNeeded });
      await expect(planner.chain.block()).rejects.toThrow(
        new UpgradeNeeded({ name: 'v2', height: 5n, info: 'see the notes' }),
      );
      expect(planner.store.last).toEqual(before);
    }
    expect(told).toEqual([1, 2].map(() => ({ name: 'v2', height: 5n, info: 'see the notes' })));
    await expect(planner.chain.block()).rejects.toThrow('UPGRADE "v2" NEEDED at height: 5: see the notes');
  });

  test('the next program migrates, marks it done and goes on; headers carry the count of upgrades', async () => {
    const seen: [Plan, bigint | undefined][] = [];
    const upgrade: Upgrade = {
      name: 'v2',
      run: (_ctx, plan, migrate) => {
        const versions = migrate();
        seen.push([plan, versions.get('market')]);
        return versions;
      },
    };
    const planner = await Planner.begin();
    expect(planner.chain.app.info().appVersion).toBe(0n);
    await planner.plan('v2', 4n);
    await planner.chain.to(3n);
    planner.restart({ upgrades: [upgrade] });
    await planner.chain.to(6n);
    expect(seen).toEqual([[{ name: 'v2', height: 4n, info: '' }, planner.versions('market')['market']]]);
    expect(planner.currentPlan()).toBeUndefined();
    expect(planner.applied('v2')).toBe(4n);
    expect(planner.chain.app.info().appVersion).toBe(1n);
    const ctx = planner.chain.app.queryContext();
    expect(new ConsensusKeeper().get(ctx).version).toEqual({ app: 1n });
    expect(await planner.plan('v2', 20n)).toMatchObject({ codespace: 'sdk', code: 18 });
  });

  test('nodes that carried it out agree, and one that was started anew in between too', async () => {
    const planner = await Planner.begin();
    const other = await Planner.begin();
    await planner.plan('v2', 4n);
    other.chain.feed(planner.chain.blocks[0] as never, 1);
    for (const one of [planner, other]) {
      await one.chain.to(3n);
      one.restart({ upgrades: [v2] });
      await one.chain.to(5n);
    }
    other.restart({ upgrades: [v2] });
    for (const one of [planner, other]) await one.chain.to(8n);
    expect(other.store.last).toEqual(planner.store.last);
  });

  test('a migration that fails stops the node with nothing of the block committed', async () => {
    const planner = await Planner.begin();
    await planner.plan('v2', 3n);
    await planner.chain.to(2n);
    const before = planner.store.last;
    const run = (): never => {
      throw new Error('a bad step');
    };
    planner.restart({ upgrades: [{ name: 'v2', run }] });
    await expect(planner.chain.block()).rejects.toThrow('a bad step');
    expect(planner.store.last).toEqual(before);
    planner.restart({ upgrades: [v2] });
    await planner.chain.to(4n);
    expect(planner.applied('v2')).toBe(3n);
  });

  test('parameters that it changes hold in its own block', async () => {
    const consensus = new ConsensusKeeper();
    const run: Upgrade['run'] = (ctx, _plan, migrate) => {
      const params = consensus.get(ctx);
      consensus.set(ctx, { ...params, block: { ...params.block, maxGas: 1_999_999n } });
      return migrate();
    };
    const planner = await Planner.begin();
    await planner.plan('v2', 3n);
    await planner.chain.to(2n);
    planner.restart({ upgrades: [{ name: 'v2', run: run as NonNullable<typeof run> }] });
    // Every transaction of these tests wants 2,000,000 gas.
    expect(await planner.cancel()).toMatchObject({ codespace: 'sdk', code: 41 });
    expect(planner.applied('v2')).toBe(3n);
  });

  test('a node may skip it, and drops the plan then', async () => {
    const planner = await Planner.begin();
    await planner.plan('v2', 3n);
    await planner.chain.to(2n);
    planner.restart({ skipUpgradeHeights: [3n] });
    await planner.chain.to(5n);
    expect(planner.currentPlan()).toBeUndefined();
    expect(planner.applied('v2')).toBe(0n);
  });
});

describe('the wrong program', () => {
  test('that knows a plan before its height does not run', async () => {
    const planner = await Planner.begin();
    await planner.plan('v2', 5n);
    planner.restart({ upgrades: [v2] });
    const refused = planner.chain.block();
    await expect(refused).rejects.toThrow(WrongProgram);
    await expect(refused).rejects.toThrow(
      'BINARY UPDATED BEFORE TRIGGER! UPGRADE "v2" - in binary but not executed on chain. Downgrade your binary',
    );
  });

  test('of before the last upgrade does not run', async () => {
    const planner = await Planner.begin();
    await planner.plan('v2', 3n);
    await planner.chain.to(2n);
    planner.restart({ upgrades: [v2] });
    await planner.chain.to(4n);
    planner.restart();
    await expect(planner.chain.block()).rejects.toThrow(
      'wrong app version 1, upgrade handler is missing for v2 upgrade plan',
    );
  });
});

test('a block that carries out an upgrade begins with nothing, the next one with what was due', async () => {
  const who = await actors();
  const store = new MemoryCommitStore(muStoreNames);
  const market = new Market(MuChain.begin(withAuthority(marketGenesis(who), who.treasury), store), who);
  await market.register();
  await market.deploy(1n);
  await market.bid(who.cheap, 1n, '9.25');
  // The order is due in block 8.
  await market.chain.to(6n);
  expect(market.chain.due()).toBeUndefined();
  const plan = { name: 'v2', height: 8n, info: '' };
  const message = MsgSoftwareUpgrade.fromPartial({ authority: who.treasury.address, plan });
  expect(await market.chain.run(who.treasury, MsgSoftwareUpgrade, message)).toMatchObject({ code: 0 });
  const request = RequestPrepareProposal.fromPartial({ height: 8n, txs: [], maxTxBytes: 2_000_000n });
  expect(market.chain.app.prepareProposal(request).txs).toEqual([]);
  expect(market.chain.process([])).toBe(Status.ACCEPT);
  const late = MuChain.resume(store, { upgrades: [v2] });
  expect(late.process([])).toBe(Status.ACCEPT);
  expect((await late.block()).injected).toBeUndefined();
  expect((await late.block()).injected?.result.code).toBe(0);
});
