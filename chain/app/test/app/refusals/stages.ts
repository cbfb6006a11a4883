/** The situations in which messages are refused. Blocks alone change nothing in them, but for the one with a twin. */
import { MsgUpdateParams as MsgUpdateBilling } from '@mu/proto/billing';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { CloseReason, ManifestState, MsgUpdateParams } from '@mu/proto/market';
import { RemovalReason } from '@mu/proto/provider';
import { defaultParams as billingDefaults } from '@mu/x-billing/params';
import { defaultParams as marketDefaults } from '@mu/x-market/params';
import { type Actor, type ModuleParams, umu } from '../market.ts';
import { begin, far, type Stage, take } from './chain-of.ts';
import * as say from './messages.ts';

export type { Stage } from './chain-of.ts';

/** The provider with keys: one that holds, one that is over, one that is to come; and one that leaves. */
async function moreProviders(at: Stage): Promise<void> {
  const { keeper, leaver, operator } = at.more;
  const known = {
    operators: [operator.address],
    attributes: [{ key: 'tier', value: 'gold' }],
    nodeAuthorityKey: keeper.authority.publicKey,
    encryptionKeys: [say.key(1), say.key(2, { validToHeight: 1n }), say.key(3, { validFromHeight: 1_000_000n })],
  };
  await take(at, say.registration(at, known, keeper), say.registration(at, {}, leaver));
  await take(at, say.departure(leaver));
}

/** Providers stand; nobody asks for anything. One more price list, one more node are too many. */
async function registered(): Promise<Stage> {
  const at = await begin({ provider: { max_nodes: 1, max_price_lists: '1' } });
  await moreProviders(at);
  return at;
}

/** Two providers left, one with keys, and have their deposits back. One more price list is too many. */
async function gone(): Promise<Stage> {
  const at = await begin({ provider: { unbonding_blocks: '1', max_price_lists: '1' } });
  await moreProviders(at);
  await take(at, say.departure(at.who.remote), say.departure(at.more.keeper));
  await at.market.chain.to(at.market.chain.height + 2n);
  return at;
}

/**
 * Orders by their dseq: 1 asks nothing special, 2 chooses the dear one, 3 excludes the cheap one, 4 asks for another
 * service, 5 for an audited attribute, 6 for cheaper usage; 7 has a bid in a book of one place, 8 asks for a collateral that
 * nobody has, 9 of the rich one may cost what no total can. Bid 1 was taken back, bid 2 stands for order 7.
 */
async function ordered(): Promise<Stage> {
  const at = await begin({
    deployment: { max_active_deployments: 8, sealed_manifest_fee_per_byte: '1000000000' },
    market: { min_auction_blocks: far, max_bids_per_order: 1, max_open_bids: 1 },
    billing: { max_depositors: 1 },
  });
  await moreProviders(at);
  const { cheap, dear, stranger } = at.who;
  const limit = { metric: say.invocations, maxPrice: umu('1'), maxPricePer: 1000n, maxQuantityPerBlock: 100n };
  const asks: readonly Partial<DeploymentInfrastructure>[] = [
    {},
    { provider: dear.address },
    { excludedProviders: [cheap.address] },
    { services: ['mu-db'] },
    { attributes: [{ key: 'tier', value: 'gold' }], auditedBy: [stranger.address] },
    { usageLimits: [limit], expectedUsage: [] },
    {},
    { resources: [say.group({ collateral: '1000000000000' })] },
  ];
  await take(at, ...asks.map((one, index) => say.submission(at, one, { dseq: BigInt(index + 1) })));
  const dearest = { resources: [say.group({ price: say.maxDec })] };
  await take(at, say.submission(at, dearest, { dseq: 9n, deposit: say.coin(10n ** 40n) }, at.more.rich));
  await take(at, say.bid(at, 1n));
  await take(at, say.bidWithdrawal(cheap, 1n), say.bid(at, 7n, {}, dear));
  return at;
}

/** Deploys, bids and waits for the match. @param asks of the infrastructure */
async function lease(
  at: Stage,
  dseq: bigint,
  from: Actor,
  asks: Partial<DeploymentInfrastructure> = {},
): Promise<void> {
  await take(at, say.submission(at, asks, { dseq }));
  await take(at, say.bid(at, dseq, {}, from));
  await at.market.chain.to(at.market.order(dseq).dueHeight);
}

/** Nodes of the cheap one beside its first: one to come, one over, one retired, one stolen. */
async function moreNodes(at: Stage): Promise<void> {
  const { cheap, dear } = at.who;
  const { height } = at.market.chain;
  await take(
    at,
    say.node(at, { nodeId: 'later', validFromHeight: 1_000_000n, validToHeight: 2_000_000n }),
    say.node(at, { nodeId: 'over', validToHeight: height + 1n }),
    say.node(at, { nodeId: 'retired' }),
    say.node(at, { nodeId: 'stolen' }),
    say.node(at, { nodeId: 'other' }, dear),
  );
  const stolen = { nodeId: 'stolen', reason: RemovalReason.REMOVAL_REASON_COMPROMISED };
  await take(at, say.nodeRemoval(at, { nodeId: 'retired' }, cheap), say.nodeRemoval(at, stolen, cheap));
}

