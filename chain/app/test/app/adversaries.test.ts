/** What a dishonest party may try, through the real application. docs/SECURITY.md says what holds and what does not. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { MsgDeposit, MsgWithdraw } from '@mu/proto/billing';
import {
  CloseReason,
  FulfillmentState,
  LeaseState,
  ManifestState,
  MsgAnnounceLeave,
  MsgCloseLease,
  OrderState,
} from '@mu/proto/market';
import { MsgPublishPriceList } from '@mu/proto/provider';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import { ResponseProcessProposal_ProposalStatus as Status } from 'cosmjs-types/tendermint/abci/types';
import { collateral, deposit, Market, type ModuleParams, umu, usageWindow } from './market.ts';
import { type Account, accountOf, denom, fee } from './mu-chain.ts';

let market: Market;

/** A chain with registered providers. */
async function begin(params: ModuleParams = {}, more: readonly Account[] = []): Promise<void> {
  market = await Market.begin(undefined, params, more);
  for (const { code, log } of await market.register()) expect([code, log]).toEqual([0, '']);
}

beforeEach(() => begin());
afterEach(() => expect(market.chain.height > 0n).toBe(true));

const refused = (codespace: string, code: number) => ({ codespace, code });
const succeeded = { code: 0, codespace: '' };

/** Lease 1 of the cheap one, made in block 8 from a bid of 9.25 for each of two replicas. */
async function leased(persist = false): Promise<void> {
  const { chain, who } = market;
  await market.deploy(1n, { persist });
  await market.bid(who.dear, 1n, '10.25');
  await market.bid(who.cheap, 1n, '9.25');
  await chain.to(8n);
}

/** What an account gained or lost during a step, fees of its own transactions apart. */
async function change(account: Account, step: () => Promise<unknown>, ownTxs = 0n): Promise<bigint> {
  const before = market.balance(account);
  await step();
  return market.balance(account) - before + ownTxs * fee;
}

const closeLease = (from: Account, reason: CloseReason, lease = 1n): Promise<ExecTxResult> =>
  market.chain.run(from, MsgCloseLease, MsgCloseLease.fromPartial({ sender: from.address, lease, reason }));

const coins = (amount: bigint) => ({ denom, amount: `${amount}` });

function pay(from: Account, amount: bigint): Promise<ExecTxResult> {
  const { address: owner } = market.who.user;
  return market.chain.run(from, MsgDeposit, { depositor: from.address, owner, dseq: 1n, amount: coins(amount) });
}

function withdraw(from: Account, amount: bigint): Promise<ExecTxResult> {
  const { address: owner } = market.who.user;
  return market.chain.run(from, MsgWithdraw, { depositor: from.address, owner, dseq: 1n, amount: coins(amount) });
}

describe('a book that is filled with bids', () => {
  test('still takes a cheaper one, and the filler pays for each place with its collateral', async () => {
    await begin({ market: { max_bids_per_order: 1, min_auction_blocks: '10' } });
    const { who } = market;
    await market.deploy(1n);
    expect(await change(who.dear, () => market.bid(who.dear, 1n, '10.25'), 1n)).toBe(-collateral);
    expect(await market.bid(who.dear, 1n, '10.24')).toMatchObject(refused('market', 16));
    expect(await change(who.dear, () => market.bid(who.cheap, 1n, '9.25'))).toBe(collateral);
    expect(market.fulfillment(1n).state).toBe(FulfillmentState.FULFILLMENT_STATE_LOST);
    expect(await market.bid(who.dear, 1n, '9.25')).toMatchObject(refused('market', 19));
  });
});

describe('dust orders', () => {
  test('cost their reserve each, which stays locked, and their number is bounded', async () => {
    await begin({ deployment: { max_active_deployments: 2 } });
    const { who } = market;
    for (const dseq of [1n, 2n]) {
      expect(await change(who.user, () => market.deploy(dseq), 1n)).toBe(-deposit);
    }
    expect(await market.deploy(3n)).toMatchObject(refused('deployment', 5));
    const { reserve } = market.escrow(1n);
    expect(await withdraw(who.user, deposit - BigInt(reserve) + 1n)).toMatchObject(refused('billing', 15));
  });
});

