/** Pure rules of leases: how they begin, are confirmed, and end. The tables of the README are the ones of this file. */
import { parseAmount } from '@mu/lib/amounts';
import { Dec } from '@mu/lib/dec';
import {
  CloseReason,
  type Confirmation,
  type Fulfillment,
  Lease,
  LeaseState,
  ManifestState,
  type Order,
  type Params,
} from '@mu/proto/market';
import {
  errCloseReason,
  errEndpoints,
  errLeaseNotStale,
  errLeaseOver,
  errLeaseStale,
  errManifestState,
  errManifestTimeout,
  errManifestUsable,
  errNoticeGiven,
  errNoticeNotOver,
  errOutOfFunds,
} from './errors.ts';
import { pricePerBlock } from './fulfillments.ts';
import { specOf } from './orders.ts';
import { isLive } from './state.ts';

/** Why something ends, as the proto names it. */
export type Reason = Exclude<CloseReason, 0 | -1>;

/** How a lease ends for a reason. */
export interface End {
  /** the blocks up to the end are paid; otherwise only what was confirmed */
  readonly pays: boolean;
  /** the collateral returns to the provider, or is divided as that of a broken lease */
  readonly collateral: 'returned' | 'broken';
  /** a new order opens: never, where the infrastructure says `persist`, always */
  readonly reopens: 'never' | 'persist' | 'always';
  /** the provider is excluded from the new order */
  readonly excludes: boolean;
  /** the collateral bears interest */
  readonly interest: boolean;
}

const end = (
  pays: boolean,
  collateral: End['collateral'],
  reopens: End['reopens'],
  also: Partial<Pick<End, 'excludes' | 'interest'>> = {},
): End => ({ pays, collateral, reopens, excludes: false, interest: false, ...also });

/** Ends by reason (design §5 "Ends"). */
export const ends: Readonly<Record<Reason, End>> = {
  [CloseReason.CLOSE_REASON_BY_USER]: end(true, 'returned', 'never', { interest: true }),
  [CloseReason.CLOSE_REASON_DEPLOYMENT_CANCELED]: end(true, 'returned', 'never', { interest: true }),
  [CloseReason.CLOSE_REASON_DEPLOYMENT_UPDATED]: end(true, 'returned', 'never', { interest: true }),
  [CloseReason.CLOSE_REASON_PROVIDER_NOTICE]: end(true, 'returned', 'persist'),
  [CloseReason.CLOSE_REASON_PROVIDER_AT_ONCE]: end(false, 'broken', 'persist'),
  [CloseReason.CLOSE_REASON_NOT_CONFIRMED]: end(false, 'broken', 'persist'),
  // A new order without this provider: the same reason would come back at once from the same one, until funds are gone.
  [CloseReason.CLOSE_REASON_MANIFEST_MISSING]: end(true, 'returned', 'persist', { excludes: true }),
  [CloseReason.CLOSE_REASON_MANIFEST_INVALID]: end(true, 'returned', 'persist', { excludes: true }),
  [CloseReason.CLOSE_REASON_IMAGE_UNAVAILABLE]: end(true, 'returned', 'persist', { excludes: true }),
  [CloseReason.CLOSE_REASON_POLICY]: end(true, 'returned', 'persist', { excludes: true }),
  [CloseReason.CLOSE_REASON_NOT_SERVING]: end(true, 'returned', 'always', { excludes: true }),
  [CloseReason.CLOSE_REASON_OUT_OF_FUNDS]: end(false, 'returned', 'never'),
  [CloseReason.CLOSE_REASON_MATCH_FAILED]: end(false, 'broken', 'never'),
};

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

/** The lease that a won bid becomes in the block of `height`; that block itself is not paid. */
export function newLease(number: bigint, order: Order, bid: Fulfillment, height: bigint, params: Params): Lease {
  const spec = specOf(order);
  return Lease.fromPartial({
    number,
    order: order.id,
    region: spec.region,
    provider: bid.provider,
    resources: bid.resources,
    pricePerBlock: pricePerBlock(bid.resources).atomicsString(),
    priceListVersion: bid.priceListVersion,
    usageLimits: spec.usageLimits,
    collateral: bid.collateral,
    persist: spec.persist,
    state: LeaseState.LEASE_STATE_ACTIVE,
    createdHeight: height,
    confirmBy: height + params.confirmationBlocks,
    paidThrough: height,
    manifestState: ManifestState.MANIFEST_STATE_WAITING,
    remainder: '0',
    paid: '0',
    commission: '0',
    billHash: new Uint8Array(32),
    replaces: order.replaces,
    interest: '0',
  });
}

