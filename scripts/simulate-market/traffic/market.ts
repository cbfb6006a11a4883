/** Bids and what is done with leases. */
import {
  CloseReason,
  Confirmation,
  MsgAnnounceLeave,
  MsgCancelFulfillment,
  MsgCloseLease,
  MsgSubmitFulfillment,
  MsgSubmitLease,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmations,
  MsgSubmitStaleLease,
  type OrderId,
  OrderState,
} from '@mu/proto/market';
import { needEligible, needPriceList } from '../model/bids.ts';
import { deploymentOf, isLive } from '../model/lookups.ts';
import { providerOf } from '../model/providers.ts';
import type { ModelLease, ModelOrder, ModelProvider } from '../model/records.ts';
import { isStale } from '../model/replacement.ts';
import { accounts, type World } from '../model/world.ts';
import { type Plan, type Scene, say, senderOf, type Twist, twisted } from './scene.ts';

function someOrder({ chance, world }: Scene): ModelOrder | undefined {
  const open = world.lists.order.filter(({ state }) => state === OrderState.ORDER_STATE_OPEN);
  return chance.any(open.length > 0 && !chance.once(20) ? open : world.lists.order);
}

/** A provider for an order: mostly one that may bid for it and has not. */
function bidderFor({ chance, world }: Scene, order: ModelOrder): ModelProvider | undefined {
  const has = ({ owner }: ModelProvider): boolean =>
    world.lists.bid.some((bid) => bid.order === order && bid.state === 1 && bid.provider === owner);
  const fits = world.lists.provider.filter((provider) => !has(provider) && mayBid(world, order, provider));
  return fits.length > 0 || !chance.once(4)
    ? chance.any(chance.once(15) ? world.lists.provider : fits)
    : chance.any(world.lists.provider);
}

function mayBid(world: World, order: ModelOrder, provider: ModelProvider): boolean {
  try {
    needEligible(world, order, provider);
    needPriceList(world, order, provider, order.spec.usageLimits.length === 0 ? 0n : provider.version);
    return true;
  } catch {
    return false;
  }
}

/** Mostly the owner or an operator; now and then another one. */
function actorOf(scene: Scene, provider: ModelProvider): string {
  return senderOf(scene, scene.chance.pick([provider.owner, ...provider.operators]));
}

const wrongBids: readonly Twist<MsgSubmitFulfillment>[] = [
  ({ order }) => ({ order: { ...(order as OrderId), round: 99 } }),
  (_, { actors }) => ({ provider: actors.stranger.address }),
  () => ({ resources: [] }),
  ({ resources: [first, ...rest] }) => ({ resources: [{ ...first!, count: 9 }, ...rest] }),
  ({ resources: [first, ...rest] }) => ({ resources: [{ ...first!, collateral: '1' }, ...rest] }),
  ({ resources: [first, ...rest] }) => ({ resources: [{ ...first!, price: '0' }, ...rest] }),
  ({ resources: [first, ...rest] }) => ({ resources: [{ ...first!, price: `${BigInt(first!.price) * 9n}` }, ...rest] }),
  ({ resources: [first, ...rest] }) => ({
    resources: [{ ...first!, compute: { ...first!.compute!, cpu: first!.compute!.cpu + 1 } }, ...rest],
  }),
  ({ priceListVersion }) => ({ priceListVersion: priceListVersion + 1n }),
  () => ({ priceListVersion: 0n }),
];

export function bid(scene: Scene): Plan | undefined {
  const { chance } = scene;
  const order = someOrder(scene);
  const provider = order && bidderFor(scene, order);
  if (order === undefined || provider === undefined) return undefined;
  const eighths = BigInt(chance.from(1, 8));
  const resources = order.spec.resources.map((group) => {
    const price = (BigInt(group.price) * eighths) / 8n;
    return { ...group, price: `${price === 0n ? 1n : price}` };
  });
  const needsList = order.spec.usageLimits.length > 0 || chance.once(2);
  const fields = MsgSubmitFulfillment.fromPartial({
    sender: actorOf(scene, provider),
    provider: provider.owner,
    order: order.id,
    resources,
    priceListVersion: needsList ? provider.version : 0n,
  });
  return say(fields.sender, MsgSubmitFulfillment, twisted(scene, fields, wrongBids));
}

export function cancelBid(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const open = world.lists.bid.filter(({ state }) => state === 1);
  const bid = chance.any(chance.once(6) ? world.lists.bid : open);
  const provider = bid && providerOf(world, bid.provider);
  if (bid === undefined || provider === undefined) return undefined;
  const sender = actorOf(scene, provider);
  return say(sender, MsgCancelFulfillment, { sender, number: chance.once(20) ? 1_000_000n : bid.number });
}

/** Somebody does by hand what the block does by itself. */
export function matchByHand(scene: Scene): Plan | undefined {
  const { chance, wallets, world } = scene;
  const due = world.lists.order.filter((one) => one.state === 1 && one.due !== 0n && one.due <= world.height);
  const order = chance.any(due) ?? (chance.once(3) ? someOrder(scene) : undefined);
  if (order === undefined) return undefined;
  const sender = chance.once(8) ? accounts.market : chance.pick(wallets).address;
  const signer = chance.pick(wallets).address;
  const id = chance.once(12) ? { ...order.id, dseq: 1_000_000n } : order.id;
  const plan = say(sender, MsgSubmitLease, { sender, order: id });
  return sender === accounts.market ? { ...plan, sender: signer } : plan;
}

