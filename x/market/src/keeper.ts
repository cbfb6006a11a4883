/** What the market offers to the other modules, to messages and to the block itself. */
import type { Context } from '@mu/framework/context';
import type { Failure } from '@mu/framework/errors';
import { addressBytes } from '@mu/framework/message-registry';
import type { Deployment, DeploymentId, DeploymentInfrastructure } from '@mu/proto/deployment';
import {
  CloseReason,
  type Confirmation,
  type Fulfillment,
  type Lease,
  LeaseState,
  ManifestState,
  type MsgSubmitFulfillment,
  type Order,
  type OrderId,
  OrderState,
} from '@mu/proto/market';
import type { Provider } from '@mu/proto/provider';
import { errLeaseNotFound } from './errors.ts';
import {
  emitLeaseConfirmed,
  emitLeaseOutOfFunds,
  emitLeaseResumed,
  emitLeaveAnnounced,
  emitMatchFailed,
} from './events.ts';
import type { MarketDeps } from './expected-keepers.ts';
import { deploymentIdOf, type EndOptions, LeaseEnds, type Paid, type Settled } from './lease-ends.ts';
import {
  assertInTime,
  assertStale,
  checkConfirmation,
  confirmed,
  type Reason,
  unlessStale,
  withNotice,
} from './leases.ts';
import { MarketBook } from './market-book.ts';
import { assertDue } from './orders.ts';
import { Replacement } from './replacement.ts';
import {
  deploymentKeyOf,
  graceQueue,
  isLive,
  leases,
  leasesByDeployment,
  liveLeaseCount,
  liveLeasesByDeployment,
  openBidCount,
  openOrders,
  orderIdOf,
  orders,
  paramsItem,
  putLease,
} from './state.ts';

export class MarketKeeper {
  readonly #deps: MarketDeps;
  readonly #book: MarketBook;
  readonly #ends: LeaseEnds;
  readonly #replacement: Replacement;

  constructor(deps: MarketDeps) {
    this.#deps = deps;
    this.#book = new MarketBook(deps);
    this.#ends = new LeaseEnds(deps, this.#book);
    this.#replacement = new Replacement(this.#book, this.#ends);
  }

  /**
   * Brings the orders and leases of an infrastructure to what it asks now: a new one gets its first order.
   * @param before what it asked; undefined for a new one
   * @returns whether an order was opened
   * @throws AbciError collateral (36) above the bound
   */
  updateOrder(
    ctx: Context,
    deployment: Deployment,
    index: number,
    before: DeploymentInfrastructure | undefined,
  ): boolean {
    return this.#replacement.update(ctx, deployment, index, before);
  }

  /** Ends the order and the leases of an infrastructure that is removed. */
  removeOrder(ctx: Context, id: DeploymentId, index: number): void {
    this.#replacement.remove(ctx, id, index);
  }

  /** Tells the deployment where neither an open order nor a live lease is left of it. */
  tellWhenAllIsOver(ctx: Context, id: DeploymentId): void {
    this.#ends.tellWhenAllIsOver(ctx, id);
  }

  /**
   * Ends all open orders and live leases of a deployment, which the caller ends itself. A lease that was not confirmed
   * in time is broken all the same: the user does not lose the collateral by cancelling before the block does it.
   */
  closeDeployment(ctx: Context, id: DeploymentId, reason: CloseReason): void {
    for (const order of this.ordersOfDeployment(ctx, id)) this.#book.close(ctx, order, reason);
    for (const lease of this.leasesOfDeployment(ctx, id)) {
      this.endLease(ctx, lease, unlessStale(lease, ctx.height, reason as Reason), { quietly: true });
    }
  }

  getLease(ctx: Context, number: bigint): Lease | undefined {
    return leases.get(ctx, number);
  }

  /** @throws AbciError lease not found (23) */
  requireLease(ctx: Context, number: bigint): Lease {
    const lease = leases.get(ctx, number);
    if (lease === undefined) throw errLeaseNotFound.wrap(`${number}`);
    return lease;
  }

  /** @throws AbciError order not found (2) */
  requireOrder(ctx: Context, id: OrderId): Order {
    return this.#book.getOrder(ctx, id);
  }