describe('a provider that bids and never serves', () => {
  test('loses its collateral to the user, earns nothing, and the next one is found', async () => {
    await leased(true);
    const { chain, who } = market;
    const { confirmBy } = market.lease(1n);
    const won = await change(who.user, () => chain.to(confirmBy + 1n));
    expect(won).toBe(collateral);
    expect(market.lease(1n)).toMatchObject({ state: LeaseState.LEASE_STATE_BROKEN, paid: '0' });
    expect(market.order(1n, 2).state).toBe(OrderState.ORDER_STATE_OPEN);
    expect(market.escrow(1n).spent).toBe('0');
  });

  test('cannot confirm late', async () => {
    await leased();
    await market.chain.to(market.lease(1n).confirmBy + 1n);
    expect(await market.confirm(1n, market.who.cheap)).toMatchObject(refused('market', 24));
  });
});

describe('a provider that confirms without serving', () => {
  test('is paid until the user ends it, and may not have the next round', async () => {
    await leased();
    const { chain, who } = market;
    await chain.to(11n);
    await market.confirm(1n, who.cheap);
    expect(BigInt(market.lease(1n).paid)).toBeGreaterThan(0n);
    await closeLease(who.user, CloseReason.CLOSE_REASON_NOT_SERVING);
    expect(market.order(1n, 2).spec?.excludedProviders).toEqual([who.cheap.address]);
    expect(await market.bid(who.cheap, 1n, '1', 2)).toMatchObject(refused('market', 9));
    expect(await market.bid(who.dear, 1n, '10', 2)).toMatchObject(succeeded);
  });
});

describe('usage', () => {
  beforeEach(async () => {
    await leased();
    await market.confirm(1n, market.who.cheap);
    await market.chain.to(20n);
  });

  test('that is inflated above the limit of a block is refused, in one report and over all of them', async () => {
    const { cheap } = market.who;
    expect(await market.report(1n, cheap, { to: 18n, quantity: 1_001n })).toMatchObject(refused('billing', 29));
    expect(await market.report(1n, cheap, { to: 18n, quantity: 1_000n })).toMatchObject(succeeded);
    const next = { sequence: 2n, from: 19n, to: 20n };
    expect(await market.report(1n, cheap, { ...next, quantity: 201n })).toMatchObject(refused('billing', 29));
  });

  test('that is physically impossible is refused whatever the user allows', async () => {
    await begin({
      provider: {
        metrics: [{ name: 'function-invocations', service: 'mu-function', max_per_block: '50', unit: 'calls' }],
      },
    });
    await leased();
    await market.chain.to(20n);
    const { cheap } = market.who;
    expect(await market.report(1n, cheap, { to: 18n, quantity: 501n })).toMatchObject(refused('billing', 28));
    expect(await market.report(1n, cheap, { to: 18n, quantity: 500n })).toMatchObject(succeeded);
  });

  test('that is replayed, reordered or reported twice for a block is refused', async () => {
    const { cheap } = market.who;
    await market.report(1n, cheap, { to: 15n });
    expect(await market.report(1n, cheap, { to: 15n })).toMatchObject(refused('billing', 24));
    expect(await market.report(1n, cheap, { sequence: 3n, from: 16n, to: 18n })).toMatchObject(refused('billing', 24));
    expect(await market.report(1n, cheap, { sequence: 2n, from: 15n, to: 18n })).toMatchObject(refused('billing', 25));
    expect(await market.report(1n, cheap, { sequence: 2n, from: 17n, to: 18n })).toMatchObject(refused('billing', 25));
  });

  test('of a node of another provider is refused', async () => {
    const { cheap, dear } = market.who;
    expect(await market.report(1n, cheap, { to: 15n, signedBy: dear.node })).toMatchObject(refused('billing', 34));
    expect(await market.report(1n, dear, { to: 15n })).toMatchObject(refused('billing', 17));
  });
});

describe('collusion of owner and provider against other depositors', () => {
  test('takes no more than the order’s prices for blocks served and the usage limits, and ends with the window', async () => {
    await leased();
    const { chain, who } = market;
    await pay(who.stranger, 20_000n);
    await market.confirm(1n, who.cheap);
    await chain.to(30n);
    await market.cancel(1n);
    const { closedHeight, createdHeight, paid, commission } = market.lease(1n);
    // 18.5 umu a block for two replicas; what is below one umu stays.
    expect(BigInt(paid) + BigInt(commission)).toBe(((closedHeight - createdHeight) * 185n) / 10n);
    const blocks = closedHeight - createdHeight;
    expect(await market.report(1n, who.cheap, { to: closedHeight, quantity: blocks * 100n + 1n })).toMatchObject(
      refused('billing', 29),
    );
    expect(await market.report(1n, who.cheap, { to: closedHeight + 1n })).toMatchObject(refused('billing', 26));
    await chain.to(closedHeight + usageWindow + 1n);
    expect(await market.report(1n, who.cheap, { to: closedHeight })).toMatchObject(refused('billing', 23));
    const { spent } = market.escrow(1n);
    const share = ((deposit + 20_000n - BigInt(spent)) * 20_000n) / (deposit + 20_000n);
    expect(await change(who.stranger, () => withdraw(who.stranger, share - 1n), 1n)).toBe(share - 1n);
  });
});

