/** Orders: how they open, close and are matched (x/market/README.md "State", "Ends", "Replacement"). */
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { type CloseReason, FulfillmentState, LossReason, type OrderId, OrderState } from '@mu/proto/market';
import { sumOf } from '../fraction.ts';
import { type Place, roundsOf } from './lookups.ts';
import { priceOf } from './offers.ts';
import { receiversOf } from './providers.ts';
import type { ModelBid, ModelDeployment, ModelLease, ModelOrder } from './records.ts';
import { found, need } from './refusal.ts';
import { accounts, type World } from './world.ts';

const space = 'market';
const excludedByMarketAtMost = 32;

export const orderOf = (world: World, id: OrderId): ModelOrder | undefined =>
  roundsOf(world, id).find((order) => order.id.round === id.round);

/** Open bids of an order, the best first: the lowest total, then the lowest number. */
export function openBids(world: World, order: ModelOrder): ModelBid[] {
  const own = world.lists.bid.filter(
    (bid) => bid.order === order && bid.state === FulfillmentState.FULFILLMENT_STATE_OPEN,
  );
  return own.sort((a, b) =>
    a.total.isAbove(b.total) ? 1 : b.total.isAbove(a.total) ? -1 : Number(a.number - b.number),
  );
}

/** The infrastructure at an index, where it was not removed. */
export const standingAt = (deployment: ModelDeployment, index: number): DeploymentInfrastructure | undefined =>
  deployment.removed.includes(index) ? undefined : deployment.infrastructure[index];

/** Whom the market itself excluded from an order. */
export const excludedByMarket = (spec: DeploymentInfrastructure, infrastructure: DeploymentInfrastructure): string[] =>
  spec.excludedProviders.filter((one) => !infrastructure.excludedProviders.includes(one));

/** What the next round asks; undefined where nobody may ever fulfil it. */
export function nextSpec(
  infrastructure: DeploymentInfrastructure,
  excluded: readonly string[],
): DeploymentInfrastructure {
  const own = infrastructure.excludedProviders;
  const added = [...new Set(excluded)].filter((one) => !own.includes(one)).slice(-excludedByMarketAtMost);
  return { ...infrastructure, excludedProviders: [...own, ...added] };
}

export const isHopeless = (spec: DeploymentInfrastructure): boolean =>
  spec.provider !== '' && spec.excludedProviders.includes(spec.provider);

/** Opens the next round of an infrastructure. */
export function openNext(
  world: World,
  place: Place,
  asks: { readonly spec: DeploymentInfrastructure; readonly wait: bigint; readonly replaces: bigint },
): void {
  const { owner, dseq, infrastructure } = place;
  const id = { owner, dseq, infrastructure, round: roundsOf(world, place).length + 1 };
  const { height } = world;
  const none = { due: 0n, lease: 0n, reason: 0 as const, closed: 0n };
  const times = { ready: height + asks.wait, created: height };
  const { spec, replaces } = asks;
  world.add({ kind: 'order', id, spec, replaces, state: OrderState.ORDER_STATE_OPEN, ...times, ...none });
}

/** Closes an order; its open bids are lost with it. */
export function closeOrder(world: World, order: ModelOrder, reason: CloseReason): void {
  for (const bid of openBids(world, order)) lose(world, bid, LossReason.LOSS_REASON_ORDER_CLOSED);
  world.change(order, { state: OrderState.ORDER_STATE_CLOSED, reason, closed: world.height, due: 0n });
}

/** Gives a collateral back: to the payout address, else to the owner, else to nobody. */
export function refund(world: World, provider: string, amount: bigint): void {
  if (!world.payFirst(accounts.market, receiversOf(world, provider), amount)) world.burn(accounts.market, amount);
}

export function lose(world: World, bid: ModelBid, loss: LossReason): void {
  world.change(bid, { state: FulfillmentState.FULFILLMENT_STATE_LOST, loss, closed: world.height });
  refund(world, bid.provider, bid.collateral);
}

/** @throws Refusal matched (3), closed (4) */
export function needOpen(order: ModelOrder): void {
  need(order.state !== OrderState.ORDER_STATE_MATCHED, space, 3);
  need(order.state === OrderState.ORDER_STATE_OPEN, space, 4);
}

/** SubmitLease: the lowest total wins, the earlier bid on a tie. */
export function match(world: World, { order: id }: { readonly order?: OrderId | undefined }): object {
  const order = found(orderOf(world, found(id, 'sdk', 18)), space, 2);
  needOpen(order);
  need(order.due !== 0n && order.due <= world.height, space, 22);
  const [winner, ...others] = openBids(world, order);
  const won = found(winner, 'model', 2);
  world.change(won, { state: FulfillmentState.FULFILLMENT_STATE_MATCHED, closed: world.height });
  const lease = newLease(world, order, won);
  const matched = { state: OrderState.ORDER_STATE_MATCHED, lease: lease.number, due: 0n };
  world.change(order, matched);
  for (const bid of others) lose(world, bid, LossReason.LOSS_REASON_OUTBID);
  return { lease: lease.number, provider: lease.provider };
}

function newLease(world: World, order: ModelOrder, bid: ModelBid): ModelLease {
  const { height } = world;
  const number = world.single('lastLease') + 1n;
  world.setSingle('lastLease', number);
  const none = { reason: 0, firstConfirmed: 0n, confirmedBlocks: 0n, leave: 0n, graceUntil: 0n, closed: 0n } as const;
  const bill = { paid: 0n, commission: 0n, lines: 0n, hash: new Uint8Array(32), interest: 0n };
  return world.add({
    kind: 'lease',
    number,
    order,
    provider: bid.provider,
    resources: bid.resources,
    price: sumOf(bid.resources.map(priceOf)),
    version: bid.version,
    limits: order.spec.usageLimits,
    collateral: bid.collateral,
    persist: order.spec.persist,
    state: 1,
    created: height,
    confirmBy: height + world.single('market').confirmationBlocks,
    paidThrough: height,
    endpoints: [],
    manifestState: 1,
    manifestRevision: 0n,
    remainder: sumOf([]),
    replaces: order.replaces,
    ...none,
    ...bill,
  });
}
