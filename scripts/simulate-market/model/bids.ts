/** Bids: the ladder of x/market/README.md, evictions, and taking back. */
import { Compute } from '@mu/proto/deployment';
import {
  FulfillmentState,
  LossReason,
  type MsgCancelFulfillment,
  type MsgSubmitFulfillment,
  type ResourceOffer,
} from '@mu/proto/market';
import { Fraction, larger } from '../fraction.ts';
import { isLive } from './lookups.ts';
import { collateralOf, isAboveLimit, totalOf } from './offers.ts';
import { lose, needOpen, openBids, orderOf, refund } from './orders.ts';
import { acts, listOf, providerOf, providerStates, satisfies } from './providers.ts';
import type { ModelBid, ModelOrder, ModelProvider } from './records.ts';
import { found, need } from './refusal.ts';
import { accounts, type World } from './world.ts';

const space = 'market';
const open = FulfillmentState.FULFILLMENT_STATE_OPEN;
const greatest = Fraction.of(10n ** 36n);

export function submitFulfillment(world: World, message: MsgSubmitFulfillment): object {
  const order = found(orderOf(world, found(message.order, 'sdk', 18)), space, 2);
  needOpen(order);
  const provider = found(providerOf(world, message.provider), space, 5);
  need(acts(world, provider.owner, message.sender), 'sdk', 4);
  needEligible(world, order, provider);
  needSameResources(order, message.resources);
  needPriceList(world, order, provider, message.priceListVersion);
  needRoom(world, order, provider.owner);
  const prices = listOf(world, provider.owner, message.priceListVersion)?.prices ?? [];
  const total = totalOf(order.spec, message.resources, prices);
  need(!total.isAbove(greatest), space, 38);
  const bid = enter(world, order, message, total);
  return { number: bid.number, total: total.atomics() };
}

/** @throws Refusal 6 to 11 */
export function needEligible(world: World, { spec }: ModelOrder, provider: ModelProvider): void {
  const { owner, stated } = provider;
  need(provider.state === providerStates.active, space, 6);
  need(stated.regions.includes(spec.region), space, 7);
  need(spec.provider === '' || spec.provider === owner, space, 8);
  need(!spec.excludedProviders.includes(owner), space, 9);
  need(
    spec.services.every((service) => stated.services.includes(service)),
    space,
    10,
  );
  need(satisfies(world, owner, spec.attributes, spec.auditedBy), space, 11);
}

const textOf = (compute: Compute | undefined): string =>
  compute === undefined ? '' : Buffer.from(Compute.encode(compute).finish()).toString('hex');

function needSameResources({ spec }: ModelOrder, offers: readonly ResourceOffer[]): void {
  need(offers.length === spec.resources.length, space, 12);
  offers.forEach(({ compute, count, collateral, price }, at) => {
    const asked = spec.resources[at];
    const isSame = textOf(compute) === textOf(asked?.compute) && count === asked?.count;
    need(isSame && collateral === asked?.collateral, space, 12);
    need(BigInt(price) > 0n && BigInt(price) <= BigInt(asked.price), space, 13);
  });
}

/** @throws Refusal 14, 15 */
export function needPriceList(world: World, { spec }: ModelOrder, provider: ModelProvider, version: bigint): void {
  if (version === 0n && spec.usageLimits.length === 0) return;
  need(version !== 0n && version === provider.version, space, 14);
  const { prices } = found(listOf(world, provider.owner, version), space, 14);
  for (const limit of spec.usageLimits) {
    const price = prices.find(({ metric }) => metric === limit.metric);
    need(price === undefined || !isAboveLimit(price, limit), space, 15);
  }
}

function needRoom(world: World, order: ModelOrder, provider: string): void {
  const { maxOpenBids, maxActiveLeases } = world.single('market');
  const bids = world.lists.bid.filter((bid) => bid.provider === provider && bid.state === open);
  need(!bids.some((bid) => bid.order === order), space, 16);
  need(bids.length < maxOpenBids, space, 17);
  const leases = world.lists.lease.filter((lease) => lease.provider === provider && isLive(lease));
  need(bids.length + leases.length < maxActiveLeases, space, 18);
}

function enter(world: World, order: ModelOrder, message: MsgSubmitFulfillment, total: Fraction): ModelBid {
  const { maxBidsPerOrder, minAuctionBlocks } = world.single('market');
  const standing = openBids(world, order);
  const worst = standing.length >= maxBidsPerOrder ? standing.at(-1) : undefined;
  if (worst !== undefined) {
    need(worst.total.isAbove(total), space, 19);
    lose(world, worst, LossReason.LOSS_REASON_EVICTED);
  }
  const collateral = collateralOf(message.resources);
  world.move(message.sender, accounts.market, collateral);
  const number = world.single('lastBid') + 1n;
  world.setSingle('lastBid', number);
  if (standing.length === 0) world.change(order, { due: larger(order.ready, world.height + minAuctionBlocks) });
  world.touched.add(order);
  const { provider, resources, priceListVersion: version } = message;
  const rest = { state: open, height: world.height, loss: 0, closed: 0n };
  return world.add({ kind: 'bid', number, order, provider, resources, version, total, collateral, ...rest });
}

export function cancelFulfillment(world: World, { sender, number }: MsgCancelFulfillment): object {
  const bid = found(
    world.lists.bid.find((one) => one.number === number),
    space,
    20,
  );
  need(acts(world, bid.provider, sender), 'sdk', 4);
  need(bid.state === open, space, 21);
  world.change(bid, { state: FulfillmentState.FULFILLMENT_STATE_CANCELED, closed: world.height });
  world.change(bid.order, openBids(world, bid.order).length === 0 ? { due: 0n } : {});
  refund(world, bid.provider, bid.collateral);
  return {};
}
