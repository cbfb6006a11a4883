/** The whole market through the real application: six modules, signed transactions, every invariant after every block. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EscrowState } from '@mu/proto/billing';
import { DeploymentState } from '@mu/proto/deployment';
import { CloseReason, FulfillmentState, LeaseState, OrderState } from '@mu/proto/market';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import {
  type ExecTxResult,
  ResponseProcessProposal_ProposalStatus as Status,
} from 'cosmjs-types/tendermint/abci/types';
import { collateral, deposit, Market, usageWindow } from './market.ts';
import { type Account, fee, funds } from './mu-chain.ts';

let market: Market;
let supply: bigint;

beforeEach(async () => {
  market = await Market.begin();
  supply = market.chain.supply();
  const codes = (await market.register()).map(({ code, log }) => [code, log]);
  expect(codes).toEqual(Array(9).fill([0, '']));
});

afterEach(() => expect(market.chain.supply()).toBe(supply));

const succeeded = { code: 0, codespace: '' };
const refused = (codespace: string, code: number) => ({ codespace, code });

/** What an account gained or lost during a step, fees of its own transactions apart. */
async function change(account: Account, step: () => Promise<unknown>, ownTxs = 0n): Promise<bigint> {
  const before = market.balance(account);
  await step();
  return market.balance(account) - before + ownTxs * fee;
}

/** Lease 1 of the cheap one, made in block 8: deployed in 4, bids in 5 and 6. */
async function leased(persist = false): Promise<void> {
  const { chain, who } = market;
  const steps = [
    await market.deploy(1n, { persist }),
    await market.bid(who.dear, 1n, '10.25'),
    await market.bid(who.cheap, 1n, '9.25'),
  ];
  for (const step of steps) expect(step).toMatchObject(succeeded);
  await chain.to(8n);
}

describe('the match', () => {
  test('begins the block, goes to the lower price and gives the loser its collateral back', async () => {
    const { chain, who } = market;
    await market.deploy(1n);
    expect(await change(who.dear, () => market.bid(who.dear, 1n, '10.25'), 1n)).toBe(-collateral);
    expect(await change(who.cheap, () => market.bid(who.cheap, 1n, '9.25'), 1n)).toBe(-collateral);
    expect(market.order(1n)).toMatchObject({ state: OrderState.ORDER_STATE_OPEN, openBids: 2, dueHeight: 8n });
    expect((await chain.block()).injected).toBeUndefined();
    const before = [market.balance(who.dear), market.balance(who.cheap)];
    const { height, injected, txs } = await chain.block();
    expect(height).toBe(8n);
    expect(txs).toHaveLength(1);
    expect(injected?.result).toMatchObject(succeeded);
    expect(injected?.result.events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['lease_created', 'bid_lost']),
    );
    expect(market.lease(1n)).toMatchObject({ provider: who.cheap.address, state: LeaseState.LEASE_STATE_ACTIVE });
    expect(market.fulfillment(1n).state).toBe(FulfillmentState.FULFILLMENT_STATE_LOST);
    expect(market.fulfillment(2n).state).toBe(FulfillmentState.FULFILLMENT_STATE_MATCHED);
    expect([market.balance(who.dear), market.balance(who.cheap)]).toEqual([before[0]! + collateral, before[1]]);
  });

  test('cannot be left out, altered, moved or added by a proposer', async () => {
    const { chain, who } = market;
    await market.deploy(1n);
    await market.bid(who.cheap, 1n, '9.25');
    await chain.to(7n);
    const raw = chain.due() as Uint8Array;
    expect(chain.process([raw])).toBe(Status.ACCEPT);
    expect(chain.process([])).toBe(Status.REJECT);
    const tx = TxRaw.decode(raw);
    expect(chain.process([TxRaw.encode({ ...tx, signatures: [new Uint8Array(64)] }).finish()])).toBe(Status.REJECT);
    await chain.block();
    expect(chain.process([])).toBe(Status.ACCEPT);
    expect(chain.feed({ height: 9n, txs: [raw] }, 1).results[0]).toMatchObject(refused('sdk', 4));
  });
});

describe('a bid is refused', () => {
  test.each<[string, number, string, (at: Market) => Promise<ExecTxResult>]>([
    ['above the price of the order', 13, '', (at) => at.bid(at.who.cheap, 1n, '10.500000000000000001')],
    ['of a provider in another region', 7, '', (at) => at.bid(at.who.remote, 1n, '9')],
    ['of someone who is no provider', 5, '', (at) => at.bid(at.who.stranger, 1n, '9')],
    ['of the provider that has one', 16, 'twice', (at) => at.bid(at.who.cheap, 1n, '9')],
    ['after the match', 3, 'match', (at) => at.bid(at.who.dear, 1n, '9')],
  ])('%s (%d)', async (_what, code, before, bid) => {
    await market.deploy(1n);
    if (before !== '') await market.bid(market.who.cheap, 1n, '9.25');
    if (before === 'match') await market.chain.to(market.order(1n).dueHeight);
    const bids = market.order(1n).openBids;
    expect(await bid(market)).toMatchObject(refused('market', code));
    expect(market.order(1n).openBids).toBe(bids);
  });
});