describe('a proposer', () => {
  test('cannot choose among the bids of the state, nor leave the match out', async () => {
    await market.deploy(1n);
    await market.bid(market.who.dear, 1n, '10.25');
    await market.bid(market.who.cheap, 1n, '9.25');
    await market.chain.to(7n);
    expect(market.chain.process([])).toBe(Status.REJECT);
    await market.chain.block();
    expect(market.lease(1n).provider).toBe(market.who.cheap.address);
  });

  test('may keep a bid out of its block, but not out of an auction that others propose in', async () => {
    const { chain, who } = market;
    await market.deploy(1n);
    await market.bid(who.dear, 1n, '10.25');
    // The first proposer leaves the cheaper bid out; the next one takes it, the auction still runs.
    await chain.block();
    expect(await market.bid(who.cheap, 1n, '9.25')).toMatchObject(succeeded);
    await chain.to(market.order(1n).dueHeight === 0n ? 8n : market.order(1n).dueHeight);
    expect(market.lease(1n).provider).toBe(who.cheap.address);
  });

  test('may underbid last: the user pays less, and the bid binds its maker like any other', async () => {
    const { chain, who } = market;
    await market.deploy(1n);
    await market.bid(who.dear, 1n, '10.25');
    await chain.to(6n);
    expect(await market.bid(who.cheap, 1n, '10.24')).toMatchObject(succeeded);
    // What is in the block of the match comes after the match: only the state before it counts.
    expect(await market.bid(who.remote, 1n, '1')).toMatchObject(refused('market', 3));
    expect(market.lease(1n).provider).toBe(who.cheap.address);
  });
});

describe('emptying an escrow', () => {
  test('between lease and confirmation leaves the reserve, and the first blocks are paid', async () => {
    await leased();
    const { chain, who } = market;
    const { reserve } = market.escrow(1n);
    expect(await withdraw(who.user, deposit)).toMatchObject(refused('billing', 15));
    expect(await withdraw(who.user, deposit - BigInt(reserve))).toMatchObject(succeeded);
    await chain.to(20n);
    await market.confirm(1n, who.cheap);
    expect(market.lease(1n)).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE });
    expect(BigInt(market.lease(1n).paid)).toBeGreaterThan(0n);
  });

  test('catches no collateral: a lease without funds cannot be broken, and its provider gets it back', async () => {
    await begin({ market: { grace_blocks: '10' }, billing: { min_runway_blocks: '1' } });
    await leased();
    const { chain, who } = market;
    await withdraw(who.user, deposit - BigInt(market.escrow(1n).reserve));
    await chain.to(market.lease(1n).createdHeight + 20n);
    await market.confirm(1n, who.cheap);
    expect(market.lease(1n)).toMatchObject({ state: LeaseState.LEASE_STATE_OUT_OF_FUNDS });
    expect(market.escrow(1n).balance).toBe('0');
    expect(await closeLease(who.user, CloseReason.CLOSE_REASON_NOT_SERVING)).toMatchObject(refused('market', 34));
    expect(await change(who.cheap, () => chain.to(chain.height + 11n))).toBe(collateral);
    expect(market.lease(1n)).toMatchObject({ closeReason: CloseReason.CLOSE_REASON_OUT_OF_FUNDS });
  });
});

describe('withholding a manifest', () => {
  test('catches no collateral: the provider waits for its time, is paid for it and gets the collateral back', async () => {
    await begin({ market: { manifest_timeout_blocks: '5' } });
    await leased();
    const { chain, who } = market;
    await market.confirm(1n, who.cheap, ManifestState.MANIFEST_STATE_WAITING);
    expect(await closeLease(who.cheap, CloseReason.CLOSE_REASON_MANIFEST_MISSING)).toMatchObject(refused('market', 32));
    await chain.to(14n);
    const due = await change(who.cheap, () => closeLease(who.cheap, CloseReason.CLOSE_REASON_MANIFEST_MISSING), 1n);
    expect(due).toBeGreaterThan(collateral);
  });
});

