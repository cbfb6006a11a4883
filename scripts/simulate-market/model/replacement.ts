/** Leases that give way to others without a gap (x/market/README.md "Replacement"). */
import { DeploymentInfrastructure } from '@mu/proto/deployment';
import { CloseReason, LeaseState, ManifestState, OrderState } from '@mu/proto/market';
import { endLease, liveNumber } from './ends.ts';
import { deploymentOf, deploymentStates, isLive, leaseOf, leasesOf, type Of, type Place, roundsOf } from './lookups.ts';
import { closeOrder, excludedByMarket, isHopeless, nextSpec, openNext, standingAt } from './orders.ts';
import type { ModelDeployment, ModelLease } from './records.ts';
import { need } from './refusal.ts';
import type { World } from './world.ts';

const updated = CloseReason.CLOSE_REASON_DEPLOYMENT_UPDATED;

export const isStale = (world: World, lease: ModelLease): boolean =>
  lease.state === LeaseState.LEASE_STATE_ACTIVE && lease.confirmBy < world.height;

/** The reason of an end that the user's doing brings, which is another one where the provider stayed away. */
export const unlessStale = (world: World, lease: ModelLease, reason: CloseReason): CloseReason =>
  isStale(world, lease) ? CloseReason.CLOSE_REASON_NOT_CONFIRMED : reason;

const bytesOf = (spec: DeploymentInfrastructure): Buffer => Buffer.from(DeploymentInfrastructure.encode(spec).finish());

const isSame = (a: DeploymentInfrastructure, b: DeploymentInfrastructure): boolean => bytesOf(a).equals(bytesOf(b));

/** The terms that a standing lease cannot take over. */
const termsOf = (spec: DeploymentInfrastructure): DeploymentInfrastructure => ({
  ...spec,
  persist: false,
  expectedUsage: [],
  excludedProviders: [],
});

function serves(lease: ModelLease, spec: DeploymentInfrastructure): boolean {
  const fits = isSame(termsOf(lease.order.spec), termsOf(spec));
  return fits && !spec.excludedProviders.includes(lease.provider);
}

/** A lease that its provider leaves does not do for what is to persist. */
const stays = (lease: ModelLease, spec: DeploymentInfrastructure): boolean => lease.leave === 0n || !spec.persist;

export const livesAt = (world: World, place: Place): ModelLease[] =>
  leasesOf(world, place).filter(({ order }) => order.id.infrastructure === place.infrastructure);

/**
 * Brings an infrastructure's orders and leases to what it asks now.
 * @param before what it asked; undefined for a new one
 * @returns whether an order was opened
 */
export function updateOrder(
  world: World,
  deployment: ModelDeployment,
  index: number,
  before: DeploymentInfrastructure | undefined,
): boolean {
  const infrastructure = deployment.infrastructure[index] as DeploymentInfrastructure;
  const most = BigInt(world.single('market').maxCollateral);
  need(
    infrastructure.resources.every(({ collateral }) => BigInt(collateral) <= most),
    'market',
    36,
  );
  const place = { owner: deployment.owner, dseq: deployment.dseq, infrastructure: index };
  const last = roundsOf(world, place).at(-1);
  const lives = livesAt(world, place);
  const known = last === undefined || before === undefined ? [] : excludedByMarket(last.spec, before);
  const leaving = lives.filter(({ leave }) => leave !== 0n).map(({ provider }) => provider);
  const spec = nextSpec(infrastructure, [...known, ...leaving]);
  if (last?.state === OrderState.ORDER_STATE_OPEN) {
    if (isSame(last.spec, spec)) return false;
    closeOrder(world, last, updated);
  }
  const kept = keepServing(world, lives, spec);
  if (kept.serves || isHopeless(spec)) return false;
  openNext(world, place, { spec, wait: deployment.wait, replaces: kept.replaces });
  return true;
}

function keepServing(
  world: World,
  lives: readonly ModelLease[],
  spec: DeploymentInfrastructure,
): { readonly serves: boolean; readonly replaces: bigint } {
  const [first, second] = lives;
  if (first === undefined) return { serves: false, replaces: 0n };
  const newest = second ?? first;
  if (serves(newest, spec) && stays(newest, spec)) {
    for (const lease of lives) takeOver(world, lease, spec);
    return { serves: true, replaces: 0n };
  }
  if (second === undefined) return { serves: false, replaces: first.number };
  endLease(world, second, unlessStale(world, second, updated), true);
  const firstServes = serves(first, spec) && stays(first, spec);
  if (firstServes) takeOver(world, first, spec);
  return { serves: firstServes, replaces: first.number };
}

function takeOver(world: World, lease: ModelLease, spec: DeploymentInfrastructure): void {
  if (serves(lease, spec)) world.change(lease.order, { spec });
  world.change(lease, { persist: spec.persist });
}

/** Ends what a removed infrastructure has; nothing follows. */
export function removeOrder(world: World, of: Of, index: number): void {
  const place = { owner: of.owner, dseq: of.dseq, infrastructure: index };
  const last = roundsOf(world, place).at(-1);
  if (last?.state === OrderState.ORDER_STATE_OPEN) closeOrder(world, last, updated);
  for (const lease of livesAt(world, place)) endLease(world, lease, unlessStale(world, lease, updated), true);
}

/** A provider will leave a lease that persists: another one is looked for first. */
export function beginForNotice(world: World, lease: ModelLease): void {
  if (lease.state !== LeaseState.LEASE_STATE_ACTIVE || !lease.persist) return;
  if (liveNumber(world, lease.replaces) !== 0n) return;
  const { id } = lease.order;
  const deployment = deploymentOf(world, id);
  if (deployment?.state !== deploymentStates.active) return;
  const infrastructure = standingAt(deployment, id.infrastructure);
  const last = roundsOf(world, id).at(-1);
  if (infrastructure === undefined || last === undefined) return;
  if (last !== lease.order && last.state !== OrderState.ORDER_STATE_CLOSED) return;
  const spec = nextSpec(infrastructure, [...excludedByMarket(last.spec, infrastructure), lease.provider]);
  if (isHopeless(spec)) return;
  openNext(world, id, { spec, wait: deployment.wait, replaces: lease.number });
}

/** A lease that runs and is funded takes the place of the one that it replaces. */
export function takePlace(world: World, lease: ModelLease): void {
  const runs = lease.manifestState === ManifestState.MANIFEST_STATE_RUNNING;
  if (lease.replaces === 0n || !runs || lease.state !== LeaseState.LEASE_STATE_ACTIVE) return;
  const replaced = leaseOf(world, lease.replaces);
  world.change(lease, { replaces: 0n });
  if (replaced !== undefined && isLive(replaced)) {
    const wish = replaced.leave === 0n ? updated : CloseReason.CLOSE_REASON_PROVIDER_NOTICE;
    endLease(world, replaced, unlessStale(world, replaced, wish), true);
  }
  if (lease.leave !== 0n) beginForNotice(world, lease);
}