  /** Saves a lease that billing has changed; one that has run out of funds gets its grace here. */
  saveLease(ctx: Context, lease: Lease): void {
    const before = leases.get(ctx, lease.number);
    const ranOut =
      lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS && before?.state !== LeaseState.LEASE_STATE_OUT_OF_FUNDS;
    const saved = ranOut ? { ...lease, graceUntil: ctx.height + paramsItem.get(ctx).graceBlocks } : lease;
    putLease(ctx, saved, before);
    if (ranOut) emitLeaseOutOfFunds(ctx, saved);
  }

  /** Leases of a deployment that are neither broken nor closed, by number: at most one for each infrastructure. */
  leasesOfDeployment(ctx: Context, id: DeploymentId): Lease[] {
    const prefix = deploymentKeyOf(ctx, id);
    return [...liveLeasesByDeployment.iterate(ctx, { prefix })].map((key) => this.requireLease(ctx, key[2]));
  }

  /** Numbers of all leases that a deployment ever had, ascending. */
  leaseNumbersOfDeployment(ctx: Context, id: DeploymentId): bigint[] {
    return [...leasesByDeployment.iterate(ctx, { prefix: deploymentKeyOf(ctx, id) })].map((key) => key[2]);
  }

  /** How many blocks the chain reckons a year has. */
  blocksPerYear(ctx: Context): bigint {
    return paramsItem.get(ctx).blocksPerYear;
  }

  /** Open orders of a deployment by id: at most one for each infrastructure. */
  ordersOfDeployment(ctx: Context, id: DeploymentId): Order[] {
    const prefix = deploymentKeyOf(ctx, id);
    return [...openOrders.iterate(ctx, { prefix })].map((key) => orders.get(ctx, key) as Order);
  }

  /** Whether a provider has an open bid or a live lease: it may not leave then. */
  hasOpenWork(ctx: Context, provider: string): boolean {
    const owner = addressBytes(provider, ctx.chain.bech32Prefix);
    return openBidCount.has(ctx, owner) || liveLeaseCount.has(ctx, owner);
  }

  /** Resumes the leases of a deployment that are out of funds: blocks are billed from here on. */
  resumeLeases(ctx: Context, id: DeploymentId): void {
    for (const lease of this.leasesOfDeployment(ctx, id)) {
      if (lease.state !== LeaseState.LEASE_STATE_OUT_OF_FUNDS) continue;
      const resumed = {
        ...lease,
        state: LeaseState.LEASE_STATE_ACTIVE,
        paidThrough: ctx.height,
        confirmBy: ctx.height + paramsItem.get(ctx).reconfirmationBlocks,
        graceUntil: 0n,
      };
      putLease(ctx, resumed, lease);
      emitLeaseResumed(ctx, resumed);
    }
  }

  /** @throws AbciError as the README's ladder says */
  submitBid(ctx: Context, order: Order, provider: Provider, message: MsgSubmitFulfillment): Fulfillment {
    return this.#book.bid(ctx, order, provider, message);
  }

  cancelBid(ctx: Context, bid: Fulfillment): void {
    this.#book.cancel(ctx, bid);
  }

  /** @throws AbciError order not found (2), matched (3), closed (4), not due (22) */
  match(ctx: Context, id: OrderId): Lease {
    const order = this.#book.getOrder(ctx, id);
    assertDue(order, ctx.height);
    return this.#book.match(ctx, order);
  }

  /** @throws AbciError lease not found (23), over (24), not stale (25), out of funds (34) */
  breakStale(ctx: Context, number: bigint): Settled {
    const lease = this.requireLease(ctx, number);
    assertStale(lease, ctx.height);
    return this.endLease(ctx, lease, CloseReason.CLOSE_REASON_NOT_CONFIRMED);
  }