export function breakByHand(scene: Scene): Plan | undefined {
  const stale = scene.world.lists.lease.filter((one) => isStale(scene.world, one));
  const lease = scene.chance.any(stale) ?? (scene.chance.once(3) ? someLease(scene, 3) : undefined);
  if (lease === undefined) return undefined;
  const sender = scene.chance.pick(scene.wallets).address;
  return say(sender, MsgSubmitStaleLease, { sender, lease: scene.chance.once(12) ? 1_000_000n : lease.number });
}

/** A lease: once in so many times any, else one that lives. */
export function someLease({ chance, world }: Scene, anyOnceIn = 15): ModelLease | undefined {
  const live = world.lists.lease.filter(isLive);
  return chance.any(chance.once(anyOnceIn) ? world.lists.lease : live);
}

function confirmation({ chance, world }: Scene, lease: ModelLease): Confirmation {
  const revision = deploymentOf(world, lease.order.id)?.revision ?? 1n;
  return Confirmation.fromPartial({
    lease: lease.number,
    endpoints: chance.pick([[], ['http://a.example:80'], ['https://a.example', 'udp://[::1]:53']]),
    manifestState: chance.pick([1, 2, 2, 3, 3]),
    manifestRevision: chance.once(5) ? 0n : revision,
  });
}

const wrongConfirmations: readonly Twist<Confirmation>[] = [
  () => ({ lease: 1_000_000n }),
  () => ({ endpoints: ['not an endpoint'] }),
  () => ({ endpoints: ['http://a', 'http://a'] }),
  () => ({ endpoints: ['http://1', 'http://2', 'http://3', 'http://4', 'http://5'] }),
  () => ({ endpoints: [`http://${'a'.repeat(130)}`] }),
  () => ({ manifestState: 0 }),
];

export function confirm(scene: Scene): Plan | undefined {
  const lease = someLease(scene);
  const provider = lease && providerOf(scene.world, lease.provider);
  if (lease === undefined || provider === undefined) return undefined;
  const sender = actorOf(scene, provider);
  const given = twisted(scene, confirmation(scene, lease), wrongConfirmations);
  return say(sender, MsgSubmitLeaseConfirmation, { sender, confirmation: given });
}

/** Confirms together what is soon over, as a daemon does. */
export function confirmMany(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const provider = chance.any(world.lists.provider);
  if (provider === undefined) return undefined;
  const own = world.lists.lease.filter((lease) => isLive(lease) && lease.provider === provider.owner);
  const soon = own.filter((lease) => !isStale(world, lease) && lease.confirmBy <= world.height + 3n);
  const chosen = chance.once(12) ? world.lists.lease.slice(-9) : soon.slice(0, 8);
  if (chosen.length === 0 && !chance.once(40)) return undefined;
  const confirmations = chosen.map((lease) => twisted(scene, confirmation(scene, lease), wrongConfirmations));
  const sender = actorOf(scene, provider);
  return say(sender, MsgSubmitLeaseConfirmations, { sender, confirmations });
}

/** The provider of a lease that will not be confirmed in time confirms it. */
export function rescue(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const soon = world.lists.lease
    .filter((one) => one.state === 1 && !isStale(world, one) && one.confirmBy <= world.height + 3n)
    .sort((a, b) => Number(a.confirmBy - b.confirmBy));
  const [lease] = soon;
  const provider = lease && providerOf(world, lease.provider);
  if (lease === undefined || provider === undefined) return undefined;
  const sender = chance.pick([provider.owner, ...provider.operators]);
  const own = soon.filter((one) => one.provider === lease.provider && one !== lease).slice(0, 7);
  if (own.length === 0)
    return say(sender, MsgSubmitLeaseConfirmation, { sender, confirmation: confirmation(scene, lease) });
  const confirmations = [lease, ...own].map((one) => confirmation(scene, one));
  return say(sender, MsgSubmitLeaseConfirmations, { sender, confirmations });
}

const providerReasons = [4, 4, 4, 5, 7, 8, 9, 10] as const;

export function close(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const unfunded = chance.once(4) ? chance.any(world.lists.lease.filter(({ state }) => state === 2)) : undefined;
  const lease = unfunded ?? someLease(scene);
  const provider = lease && providerOf(world, lease.provider);
  if (lease === undefined || provider === undefined) return undefined;
  const isUser = chance.once(3);
  const sender = isUser ? senderOf(scene, lease.order.id.owner) : actorOf(scene, provider);
  const usual = isUser ? chance.pick([1, 11]) : chance.pick(providerReasons);
  const reason = chance.once(15) ? chance.below(14) : usual;
  return say(sender, MsgCloseLease, { sender, lease: lease.number, reason: reason as CloseReason });
}

/** A provider whose notice is over goes. */
export function closeAfterNotice(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const over = world.lists.lease.filter((one) => isLive(one) && one.leave !== 0n && one.leave <= world.height);
  const lease = chance.any(over);
  if (lease === undefined) return undefined;
  const reason = CloseReason.CLOSE_REASON_PROVIDER_NOTICE;
  return say(lease.provider, MsgCloseLease, { sender: lease.provider, lease: lease.number, reason });
}

export function leave(scene: Scene): Plan | undefined {
  const lease = someLease(scene);
  const provider = lease && providerOf(scene.world, lease.provider);
  if (lease === undefined || provider === undefined) return undefined;
  const sender = actorOf(scene, provider);
  return say(sender, MsgAnnounceLeave, { sender, lease: lease.number });
}
