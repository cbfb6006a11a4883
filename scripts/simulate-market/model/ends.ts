/** How leases end (x/market/README.md "Ends", "Interest"). */
import { CloseReason, LeaseState, OrderState } from '@mu/proto/market';
import { Fraction, smaller } from '../fraction.ts';
import { closeEscrow } from './escrow.ts';
import { payBlocks } from './funds.ts';
import {
  deploymentOf,
  deploymentStates,
  idOf,
  isLive,
  leaseOf,
  leasesOf,
  type Of,
  openOrdersOf,
  roundsOf,
} from './lookups.ts';
import { closeOrder, excludedByMarket, isHopeless, nextSpec, openNext, refund, standingAt } from './orders.ts';
import { receiversOf } from './providers.ts';
import type { ModelLease } from './records.ts';
import { accounts, type World } from './world.ts';

interface End {
  readonly paysBlocks: boolean;
  readonly collateral: 'provider' | 'broken';
  readonly reopens: 'no' | 'persist' | 'always';
  readonly excludes: boolean;
  readonly bearsInterest: boolean;
}

const wanted: End = { paysBlocks: true, collateral: 'provider', reopens: 'no', excludes: false, bearsInterest: true };
const noted: End = { ...wanted, reopens: 'persist', bearsInterest: false };
const broken: End = { ...noted, paysBlocks: false, collateral: 'broken' };
const unusable: End = { ...noted, excludes: true };

/** The table "Ends", by reason. */
const ends: Readonly<Record<number, End>> = {
  [CloseReason.CLOSE_REASON_BY_USER]: wanted,
  [CloseReason.CLOSE_REASON_DEPLOYMENT_CANCELED]: wanted,
  [CloseReason.CLOSE_REASON_DEPLOYMENT_UPDATED]: wanted,
  [CloseReason.CLOSE_REASON_PROVIDER_NOTICE]: noted,
  [CloseReason.CLOSE_REASON_PROVIDER_AT_ONCE]: broken,
  [CloseReason.CLOSE_REASON_NOT_CONFIRMED]: broken,
  [CloseReason.CLOSE_REASON_MANIFEST_MISSING]: unusable,
  [CloseReason.CLOSE_REASON_MANIFEST_INVALID]: unusable,
  [CloseReason.CLOSE_REASON_IMAGE_UNAVAILABLE]: unusable,
  [CloseReason.CLOSE_REASON_POLICY]: unusable,
  [CloseReason.CLOSE_REASON_NOT_SERVING]: { ...unusable, reopens: 'always' },
  [CloseReason.CLOSE_REASON_OUT_OF_FUNDS]: { ...wanted, paysBlocks: false, bearsInterest: false },
};

/** Where a collateral went and what it bore. */
export interface Division {
  readonly toProvider: string;
  readonly toUser: string;
  readonly burnt: string;
  readonly interest: string;
}

/** The number of a lease while it lives, else 0. */
export function liveNumber(world: World, number: bigint): bigint {
  const lease = leaseOf(world, number);
  return lease !== undefined && isLive(lease) ? number : 0n;
}

/** @param quietly something takes its place or the deployment ends: nothing reopens and nobody asks whether all is over */
export function endLease(world: World, lease: ModelLease, reason: CloseReason, quietly = false): Division {
  const end = ends[reason] as End;
  const wasFunded = lease.state === LeaseState.LEASE_STATE_ACTIVE;
  if (end.paysBlocks) payBlocks(world, lease);
  const state = end.collateral === 'broken' ? LeaseState.LEASE_STATE_BROKEN : LeaseState.LEASE_STATE_CLOSED;
  world.change(lease, { state, reason, closed: world.height, graceUntil: 0n, remainder: Fraction.zero });
  const division = end.collateral === 'broken' ? divideBroken(world, lease) : returned(world, lease);
  const interest = end.bearsInterest ? payInterest(world, lease) : 0n;
  closeOrder(world, lease.order, reason);
  if (!quietly) {
    const isReplacing = liveNumber(world, lease.replaces) !== 0n;
    const again = end.reopens === 'always' || (end.reopens === 'persist' && (lease.persist || isReplacing));
    if (wasFunded && again) reopen(world, lease, end.excludes);
    closeWhenOver(world, idOf(lease.order));
  }
  return { ...division, interest: `${interest}` };
}

type Shares = Omit<Division, 'interest'>;

function returned(world: World, lease: ModelLease): Shares {
  refund(world, lease.provider, lease.collateral);
  return { toProvider: `${lease.collateral}`, toUser: '0', burnt: '0' };
}

function divideBroken(world: World, lease: ModelLease): Shares {
  const { collateralUserShare, youngLeaseBlocks } = world.single('market');
  const share = Fraction.ofAtomics(collateralUserShare).times(lease.collateral).floor();
  const isYoung = world.height - lease.created <= youngLeaseBlocks;
  const toUser = isYoung ? smaller(share, lease.price.times(youngLeaseBlocks).floor()) : share;
  const burnt = lease.collateral - toUser;
  world.payFirst(accounts.market, [lease.order.id.owner], toUser);
  world.burn(accounts.market, burnt);
  return { toProvider: '0', toUser: `${toUser}`, burnt: `${burnt}` };
}

function payInterest(world: World, lease: ModelLease): bigint {
  const { interestRate, blocksPerYear, maxInterestPerYear } = world.single('market');
  const year = Fraction.of(lease.confirmedBlocks, blocksPerYear);
  const borne = smaller(Fraction.ofAtomics(interestRate).times(lease.collateral).times(year).floor(), lease.commission);
  const { start, minted, total } = world.single('interest');
  const isNew = start === 0n || world.height >= start + blocksPerYear;
  const left = BigInt(maxInterestPerYear) - (isNew ? 0n : minted);
  const amount = smaller(borne, left > 0n ? left : 0n);
  if (amount === 0n) return 0n;
  world.mint(accounts.billing, amount);
  if (!world.payFirst(accounts.billing, receiversOf(world, lease.provider), amount)) {
    world.burn(accounts.billing, amount);
    return 0n;
  }
  const window = isNew ? { start: world.height, minted: amount } : { start, minted: minted + amount };
  world.setSingle('interest', { ...window, total: total + amount });
  world.change(lease, { interest: amount });
  return amount;
}

/** Opens the next round as the deployment asks now, unless a later order of the infrastructure is not over. */
function reopen(world: World, lease: ModelLease, excludes: boolean): void {
  const { id } = lease.order;
  const deployment = deploymentOf(world, id);
  if (deployment?.state !== deploymentStates.active) return;
  const infrastructure = standingAt(deployment, id.infrastructure);
  const last = roundsOf(world, id).at(-1);
  if (infrastructure === undefined || last?.state !== OrderState.ORDER_STATE_CLOSED) return;
  const excluded = [...excludedByMarket(last.spec, infrastructure), ...(excludes ? [lease.provider] : [])];
  const spec = nextSpec(infrastructure, excluded);
  if (isHopeless(spec)) return;
  openNext(world, id, { spec, wait: deployment.wait, replaces: liveNumber(world, lease.replaces) });
}

/** A deployment without an open order and a live lease begins to close. */
export function closeWhenOver(world: World, id: Of): void {
  if (openOrdersOf(world, id).length > 0 || leasesOf(world, id).length > 0) return;
  const deployment = deploymentOf(world, id);
  if (deployment?.state !== deploymentStates.active) return;
  world.change(deployment, { state: deploymentStates.closing, closed: world.height, sealed: undefined });
  closeEscrow(world, id);
}
