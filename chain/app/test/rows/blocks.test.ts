/** Rows of "What broke other chains": what happens inside a block. */
import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { DeploymentState } from '@mu/proto/deployment';
import { LeaseState, OrderState } from '@mu/proto/market';
import { BankKeeper } from '@mu/x-bank/keeper';
import { DeploymentKeeper } from '@mu/x-deployment/keeper';
import { MarketKeeper } from '@mu/x-market/keeper';
import * as stateOfMarket from '@mu/x-market/state';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import { ResponseProcessProposal_ProposalStatus as Status } from 'cosmjs-types/tendermint/abci/types';
import { Market, usageWindow } from '../app/market.ts';
import { any, denom } from '../app/mu-chain.ts';
import { tell } from '../app/story.ts';
import { nodesWithDueOrder, poolOf } from '../requirements/proposals.ts';

afterEach(() => void jest.restoreAllMocks());

const typesOf = ({ events }: ExecTxResult): string[] => events.map(({ type }) => type);

describe('an error or panic in EndBlock halted the chain (ASA-2025-003, ISA-2025-002)', () => {
  test('an escrow that cannot be paid out at its end is closed, blocks go on, and the owner can claim later', async () => {
    const market = await Market.begin();
    await market.register();
    await market.deploy(1n);
    await market.cancel(1n);
    const before = market.balance(market.who.user);
    const pay = jest.spyOn(BankKeeper.prototype, 'sendFromModuleToAccount');
    pay.mockImplementation(() => {
      throw new TypeError('a fault of the bank');
    });
    await market.chain.to(market.chain.height + usageWindow + 2n);
    expect(pay).toHaveBeenCalled();
    expect(market.balance(market.who.user)).toBe(before);
    expect(market.deployment(1n).state).toBe(DeploymentState.DEPLOYMENT_STATE_CLOSED);
    jest.restoreAllMocks();
    await market.chain.to(market.chain.height + 3n);
  });

  test('a fault while a user’s message runs has code 111222, and the next transaction runs', async () => {
    const { market } = await nodesWithDueOrder();
    const { user, stranger } = market.who;
    const send = any(MsgSend, {
      fromAddress: user.address,
      toAddress: stranger.address,
      amount: [{ denom, amount: '1' }],
    });
    jest.spyOn(BankKeeper.prototype, 'requireSendEnabled').mockImplementationOnce(() => {
      throw new RangeError('a fault');
    });
    const { results } = await market.chain.block({ from: user, messages: [send] }, { from: user, messages: [send] });
    expect(results.map(({ code }) => code)).toEqual([111_222, 0]);
  });
});

test('vote extensions and injected data were trusted (ASA-2024-006): recomputed, compared, refused', async () => {
  const nodes = await nodesWithDueOrder();
  const pool = await poolOf(nodes);
  for (const name of ['what is due, of another height', 'what is due, twice', 'what is due, signed']) {
    expect(nodes.q.process([pool.get(name) as Uint8Array])).toBe(Status.REJECT);
  }
  expect(nodes.q.process([nodes.first])).toBe(Status.ACCEPT);
  // No extension can carry anything: there is none but the empty one.
  expect(nodes.q.app.extendVote().voteExtension).toEqual(new Uint8Array());
});

test('the proposer made proposals that its peers refused (ASA-2024-002): each of the story’s passes its own check', async () => {
  const market = await Market.begin();
  const check = jest.spyOn(market.chain.app, 'processProposal');
  await tell(market);
  expect(check).toHaveBeenCalledTimes(market.chain.blocks.length);
  expect(new Set(check.mock.results.map(({ value }) => (value as { status: Status }).status))).toEqual(
    new Set([Status.ACCEPT]),
  );
});

describe('events of discarded branches leaked (Huckleberry)', () => {
  test('of a transaction whose second message fails, only the checks’ events stay', async () => {
    const { market } = await nodesWithDueOrder();
    const { user, stranger } = market.who;
    const send = (amount: string) =>
      any(MsgSend, { fromAddress: user.address, toAddress: stranger.address, amount: [{ denom, amount }] });
    const { results } = await market.chain.block({ from: user, messages: [send('1'), send(`${10n ** 30n}`)] });
    expect(results[0]?.code).toBe(5);
    const amounts = results[0]?.events.flatMap(({ attributes }) => attributes.map(({ value }) => value));
    expect(amounts).not.toContain(`1${denom}`);
    expect(typesOf(results[0] as ExecTxResult)).toEqual([
      'coin_spent',
      'coin_received',
      'transfer',
      'message',
      'tx',
      'tx',
      'tx',
    ]);
  });

  test('of an item that fails after it had emitted, only its settlement is told', async () => {
    const { market } = await nodesWithDueOrder();
    const match = MarketKeeper.prototype.match;
    jest.spyOn(MarketKeeper.prototype, 'match').mockImplementation(function (this: MarketKeeper, ctx, id) {
      match.call(this, ctx, id);
      throw new TypeError('a fault');
    });
    const { injected } = await market.chain.block();
    const types = typesOf(injected?.result as ExecTxResult);
    expect(types).toContain('match_failed');
    expect(types).not.toContain('lease_created');
    expect(market.order(1n).state).toBe(OrderState.ORDER_STATE_CLOSED);
  });
});

test('effects after callbacks (ASA-2024-007): a hook sees what it is called about already written', async () => {
  const { market } = await nodesWithDueOrder();
  await market.chain.block();
  const seen: LeaseState[] = [];
  const original = DeploymentKeeper.prototype.afterAllOver;
  jest.spyOn(DeploymentKeeper.prototype, 'afterAllOver').mockImplementation(function (this: DeploymentKeeper, ctx, id) {
    const { leases } = stateOfMarket;
    seen.push(leases.get(ctx, 1n)?.state ?? LeaseState.LEASE_STATE_UNSPECIFIED);
    original.call(this, ctx, id);
  });
  // Nobody confirms the lease: it is broken, and that was all of the deployment.
  await market.chain.to(60n);
  expect(seen).toEqual([LeaseState.LEASE_STATE_BROKEN]);
});

test('garbage collection, float formatting, Map order reached state (Agoric): another process, other seeds, one hash', async () => {
  const market = await Market.begin();
  await tell(market);
  const child = new URL('./child.ts', import.meta.url).pathname;
  for (const flags of [
    ['--hash-seed=7', '--random-seed=11'],
    ['--max-semi-space-size=1', '--gc-interval=500'],
  ]) {
    const told = execFileSync(process.execPath, [...flags, '--no-warnings', child], { encoding: 'utf8' });
    expect(told).toBe(market.chain.blocks.at(-1)?.appHash);
  }
});
