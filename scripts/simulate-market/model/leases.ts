/** Messages of standing leases (x/market/README.md "Messages"). */
import {
  CloseReason,
  type Confirmation,
  LeaseState,
  ManifestState,
  type MsgCloseLease,
  type MsgSubmitLeaseConfirmation,
  type MsgSubmitLeaseConfirmations,
} from '@mu/proto/market';
import { endLease } from './ends.ts';
import { type Paid, payBlocks } from './funds.ts';
import { deploymentOf, isLive, leaseOf } from './lookups.ts';
import { acts } from './providers.ts';
import type { ModelLease } from './records.ts';
import { found, need, Refusal } from './refusal.ts';
import { beginForNotice, isStale, takePlace } from './replacement.ts';
import type { World } from './world.ts';

const space = 'market';
const unfunded = LeaseState.LEASE_STATE_OUT_OF_FUNDS;

function needInTime(world: World, lease: ModelLease): void {
  need(isLive(lease), space, 24);
  need(!isStale(world, lease), space, 26);
}

const holds = (state: ManifestState): boolean =>
  state === ManifestState.MANIFEST_STATE_RECEIVED || state === ManifestState.MANIFEST_STATE_RUNNING;

function needSayable(world: World, { endpoints, manifestState }: Confirmation): void {
  const { maxEndpoints, maxEndpointBytes } = world.single('market');
  const fits = (one: string): boolean =>
    /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/.test(one) && one.length <= maxEndpointBytes;
  need(endpoints.length <= maxEndpoints && endpoints.every(fits), space, 27);
  need(new Set(endpoints).size === endpoints.length, space, 27);
  need(manifestState >= 1 && manifestState <= 3, space, 28);
}

function confirm(world: World, sender: string, confirmation: Confirmation): { lease: ModelLease; done: Paid } {
  const lease = found(leaseOf(world, confirmation.lease), space, 23);
  need(acts(world, lease.provider, sender), 'sdk', 4);
  needInTime(world, lease);
  needSayable(world, confirmation);
  const { endpoints, manifestState, manifestRevision } = confirmation;
  const before = { state: lease.manifestState, revision: lease.manifestRevision };
  const firstConfirmed = lease.firstConfirmed || world.height;
  const confirmBy = world.height + world.single('market').reconfirmationBlocks;
  world.change(lease, { endpoints, manifestState, manifestRevision, firstConfirmed, confirmBy });
  const done = payBlocks(world, lease);
  const isNews = !holds(before.state) || before.revision !== manifestRevision;
  if (holds(manifestState) && isNews) dropSealed(world, lease);
  takePlace(world, lease);
  return { lease, done };
}

/** A sealed manifest has done its work once its provider holds the revision. */
function dropSealed(world: World, lease: ModelLease): void {
  const deployment = deploymentOf(world, lease.order.id);
  if (deployment?.sealed?.provider !== lease.provider || deployment.revision !== lease.manifestRevision) return;
  world.change(deployment, { sealed: undefined });
}

export function submitLeaseConfirmation(world: World, message: MsgSubmitLeaseConfirmation): object {
  const { lease, done } = confirm(world, message.sender, found(message.confirmation, 'sdk', 18));
  return { paid: `${done.paid}`, commission: `${done.commission}`, state: lease.state };
}

/** A batch: each confirmation stands or falls by itself. */
export function submitLeaseConfirmations(world: World, { sender, confirmations }: MsgSubmitLeaseConfirmations): object {
  const { maxConfirmations } = world.single('market');
  need(confirmations.length > 0 && confirmations.length <= maxConfirmations, space, 29);
  const results = confirmations.map((one) => {
    try {
      const { done } = world.whole(() => confirm(world, sender, one));
      return { lease: one.lease, paid: `${done.paid}`, code: 0, codespace: '' };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { lease: one.lease, paid: '0', code: error.code, codespace: error.codespace };
    }
  });
  return { results };
}

