/** Rows of "What broke other chains": what strangers can send, who may receive, and what stays liable. */
import { describe, expect, test } from '@jest/globals';
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { MsgDeposit } from '@mu/proto/billing';
import { LeaseState } from '@mu/proto/market';
import { MsgDeregisterProvider, MsgUpdateProvider } from '@mu/proto/provider';
import { MsgMultiSend, MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { actors, Market, marketGenesis } from '../app/market.ts';
import { type AppState, denom, MuChain } from '../app/mu-chain.ts';
import { nodesWithDueOrder } from '../requirements/proposals.ts';

const modules = ['fee_collector', 'provider', 'market', 'billing'];
const accountOfModule = (name: string): string => toBech32('mu', moduleAddress(name));

describe('a pool that anyone can fund overflowed (ISA-2025-005)', () => {
  test('an escrow takes the chain’s denomination only, and no more than there is', async () => {
    const who = await actors();
    const other = [{ denom: 'uother', amount: `${2n ** 256n - 1n}` }];
    const state = structuredClone(marketGenesis(who)) as unknown as {
      bank: { balances: { address: string; coins: object[] }[]; supply: object[] };
    };
    const [first] = state.bank.balances.filter(({ address }) => address === who.stranger.address);
    first?.coins.push(...other);
    state.bank.supply.push(...other);
    const market = new Market(MuChain.begin(state as unknown as AppState), who);
    await market.register();
    await market.deploy(1n);
    const before = market.escrow(1n);
    const deposit = (coin: { denom: string; amount: string }) =>
      market.chain.run(
        who.stranger,
        MsgDeposit,
        MsgDeposit.fromPartial({
          depositor: who.stranger.address,
          owner: who.user.address,
          dseq: 1n,
          amount: coin,
        }),
      );
    for (const coin of [other[0] as { denom: string; amount: string }, { denom, amount: `${2n ** 256n - 1n}` }]) {
      expect((await deposit(coin)).code).not.toBe(0);
    }
    expect(market.escrow(1n)).toEqual(before);
    expect(await deposit({ denom, amount: '100000' })).toMatchObject({ code: 0 });
  });
});

describe('vesting or funds to module accounts (ASA-2024-003)', () => {
  test.each(modules)('nobody sends coins to the account of %s', async (name) => {
    const { market } = await nodesWithDueOrder();
    const { user, stranger } = market.who;
    const to = accountOfModule(name);
    const amount = [{ denom, amount: '1' }];
    const before = market.chain.balance(to);
    const send = MsgSend.fromPartial({ fromAddress: user.address, toAddress: to, amount });
    expect(await market.chain.run(user, MsgSend, send)).toMatchObject({ codespace: 'sdk', code: 4 });
    const many = MsgMultiSend.fromPartial({
      inputs: [{ address: user.address, coins: [{ denom, amount: '2' }] }],
      outputs: [
        { address: stranger.address, coins: amount },
        { address: to, coins: amount },
      ],
    });
    expect(await market.chain.run(user, MsgMultiSend, many)).toMatchObject({ codespace: 'sdk', code: 4 });
    // Fees go to the collector, all others stay as they are.
    expect(market.chain.balance(to) - before).toBe(name === 'fee_collector' ? 1_000n : 0n);
  });

  test('a payout address that is a module’s account receives nothing: the owner does', async () => {
    const { market } = await nodesWithDueOrder();
    const { cheap } = market.who;
    const account = accountOfModule('billing');
    const change = MsgUpdateProvider.fromPartial({ owner: cheap.address, payoutAddress: account });
    await market.chain.run(cheap, MsgUpdateProvider, change);
    await market.chain.block();
    const before = market.balance(cheap);
    await market.confirm(1n, cheap);
    expect(market.lease(1n).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    expect(market.balance(cheap)).toBeGreaterThan(before - 500n);
  });
});

test('stake escaped slashing by moving (ASA-2024-005): who leaves, or moves its payout, stays liable', async () => {
  const { market } = await nodesWithDueOrder();
  const { cheap, stranger, user } = market.who;
  await market.chain.block();
  const leave = MsgDeregisterProvider.fromPartial({ owner: cheap.address });
  expect((await market.chain.run(cheap, MsgDeregisterProvider, leave)).code).not.toBe(0);
  const change = MsgUpdateProvider.fromPartial({ owner: cheap.address, payoutAddress: stranger.address });
  await market.chain.run(cheap, MsgUpdateProvider, change);
  const [paid, escaped] = [market.balance(user), market.balance(stranger)];
  const collateral = BigInt(market.lease(1n).collateral);
  // Nobody confirms the lease: it is broken.
  await market.chain.to(60n);
  expect(market.lease(1n).state).toBe(LeaseState.LEASE_STATE_BROKEN);
  expect(market.balance(stranger)).toBe(escaped);
  expect(market.balance(user)).toBeGreaterThan(paid);
  expect(collateral).toBeGreaterThan(0n);
});