/**
 * Lease 1 of the cheap one is over, its escrow closes; lease 2 of the cheap one is confirmed as received; the dear one
 * gave notice for lease 3; order 4 is open. Two leases of a provider are too many.
 */
async function leased(): Promise<Stage> {
  const at = await begin({ market: { max_active_leases: 1 }, billing: { max_items: 2 } });
  const { cheap, dear, user } = at.who;
  await lease(at, 1n, cheap);
  await take(at, say.end(user, 1n, CloseReason.CLOSE_REASON_BY_USER));
  await lease(at, 2n, cheap);
  await lease(at, 3n, dear);
  await take(at, say.confirmation(cheap), say.notice(dear, 3n), say.submission(at, {}, { dseq: 4n }));
  await moreNodes(at);
  return at;
}

/** Lease 1 runs, and its escrow is spent. */
async function unfunded(): Promise<Stage> {
  const at = await begin({ market: { manifest_timeout_blocks: '1' }, billing: { min_runway_blocks: '1' } });
  const { market, who } = at;
  await lease(at, 1n, who.cheap, { usageLimits: [], expectedUsage: [] });
  const { balance, reserve } = market.escrow(1n);
  await take(at, say.withdrawal(at, 1n, { amount: say.coin(BigInt(balance) - BigInt(reserve)) }));
  await market.chain.to(market.lease(1n).createdHeight + 5n);
  await take(at, say.confirmation(who.cheap, { lease: 1n, manifestState: ManifestState.MANIFEST_STATE_RUNNING }));
  return at;
}

/** Six leases that were made in one block and never confirmed; of those that are stale, a block breaks but one. */
async function staleOnce(): Promise<Stage> {
  const quick: ModuleParams = { market: { confirmation_blocks: '5' } };
  const at = await begin(quick);
  const { authority } = at.more;
  const dseqs = [1n, 2n, 3n, 4n, 5n, 6n];
  await take(at, ...dseqs.map((dseq) => say.submission(at, {}, { dseq })));
  await take(at, ...dseqs.map((dseq) => say.bid(at, dseq)));
  await at.market.chain.to(at.market.order(1n).dueHeight);
  const params = { ...marketDefaults(), confirmationBlocks: 5n, maxInjectedItems: 1 };
  await take(
    at,
    say.send(authority, MsgUpdateParams, MsgUpdateParams.fromPartial({ authority: authority.address, params })),
  );
  await at.market.chain.to(at.market.lease(6n).confirmBy);
  return at;
}

async function stale(): Promise<Stage> {
  return { ...(await staleOnce()), twin: (await staleOnce()).market.chain };
}

/** Lease 1 is over, its escrow settled; the stranger has shares of it. */
async function closed(): Promise<Stage> {
  const at = await begin({ billing: { usage_window_blocks: '2' } });
  await lease(at, 1n, at.who.cheap);
  await take(at, say.payment(at, 1n, {}, at.who.stranger));
  await take(at, say.cancellation(at.who.user, 1n));
  await at.market.chain.to(at.market.chain.height + 3n);
  return at;
}

/** The same; since then the window of late reports was made longer. */
async function settled(): Promise<Stage> {
  const at = await closed();
  const { authority } = at.more;
  const params = { ...billingDefaults(), usageWindowBlocks: 10_000n };
  await take(
    at,
    say.send(authority, MsgUpdateBilling, MsgUpdateBilling.fromPartial({ authority: authority.address, params })),
  );
  return at;
}

/** Lease 1 of the rich one, whose usage costs 10³⁶ umu a piece: the most that a decimal can say. */
async function precious(): Promise<Stage> {
  const at = await begin();
  const { market, more, who } = at;
  await take(at, say.priceList(at, [say.price({ price: say.maxDec, per: 1n })]));
  const limit = { metric: say.invocations, maxPrice: say.maxDec, maxPricePer: 1n, maxQuantityPerBlock: 10n };
  const asks = { usageLimits: [limit], expectedUsage: [] };
  await take(at, say.submission(at, asks, { dseq: 1n, deposit: say.coin(10n ** 45n) }, more.rich));
  const order = { ...market.orderId(1n), owner: more.rich.address };
  await take(at, say.bid(at, 1n, { order, priceListVersion: 2n }, who.cheap));
  await market.chain.to(market.chain.height + 3n);
  return at;
}

/** Limits at which things are still taken: a lease stands, and the rich one has an order and may have more. */
async function limits(): Promise<Stage> {
  const params = {
    provider: { max_prices: 3 },
    deployment: { max_usage_limits: 3 },
    market: { max_confirmations: 3 },
  };
  const at = await begin(params, true);
  await moreProviders(at);
  await lease(at, 1n, at.who.cheap);
  await take(at, say.submission(at, {}, { dseq: 1n }, at.more.rich));
  return at;
}

export const stages = {
  registered,
  gone,
  ordered,
  leased,
  unfunded,
  stale,
  closed,
  settled,
  precious,
  limits,
} as const satisfies Readonly<Record<string, () => Promise<Stage>>>;
export type StageName = keyof typeof stages;