describe('a lease', () => {
  beforeEach(() => leased());

  test('is paid by a confirmation: whole umu, a tenth of them commission, the rest carried', async () => {
    const { who, chain } = market;
    await chain.to(10n);
    const before = market.balance(who.treasury);
    // 3 blocks of 2 × 9.25 are 55.5 umu.
    expect(await change(who.cheap, () => market.confirm(1n, who.cheap), 1n)).toBe(50n);
    expect(market.balance(who.treasury) - before).toBe(5n);
    const carried = { paid: '50', commission: '5', remainder: '500000000000000000', paidThrough: 11n, confirmBy: 41n };
    expect(market.lease(1n)).toMatchObject(carried);
    expect(market.escrow(1n)).toMatchObject({ balance: `${deposit - 55n}`, spent: '55' });
    // 19 more with what was carried.
    expect(await change(who.cheap, () => market.confirm(1n, who.cheap), 1n)).toBe(18n);
    expect(market.bill(1n).lines.map(({ amount, commission }) => [amount, commission])).toEqual([
      ['55', '5'],
      ['19', '1'],
    ]);
  });

  test('is paid for usage that its node signed', async () => {
    const { who, chain } = market;
    await chain.to(12n);
    // 400 × 15.5 / 1000 are 6.2 umu.
    const paid = await change(
      who.cheap,
      async () => expect(await market.report(1n, who.cheap, { to: 12n, quantity: 400n })).toMatchObject(succeeded),
      1n,
    );
    expect(paid).toBe(6n);
    expect(market.lease(1n)).toMatchObject({ paid: '6', remainder: '200000000000000000' });
    const next = { sequence: 2n, from: 13n, to: 13n };
    expect(await market.report(1n, who.cheap, next)).toMatchObject(succeeded);
    expect(market.bill(1n).lines).toHaveLength(2);
  });

  test.each<[string, number, Parameters<Market['report']>[2]]>([
    ['that it had already', 24, { to: 12n }],
    ['that leaves a sequence out', 24, { sequence: 3n, from: 13n, to: 13n }],
    ['for blocks that were reported', 25, { sequence: 2n, from: 12n, to: 13n }],
    ['above the limit', 29, { sequence: 2n, from: 13n, to: 13n, quantity: 101n }],
    ['for blocks that are to come', 27, { sequence: 2n, from: 13n, to: 99n }],
  ])('refuses a report %s (%d)', async (_what, code, options) => {
    const { who, chain } = market;
    await chain.to(12n);
    await market.report(1n, who.cheap, { to: 12n });
    await chain.block();
    const before = market.lease(1n);
    expect(await market.report(1n, who.cheap, options)).toMatchObject(refused('billing', code));
    expect(market.lease(1n)).toEqual(before);
  });

  test('refuses a report of a wrong key (34), of another provider (17), and a confirmation of a stranger (sdk 4)', async () => {
    const { who, chain } = market;
    await chain.to(12n);
    const report = (from: typeof who.cheap, signedBy = who.cheap.node) =>
      market.report(1n, from, { to: 12n, signedBy });
    expect(await report(who.cheap, who.dear.node)).toMatchObject(refused('billing', 34));
    expect(await report(who.dear)).toMatchObject(refused('billing', 17));
    expect(await market.confirm(1n, who.stranger)).toMatchObject(refused('sdk', 4));
    expect(await report(who.cheap)).toMatchObject(succeeded);
  });

  test('that nobody confirms is broken by the block, its collateral is the user’s', async () => {
    const { chain, who } = market;
    expect(market.lease(1n).confirmBy).toBe(38n);
    await chain.to(38n);
    const gained = await change(who.user, async () => {
      const { injected } = await chain.block();
      expect(injected?.result.events.map(({ type }) => type)).toContain('lease_broken');
    });
    expect(gained).toBe(collateral);
    expect(market.lease(1n)).toMatchObject({
      state: LeaseState.LEASE_STATE_BROKEN,
      closeReason: CloseReason.CLOSE_REASON_NOT_CONFIRMED,
      paid: '0',
    });
    expect(await market.confirm(1n, who.cheap)).toMatchObject(refused('market', 24));
  });

  test('ends with its deployment: blocks are paid, late usage too, the rest returns after the window', async () => {
    const { chain, who } = market;
    await chain.to(10n);
    // 3 blocks are 55.5 umu: 50 and the collateral for the provider, and the half umu is dropped.
    expect(await change(who.cheap, () => market.cancel(1n))).toBe(50n + collateral);
    expect(market.lease(1n)).toMatchObject({ state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 11n, remainder: '0' });
    expect(market.escrow(1n)).toMatchObject({
      state: EscrowState.ESCROW_STATE_CLOSING,
      settleHeight: 11n + usageWindow,
    });
    expect(market.deployment(1n).state).toBe(DeploymentState.DEPLOYMENT_STATE_CLOSING);
    expect(await market.report(1n, who.cheap, { to: 11n, quantity: 300n })).toMatchObject(succeeded);
    await chain.to(10n + usageWindow);
    // 55 for blocks, 4 of the 4.65 for usage.
    expect(await change(who.user, () => chain.block())).toBe(deposit - 59n);
    expect(market.escrow(1n)).toMatchObject({ state: EscrowState.ESCROW_STATE_CLOSED, balance: '0', spent: '59' });
    expect(market.deployment(1n).state).toBe(DeploymentState.DEPLOYMENT_STATE_CLOSED);
    const late = { sequence: 2n, from: 12n, to: 12n };
    expect(await market.report(1n, who.cheap, late)).toMatchObject(refused('billing', 23));
    // Deployed and cancelled; everything else of the user's came back.
    expect(market.balance(who.user)).toBe(funds - 59n - 2n * fee);
  });
});

test('a lease that persists opens the next round when it is broken, and that one is matched too', async () => {
  await leased(true);
  const { chain, who } = market;
  await chain.to(39n);
  expect(market.order(1n, 2)).toMatchObject({ state: OrderState.ORDER_STATE_OPEN, createdHeight: 39n });
  expect(await market.bid(who.dear, 1n, '10', 2)).toMatchObject(succeeded);
  await chain.to(market.order(1n, 2).dueHeight);
  expect(market.lease(2n)).toMatchObject({ provider: who.dear.address, state: LeaseState.LEASE_STATE_ACTIVE });
});