describe('interest minted with oneself', () => {
  test('is never more than the commission that was lost to it, however large collateral and rate', async () => {
    await begin({
      market: { interest_rate: '1.000000000000000000', max_interest_per_year: '1000000000', blocks_per_year: '1' },
    });
    await leased();
    const { chain, who } = market;
    const supply = chain.supply();
    await chain.to(20n);
    await market.confirm(1n, who.cheap);
    await closeLease(who.user, CloseReason.CLOSE_REASON_BY_USER);
    const { interest, commission } = market.lease(1n);
    expect(BigInt(interest)).toBeGreaterThan(0n);
    expect(BigInt(interest)).toBe(BigInt(commission));
    expect(chain.supply() - supply).toBe(BigInt(interest));
  });
});

describe('a price list that changes under a bid', () => {
  const publish = (price: string): Promise<ExecTxResult> => {
    const { cheap } = market.who;
    const prices = [{ metric: 'function-invocations', price: umu(price), per: 1000n }];
    return market.chain.run(
      cheap,
      MsgPublishPriceList,
      MsgPublishPriceList.fromPartial({ owner: cheap.address, prices }),
    );
  };

  test('changes neither the bid nor the lease: usage is billed by the version of the bid', async () => {
    const { chain, who } = market;
    await market.deploy(1n);
    await market.bid(who.cheap, 1n, '9.25');
    await publish('20');
    await chain.to(8n);
    await market.confirm(1n, who.cheap);
    await chain.to(20n);
    await market.report(1n, who.cheap, { to: 18n, quantity: 1_000n });
    const line = market.bill(1n).lines.find(({ items }) => items.length > 0);
    expect(line?.items[0]).toMatchObject({ price: umu('15.5'), cost: umu('15.5') });
  });

  test('is the one to bid by from then on', async () => {
    await market.deploy(1n);
    await publish('1');
    expect(await market.bid(market.who.cheap, 1n, '9.25')).toMatchObject(refused('market', 14));
  });
});

describe('deposits of a coin from a crowd', () => {
  test('are refused below the least deposit, and a crowd of depositors does not keep the owner out', async () => {
    const crowd = await Promise.all(Array.from({ length: 40 }, (_, number) => accountOf(`crowd ${number}`)));
    await begin({}, crowd);
    const { chain, who } = market;
    await market.deploy(1n);
    expect(await pay(crowd[0] as Account, 1n)).toMatchObject(refused('billing', 9));
    const codes: number[] = [];
    for (const one of crowd) codes.push((await pay(one, 1_000n)).code);
    // The owner holds the first of 32 places.
    expect(codes).toEqual([...Array(31).fill(0), ...Array(9).fill(11)]);
    expect(await pay(who.user, 1_000n)).toMatchObject(succeeded);
    await market.cancel(1n);
    const closed = await change(who.user, () => chain.to(chain.height + usageWindow));
    // Nobody is paid in a loop: the owner at once, the others when they ask.
    expect(closed).toBe(deposit + 1_000n);
    expect(await change(crowd[3] as Account, () => withdraw(crowd[3] as Account, 1_000n), 1n)).toBe(1_000n);
  });
});

describe('a hand-over', () => {
  test('that never comes to run costs the user both leases until it ends one, and the old one goes on', async () => {
    await leased(true);
    const { chain, who } = market;
    await market.confirm(1n, who.cheap);
    await chain.run(who.cheap, MsgAnnounceLeave, { sender: who.cheap.address, lease: 1n });
    await market.bid(who.dear, 1n, '10', 2);
    await chain.to(market.order(1n, 2).dueHeight);
    await market.confirm(2n, who.dear, ManifestState.MANIFEST_STATE_RECEIVED);
    expect(market.lease(1n).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    await closeLease(who.user, CloseReason.CLOSE_REASON_NOT_SERVING, 2n);
    expect(market.order(1n, 3)).toMatchObject({ state: OrderState.ORDER_STATE_OPEN, replaces: 1n });
    expect(market.order(1n, 3).spec?.excludedProviders).toEqual([who.cheap.address, who.dear.address]);
    expect(market.lease(1n).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
  });
});