const userReasons: readonly CloseReason[] = [CloseReason.CLOSE_REASON_BY_USER, CloseReason.CLOSE_REASON_NOT_SERVING];
const manifestReasons: readonly CloseReason[] = [
  CloseReason.CLOSE_REASON_MANIFEST_MISSING,
  CloseReason.CLOSE_REASON_MANIFEST_INVALID,
  CloseReason.CLOSE_REASON_IMAGE_UNAVAILABLE,
  CloseReason.CLOSE_REASON_POLICY,
];
const providerReasons: readonly CloseReason[] = [
  CloseReason.CLOSE_REASON_PROVIDER_NOTICE,
  CloseReason.CLOSE_REASON_PROVIDER_AT_ONCE,
  ...manifestReasons,
];
const notWithoutFunds: readonly CloseReason[] = [
  CloseReason.CLOSE_REASON_NOT_SERVING,
  CloseReason.CLOSE_REASON_PROVIDER_AT_ONCE,
];

export function closeLease(world: World, { sender, lease: number, reason }: MsgCloseLease): object {
  const lease = found(leaseOf(world, number), space, 23);
  const isUser = lease.order.id.owner === sender;
  const isProvider = acts(world, lease.provider, sender);
  need(isUser || isProvider, 'sdk', 4);
  needInTime(world, lease);
  const allowed = [...(isUser ? userReasons : []), ...(isProvider ? providerReasons : [])];
  need(allowed.includes(reason), space, 30);
  need(lease.state !== unfunded || !notWithoutFunds.includes(reason), space, 34);
  if (reason === CloseReason.CLOSE_REASON_PROVIDER_NOTICE) {
    need(lease.leave !== 0n && world.height >= lease.leave, space, 31);
  }
  if (manifestReasons.includes(reason)) needNoManifest(world, lease, reason);
  return endLease(world, lease, reason);
}

function needNoManifest(world: World, lease: ModelLease, reason: CloseReason): void {
  need(world.height >= lease.created + world.single('market').manifestTimeoutBlocks, space, 32);
  need(lease.manifestState !== ManifestState.MANIFEST_STATE_RUNNING, space, 33);
  const isMissing = reason === CloseReason.CLOSE_REASON_MANIFEST_MISSING;
  need(!isMissing || lease.manifestState !== ManifestState.MANIFEST_STATE_RECEIVED, space, 33);
}

export function announceLeave(world: World, message: { readonly sender: string; readonly lease: bigint }): object {
  const lease = found(leaseOf(world, message.lease), space, 23);
  need(acts(world, lease.provider, message.sender), 'sdk', 4);
  needInTime(world, lease);
  need(lease.leave === 0n, space, 35);
  world.change(lease, { leave: world.height + world.single('market').leaveNoticeBlocks });
  const leaveHeight = lease.leave;
  beginForNotice(world, lease);
  return { leaveHeight };
}

/** SubmitStaleLease, by the block or by anyone. */
export function breakStale(world: World, message: { readonly lease: bigint }): object {
  const lease = found(leaseOf(world, message.lease), space, 23);
  need(isLive(lease), space, 24);
  need(lease.state !== unfunded, space, 34);
  need(isStale(world, lease), space, 25);
  const { toUser, burnt } = endLease(world, lease, CloseReason.CLOSE_REASON_NOT_CONFIRMED);
  return { toUser, burnt };
}

/** Ends leases whose grace is over, the oldest first, not more in a block than may be matched. */
export function endGraces(world: World): void {
  const over = world.lists.lease
    .filter(({ state, graceUntil }) => state === unfunded && graceUntil <= world.height)
    .sort((a, b) => Number(a.graceUntil - b.graceUntil) || Number(a.number - b.number));
  for (const lease of over.slice(0, world.single('market').maxInjectedItems)) {
    endLease(world, lease, CloseReason.CLOSE_REASON_OUT_OF_FUNDS);
  }
}