/** Whether nobody can confirm it in time any more. A lease that is out of funds cannot be broken. */
export function isStale(lease: Lease, height: bigint): boolean {
  return lease.state === LeaseState.LEASE_STATE_ACTIVE && lease.confirmBy < height;
}

/** @throws AbciError over (24) */
export function assertLive(lease: Lease): void {
  if (!isLive(lease)) throw errLeaseOver.bare();
}

/** @throws AbciError over (24), out of funds (34), not stale (25) */
export function assertStale(lease: Lease, height: bigint): void {
  assertLive(lease);
  if (lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS) throw errOutOfFunds.wrap('it cannot be broken');
  if (!isStale(lease, height)) throw errLeaseNotStale.wrap(`it may be confirmed until ${lease.confirmBy}`);
}

/** @throws AbciError over (24), stale (26) */
export function assertInTime(lease: Lease, height: bigint): void {
  assertLive(lease);
  if (isStale(lease, height)) throw errLeaseStale.wrap(`it had to be confirmed until ${lease.confirmBy}`);
}

// An URL of printable ASCII: a scheme, `://`, and what follows it.
const endpointPattern = /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/;

/** @throws AbciError endpoints (27), manifest state (28) */
export function checkConfirmation(confirmation: Confirmation, params: Params): void {
  const { endpoints, manifestState } = confirmation;
  if (endpoints.length > params.maxEndpoints)
    throw errEndpoints.wrap(`${endpoints.length}, at most ${params.maxEndpoints}`);
  endpoints.forEach((endpoint, at) => {
    // Only ASCII passes the pattern, so its length is its number of bytes.
    if (endpoint.length > params.maxEndpointBytes || !endpointPattern.test(endpoint)) {
      throw errEndpoints.wrap(`endpoint ${at} is not an ASCII URL of at most ${params.maxEndpointBytes} bytes`);
    }
    if (endpoints.indexOf(endpoint) !== at) throw errEndpoints.wrap(`endpoint ${at} stands twice`);
  });
  const sayable: readonly ManifestState[] = [
    ManifestState.MANIFEST_STATE_WAITING,
    ManifestState.MANIFEST_STATE_RECEIVED,
    ManifestState.MANIFEST_STATE_RUNNING,
  ];
  if (!sayable.includes(manifestState)) throw errManifestState.wrap(`${manifestState}`);
}

/** The lease as a confirmation leaves it, payment apart. */
export function confirmed(lease: Lease, confirmation: Confirmation, height: bigint, params: Params): Lease {
  return {
    ...lease,
    confirmBy: height + params.reconfirmationBlocks,
    firstConfirmedHeight: lease.firstConfirmedHeight === 0n ? height : lease.firstConfirmedHeight,
    endpoints: confirmation.endpoints,
    manifestState: confirmation.manifestState,
    manifestRevision: confirmation.manifestRevision,
  };
}

/** Who asks for the end of a lease; one account may be both. */
export interface Closer {
  readonly isUser: boolean;
  readonly isProvider: boolean;
}

/**
 * Whether the sender may end the lease for the reason now.
 * @throws AbciError over (24), stale (26), reason (30), notice (31), time-out (32), manifest came (33), out of funds (34)
 */
export function checkClose(lease: Lease, reason: CloseReason, who: Closer, height: bigint, params: Params): Reason {
  assertInTime(lease, height);
  const allowed = (who.isUser && userReasons.includes(reason)) || (who.isProvider && providerReasons.includes(reason));
  if (!allowed) throw errCloseReason.wrap(`reason ${reason}`);
  const unfunded = lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
  const isAtOnce = reason === CloseReason.CLOSE_REASON_PROVIDER_AT_ONCE;
  if (unfunded && (isAtOnce || reason === CloseReason.CLOSE_REASON_NOT_SERVING)) {
    // It cannot be broken, and a paused workload is no fault: only its grace, the notice or the user end it.
    throw errOutOfFunds.wrap(`its grace lasts until ${lease.graceUntil}`);
  }
  if (reason === CloseReason.CLOSE_REASON_PROVIDER_NOTICE) assertNoticeOver(lease, height);
  if (manifestReasons.includes(reason)) assertNoManifest(lease, reason, height, params);
  return reason as Reason;
}