  /**
   * Confirms a lease for its provider and pays it. It never fails for lack of funds: what is there is paid and the lease
   * is out of funds. One that is out of funds already is not billed; only a deposit resumes it.
   * @throws AbciError over (24), stale (26), endpoints (27), manifest state (28)
   */
  confirm(ctx: Context, lease: Lease, confirmation: Confirmation): Paid {
    assertInTime(lease, ctx.height);
    const params = paramsItem.get(ctx);
    checkConfirmation(confirmation, params);
    const kept = confirmed(lease, confirmation, ctx.height, params);
    const { lease: after, paid, commission } = this.#ends.payTo(ctx, kept);
    putLease(ctx, after, lease);
    emitLeaseConfirmed(ctx, after, paid, commission);
    if (after.state !== lease.state) emitLeaseOutOfFunds(ctx, after);
    if (holdsMore(lease, after)) {
      const id = deploymentIdOf(orderIdOf(after));
      this.#deps.hooks.afterManifestHeld(ctx, id, after.provider, after.manifestRevision);
    }
    return { lease: this.#replacement.afterConfirmation(ctx, after), paid, commission };
  }

  /** Takes a provider's notice and looks for its replacement. @throws AbciError over (24), stale (26), notice given (35) */
  announceLeave(ctx: Context, lease: Lease): Lease {
    const announced = withNotice(lease, ctx.height, paramsItem.get(ctx));
    putLease(ctx, announced, lease);
    emitLeaveAnnounced(ctx, announced);
    this.#replacement.beginForNotice(ctx, announced);
    return announced;
  }

  /** Ends a live lease: pays what is due, divides the collateral, closes its order and opens the next round. */
  endLease(ctx: Context, lease: Lease, reason: Reason, options: EndOptions = {}): Settled {
    return this.#ends.end(ctx, lease, reason, options);
  }

  /** Ends leases whose grace is over, the oldest first and not more in a block than may be matched. */
  endGraces(ctx: Context): void {
    const most = paramsItem.get(ctx).maxInjectedItems;
    const over: bigint[] = [];
    for (const [, number] of graceQueue.iterate(ctx, { before: [ctx.height + 1n, 0n] })) {
      if (over.length >= most) break;
      over.push(number);
    }
    for (const number of over) {
      const end = (own: Context, reason: Reason): void => {
        this.endLease(own, this.requireLease(own, number), reason);
      };
      const failure = ctx.isolated((own) => end(own, CloseReason.CLOSE_REASON_OUT_OF_FUNDS));
      if (failure !== undefined) ctx.isolated((own) => this.settleFailedLease(own, number, failure));
    }
  }

  /** Closes an order whose match failed, so that it is not due again. Throws nothing that a user causes. */
  settleFailedOrder(ctx: Context, id: OrderId, failure: Failure): void {
    const order = orders.get(ctx, [
      addressBytes(id.owner, ctx.chain.bech32Prefix),
      id.dseq,
      id.infrastructure,
      id.round,
    ]);
    if (order?.state !== OrderState.ORDER_STATE_OPEN) return;
    emitMatchFailed(ctx, order, failure);
    this.#book.close(ctx, order, CloseReason.CLOSE_REASON_MATCH_FAILED);
    ctx.isolated((own) => this.#ends.tellWhenAllIsOver(own, id));
  }

  /** Ends a lease whose end failed, without payment and without a new order. Throws nothing that a user causes. */
  settleFailedLease(ctx: Context, number: bigint, failure: Failure): void {
    const lease = leases.get(ctx, number);
    if (lease === undefined || !isLive(lease)) return;
    emitMatchFailed(ctx, lease, failure);
    const wasUnfunded = lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
    const reason = wasUnfunded ? CloseReason.CLOSE_REASON_OUT_OF_FUNDS : CloseReason.CLOSE_REASON_MATCH_FAILED;
    this.endLease(ctx, lease, reason, { quietly: true });
    ctx.isolated((own) => this.#ends.tellWhenAllIsOver(own, orderIdOf(lease)));
  }
}

/** Whether a confirmation says that the lease holds a manifest, or a revision of it, that it did not hold before. */
function holdsMore(before: Lease, after: Lease): boolean {
  const holds = (lease: Lease): boolean =>
    lease.manifestState === ManifestState.MANIFEST_STATE_RECEIVED ||
    lease.manifestState === ManifestState.MANIFEST_STATE_RUNNING;
  return holds(after) && (!holds(before) || before.manifestRevision !== after.manifestRevision);
}
