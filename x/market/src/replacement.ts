/** Leases that give way to others without a gap: by notice of the provider, by an update of the user (README "Replacement"). */
import type { Context } from '@mu/framework/context';
import type { Deployment, DeploymentId, DeploymentInfrastructure } from '@mu/proto/deployment';
import { CloseReason, type Lease, LeaseState, ManifestState, type Order, OrderState } from '@mu/proto/market';
import { deploymentIdOf, type LeaseEnds } from './lease-ends.ts';
import { replacedReason, unlessStale } from './leases.ts';
import type { MarketBook } from './market-book.ts';
import {
  assertCollateral,
  excludedByMarket,
  isHopeless,
  nextSpec,
  sameSpec,
  specOf,
  standingAt,
  stillServes,
} from './orders.ts';
import {
  deploymentKeyOf,
  isLive,
  leases,
  liveLeasesByDeployment,
  orderIdOf,
  paramsItem,
  putLease,
  putOrder,
} from './state.ts';

/** One infrastructure of a deployment, by its index. */
interface Place extends DeploymentId {
  readonly infrastructure: number;
}

const updated = CloseReason.CLOSE_REASON_DEPLOYMENT_UPDATED;

export class Replacement {
  readonly #book: MarketBook;
  readonly #ends: LeaseEnds;

  constructor(book: MarketBook, ends: LeaseEnds) {
    this.#book = book;
    this.#ends = ends;
  }

  /**
   * Brings orders and leases of an infrastructure to what it asks now.
   * @param before what it asked, undefined where the index was free
   * @returns whether an order was opened
   * @throws AbciError collateral (36) above the bound
   */
  update(ctx: Context, deployment: Deployment, index: number, before: DeploymentInfrastructure | undefined): boolean {
    const infrastructure = standingAt(deployment, index);
    if (infrastructure === undefined) throw new Error(`the deployment has no infrastructure ${index}`);
    assertCollateral(infrastructure, paramsItem.get(ctx));
    const place = { ...deploymentIdOf(deployment.id as DeploymentId), infrastructure: index };
    const last = this.#book.lastOrder(ctx, place);
    const lives = this.#livesAt(ctx, place);
    const excluded = last === undefined || before === undefined ? [] : excludedByMarket(specOf(last), before);
    const spec = nextSpec(infrastructure, [...excluded, ...leaversOf(lives)]);
    if (last?.state === OrderState.ORDER_STATE_OPEN) {
      if (sameSpec(specOf(last), spec)) return false;
      this.#book.close(ctx, last, updated);
    }
    const kept = this.#keepServing(ctx, lives, spec);
    if (kept.serves || isHopeless(spec)) return false;
    this.#book.openNext(ctx, place, { spec, waitBlocks: deployment.waitBlocks, replaces: kept.replaces });
    return true;
  }

  /** Ends what a removed infrastructure has; whatever it is, nothing follows. */
  remove(ctx: Context, id: DeploymentId, index: number): void {
    const place = { ...deploymentIdOf(id), infrastructure: index };
    const last = this.#book.lastOrder(ctx, place);
    if (last?.state === OrderState.ORDER_STATE_OPEN) this.#book.close(ctx, last, updated);
    for (const lease of this.#livesAt(ctx, place))
      this.#ends.end(ctx, lease, unlessStale(lease, ctx.height, updated), { quietly: true });
  }

  /** Live leases of an infrastructure, the replaced one first. */
  #livesAt(ctx: Context, place: Place): Lease[] {
    const prefix = deploymentKeyOf(ctx, place);
    const all = [...liveLeasesByDeployment.iterate(ctx, { prefix })].map((key) => leases.get(ctx, key[2]) as Lease);
    return all.filter((lease) => orderIdOf(lease).infrastructure === place.infrastructure);
  }

  /**
   * Keeps the latest live lease that serves what is asked, and ends a replacing one after it, which does not run yet.
   * @returns whether one serves; else the lease that a new order replaces, 0 for none
   */
  #keepServing(
    ctx: Context,
    lives: readonly Lease[],
    spec: DeploymentInfrastructure,
  ): { serves: boolean; replaces: bigint } {
    const [first, ...later] = lives;
    if (first === undefined) return { serves: false, replaces: 0n };
    const newest = later.at(-1) ?? first;
    if (this.#serves(ctx, newest, spec)) {
      for (const lease of lives) this.#takeOver(ctx, lease, spec);
      return { serves: true, replaces: 0n };
    }
    for (const lease of later) this.#ends.end(ctx, lease, unlessStale(lease, ctx.height, updated), { quietly: true });
    const serves = later.length > 0 && this.#serves(ctx, first, spec);
    if (serves) this.#takeOver(ctx, first, spec);
    return { serves, replaces: first.number };
  }

  /** Whether a lease does for what is asked: one that its provider leaves does not where it is to persist. */
  #serves(ctx: Context, lease: Lease, spec: DeploymentInfrastructure): boolean {
    if (lease.leaveHeight !== 0n && spec.persist) return false;
    return stillServes(lease.provider, specOf(this.#orderOf(ctx, lease)), spec);
  }

  #orderOf(ctx: Context, lease: Lease): Order {
    return this.#book.getOrder(ctx, orderIdOf(lease));
  }

  /** Hands a standing lease the terms that it can take over. */
  #takeOver(ctx: Context, lease: Lease, spec: DeploymentInfrastructure): void {
    const order = this.#orderOf(ctx, lease);
    if (stillServes(lease.provider, specOf(order), spec)) putOrder(ctx, { ...order, spec }, order);
    if (lease.persist !== spec.persist) putLease(ctx, { ...lease, persist: spec.persist }, lease);
  }

  /** The provider of a lease will leave: looks for another one first. The lease is saved with its notice. */
  beginForNotice(ctx: Context, lease: Lease): void {
    if (lease.state !== LeaseState.LEASE_STATE_ACTIVE || !lease.persist) return;
    if (this.#ends.liveNumber(ctx, lease.replaces) !== 0n) return;
    this.#ends.openNextRound(ctx, lease, { excludes: true, replaces: lease.number });
  }

  /**
   * After a confirmation: where the lease runs and is funded, the one that it replaces ends.
   * @returns the lease as it stands now
   */
  afterConfirmation(ctx: Context, lease: Lease): Lease {
    const runs = lease.manifestState === ManifestState.MANIFEST_STATE_RUNNING;
    if (lease.replaces === 0n || !runs || lease.state !== LeaseState.LEASE_STATE_ACTIVE) return lease;
    const standing = { ...lease, replaces: 0n };
    putLease(ctx, standing, lease);
    const replaced = leases.get(ctx, lease.replaces);
    if (replaced !== undefined && isLive(replaced))
      this.#ends.end(ctx, replaced, replacedReason(replaced, ctx.height), { quietly: true });
    if (standing.leaveHeight !== 0n) this.beginForNotice(ctx, standing);
    return standing;
  }
}

function leaversOf(lives: readonly Lease[]): string[] {
  return lives.filter(({ leaveHeight }) => leaveHeight !== 0n).map(({ provider }) => provider);
}