function assertNoticeOver(lease: Lease, height: bigint): void {
  if (lease.leaveHeight === 0n) throw errNoticeNotOver.wrap('none was given');
  if (height < lease.leaveHeight) throw errNoticeNotOver.wrap(`it ends at ${lease.leaveHeight}`);
}

/** A provider that confirmed that the manifest came, or runs, cannot leave for its lack. */
function assertNoManifest(lease: Lease, reason: CloseReason, height: bigint, params: Params): void {
  const until = lease.createdHeight + params.manifestTimeoutBlocks;
  if (height < until) throw errManifestTimeout.wrap(`until ${until}`);
  const received = lease.manifestState === ManifestState.MANIFEST_STATE_RECEIVED;
  const running = lease.manifestState === ManifestState.MANIFEST_STATE_RUNNING;
  if (running || (received && reason === CloseReason.CLOSE_REASON_MANIFEST_MISSING)) throw errManifestUsable.bare();
}

/** The lease with a notice. @throws AbciError over (24), stale (26), notice given (35) */
export function withNotice(lease: Lease, height: bigint, params: Params): Lease {
  assertInTime(lease, height);
  if (lease.leaveHeight !== 0n) throw errNoticeGiven.wrap(`it ends at ${lease.leaveHeight}`);
  return { ...lease, leaveHeight: height + params.leaveNoticeBlocks };
}

/** Where a collateral goes, in umu. */
export interface Division {
  readonly toProvider: bigint;
  readonly toUser: bigint;
  readonly burnt: bigint;
}

/**
 * Divides the collateral of a lease that ends at `height`. Of a broken one the user gets its share, rounded down, and
 * within the first young_lease_blocks at most the price of as many blocks, so that nobody gains by getting broken
 * leases; what the user does not get is burnt.
 */
export function divide(lease: Lease, kind: End['collateral'], height: bigint, params: Params): Division {
  const collateral = parseAmount(lease.collateral);
  if (kind === 'returned') return { toProvider: collateral, toUser: 0n, burnt: 0n };
  let toUser = (collateral * Dec.fromAtomics(params.collateralUserShare).atomics) / Dec.one.atomics;
  if (height - lease.createdHeight <= params.youngLeaseBlocks) {
    const most = (Dec.fromAtomics(lease.pricePerBlock).atomics * params.youngLeaseBlocks) / Dec.one.atomics;
    if (most < toUser) toUser = most;
  }
  return { toProvider: 0n, toUser, burnt: collateral - toUser };
}

/** The lease at its end; what was not paid of it is dropped. */
export function ended(lease: Lease, reason: Reason, height: bigint): Lease {
  const isBroken = ends[reason].collateral === 'broken';
  return {
    ...lease,
    state: isBroken ? LeaseState.LEASE_STATE_BROKEN : LeaseState.LEASE_STATE_CLOSED,
    closeReason: reason,
    closedHeight: height,
    graceUntil: 0n,
    // What is below one umu is the user's: it stays in the escrow.
    remainder: '0',
  };
}

/**
 * Whether an end opens a new order; without funds none does. One that replaces a lease that still lives is looked for
 * again as if it persisted.
 */
export function reopens(lease: Lease, reason: Reason, replacesLive: boolean): boolean {
  if (lease.state !== LeaseState.LEASE_STATE_ACTIVE) return false;
  const when = ends[reason].reopens;
  return when === 'always' || (when === 'persist' && (lease.persist || replacesLive));
}

/** The reason of an end that the user's doing brings: another one where the provider stayed away, whose collateral it costs. */
export function unlessStale(lease: Lease, height: bigint, reason: Reason): Reason {
  return isStale(lease, height) ? CloseReason.CLOSE_REASON_NOT_CONFIRMED : reason;
}

/** Why a lease ends whose replacement runs. */
export function replacedReason(lease: Lease, height: bigint): Reason {
  const hasNotice = lease.leaveHeight !== 0n;
  const reason = hasNotice ? CloseReason.CLOSE_REASON_PROVIDER_NOTICE : CloseReason.CLOSE_REASON_DEPLOYMENT_UPDATED;
  return unlessStale(lease, height, reason);
}

/** Whether a confirmation is the first one that says that the lease runs. */
export function startsRunning(before: Lease, after: Lease): boolean {
  const running = ManifestState.MANIFEST_STATE_RUNNING;
  return before.manifestState !== running && after.manifestState === running;
}
