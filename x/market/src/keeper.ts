/** What the market offers to the other modules, to messages and to the block itself. */
import type { Context } from '@mu/framework/context';
import type { Failure } from '@mu/framework/errors';
import { addressBytes } from '@mu/framework/message-registry';
import { type Deployment, type DeploymentId, DeploymentState } from '@mu/proto/deployment';
import {
  CloseReason,
  type Confirmation,
  type Fulfillment,
  type Lease,
  LeaseState,
  type MsgSubmitFulfillment,
  type Order,
  type OrderId,
  OrderState,
} from '@mu/proto/market';
import type { Provider } from '@mu/proto/provider';
import { Collateral } from './collateral.ts';
import { errLeaseNotFound } from './errors.ts';
import {
  emitLeaseConfirmed,
  emitLeaseEnded,
  emitLeaseOutOfFunds,
  emitLeaseResumed,
  emitLeaveAnnounced,
  emitMatchFailed,
} from './events.ts';
import type { MarketDeps } from './expected-keepers.ts';
import {
  assertInTime,
  assertStale,
  checkConfirmation,
  confirmed,
  type Division,
  divide,
  ended,
  ends,
  isStale,
  type Reason,
  reopens,
  withNotice,
} from './leases.ts';
import { MarketBook } from './market-book.ts';
import { assertCollateral, assertDue, isHopeless, nextSpec, specOf } from './orders.ts';
import {
  deploymentKeyOf,
  graceQueue,
  isLive,
  leases,
  liveLeaseCount,
  liveLeasesByDeployment,
  openBidCount,
  openOrders,
  orderIdOf,
  orders,
  paramsItem,
  putLease,
} from './state.ts';

/** What a confirmation did. */
export interface Confirmed {
  readonly lease: Lease;
  readonly paid: bigint;
  readonly commission: bigint;
}

/** How a lease is ended beyond its reason. */
interface EndOptions {
  /** the deployment itself ends: nothing reopens, and nobody is told that all is over */
  readonly withDeployment?: boolean;
}

export class MarketKeeper {
  readonly #deps: MarketDeps;
  readonly #book: MarketBook;
  readonly #collateral: Collateral;

  constructor(deps: MarketDeps) {
    this.#deps = deps;
    this.#book = new MarketBook(deps);
    this.#collateral = new Collateral(deps);
  }

  /**
   * Opens an order for an infrastructure of a deployment, as its next round.
   * @param index of the infrastructure
   * @throws AbciError collateral (36) above the bound
   */
  openOrder(ctx: Context, deployment: Deployment, index: number): Order {
    const spec = deployment.infrastructure[index];
    if (spec === undefined || deployment.id === undefined)
      throw new Error(`the deployment has no infrastructure ${index}`);
    assertCollateral(spec, paramsItem.get(ctx));
    const of = { owner: deployment.id.owner, dseq: deployment.id.dseq, infrastructure: index };
    const round = (this.#book.lastOrder(ctx, of)?.id?.round ?? 0) + 1;
    return this.#book.open(ctx, { ...of, round }, spec, deployment.waitBlocks);
  }

  /**
   * Ends all open orders and live leases of a deployment, which the caller ends itself. A lease that was not confirmed
   * in time is broken all the same: the user does not lose the collateral by cancelling before the block does it.
   */
  closeDeployment(ctx: Context, id: DeploymentId, reason: CloseReason): void {
    for (const order of this.ordersOfDeployment(ctx, id)) this.#book.close(ctx, order, reason);
    for (const lease of this.leasesOfDeployment(ctx, id)) {
      const why = isStale(lease, ctx.height) ? CloseReason.CLOSE_REASON_NOT_CONFIRMED : (reason as Reason);
      this.endLease(ctx, lease, why, { withDeployment: true });
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
  breakStale(ctx: Context, number: bigint): Division {
    const lease = this.requireLease(ctx, number);
    assertStale(lease, ctx.height);
    return this.endLease(ctx, lease, CloseReason.CLOSE_REASON_NOT_CONFIRMED);
  }

  /**
   * Confirms a lease for its provider and pays it. It never fails for lack of funds: what is there is paid and the lease
   * is out of funds. One that is out of funds already is not billed; only a deposit resumes it.
   * @throws AbciError over (24), stale (26), endpoints (27), manifest state (28)
   */
  confirm(ctx: Context, lease: Lease, confirmation: Confirmation): Confirmed {
    assertInTime(lease, ctx.height);
    const params = paramsItem.get(ctx);
    checkConfirmation(confirmation, params);
    const kept = confirmed(lease, confirmation, ctx.height, params);
    const { lease: after, paid, commission } = this.#payTo(ctx, kept);
    putLease(ctx, after, lease);
    emitLeaseConfirmed(ctx, after, paid, commission);
    if (after.state !== lease.state) emitLeaseOutOfFunds(ctx, after);
    return { lease: after, paid, commission };
  }

  /** Pays an active lease up to this block; one out of funds only moves on. */
  #payTo(ctx: Context, lease: Lease): Confirmed {
    const paidThrough = ctx.height;
    if (lease.state !== LeaseState.LEASE_STATE_ACTIVE || lease.paidThrough >= ctx.height) {
      return { lease: { ...lease, paidThrough }, paid: 0n, commission: 0n };
    }
    const done = this.#deps.billing.payBlocks(ctx, lease, ctx.height);
    const after = { ...done.lease, paidThrough };
    const blocks = ctx.height - lease.paidThrough;
    const next = done.funded
      ? { ...after, confirmedBlocks: lease.confirmedBlocks + blocks }
      : {
          ...after,
          state: LeaseState.LEASE_STATE_OUT_OF_FUNDS,
          graceUntil: ctx.height + paramsItem.get(ctx).graceBlocks,
        };
    return { lease: next, paid: done.paid, commission: done.commission };
  }

  /** @throws AbciError over (24), stale (26), notice given (35) */
  announceLeave(ctx: Context, lease: Lease): Lease {
    const announced = withNotice(lease, ctx.height, paramsItem.get(ctx));
    putLease(ctx, announced, lease);
    emitLeaveAnnounced(ctx, announced);
    return announced;
  }

  /** Ends a live lease: pays what is due, divides the collateral, closes its order and opens the next round. */
  endLease(ctx: Context, lease: Lease, reason: Reason, options: EndOptions = {}): Division {
    const payment = ends[reason].pays ? this.#payTo(ctx, lease) : { lease, paid: 0n };
    const over = ended(payment.lease, reason, ctx.height);
    putLease(ctx, over, lease);
    const division = this.#settle(ctx, over);
    emitLeaseEnded(ctx, over, division, payment.paid);
    const order = this.#book.getOrder(ctx, orderIdOf(lease));
    this.#book.closeMatched(ctx, order, reason);
    if (options.withDeployment === true) return division;
    if (reopens(lease, reason)) this.#reopen(ctx, order, ends[reason].excludes ? lease.provider : undefined);
    this.#tellWhenAllIsOver(ctx, orderIdOf(lease));
    return division;
  }

  #settle(ctx: Context, over: Lease): Division {
    const kind = ends[over.closeReason as Reason].collateral;
    const division = divide(over, kind, ctx.height, paramsItem.get(ctx));
    this.#collateral.divide(ctx, over.provider, orderIdOf(over).owner, division);
    return division;
  }

  /** Opens the next round of an order, as the deployment now asks. */
  #reopen(ctx: Context, order: Order, excluded: string | undefined): void {
    const id = orderIdOf(order);
    const deployment = this.#deps.deployment.getDeployment(ctx, deploymentIdOf(id));
    if (deployment?.state !== DeploymentState.DEPLOYMENT_STATE_ACTIVE) return;
    const infrastructure = deployment.infrastructure[id.infrastructure];
    if (infrastructure === undefined || this.#book.lastOrder(ctx, id)?.id?.round !== id.round) return;
    const spec = nextSpec(infrastructure, specOf(order), excluded);
    if (isHopeless(spec)) return;
    this.#book.open(ctx, { ...id, round: id.round + 1 }, spec, deployment.waitBlocks);
  }

  #tellWhenAllIsOver(ctx: Context, id: OrderId): void {
    const prefix = deploymentKeyOf(ctx, id);
    for (const _ of openOrders.iterate(ctx, { prefix })) return;
    for (const _ of liveLeasesByDeployment.iterate(ctx, { prefix })) return;
    this.#deps.hooks.afterAllOver(ctx, deploymentIdOf(id));
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
    ctx.isolated((own) => this.#tellWhenAllIsOver(own, id));
  }

  /** Ends a lease whose end failed, without payment and without a new order. Throws nothing that a user causes. */
  settleFailedLease(ctx: Context, number: bigint, failure: Failure): void {
    const lease = leases.get(ctx, number);
    if (lease === undefined || !isLive(lease)) return;
    emitMatchFailed(ctx, lease, failure);
    const wasUnfunded = lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
    const reason = wasUnfunded ? CloseReason.CLOSE_REASON_OUT_OF_FUNDS : CloseReason.CLOSE_REASON_MATCH_FAILED;
    this.endLease(ctx, lease, reason, { withDeployment: true });
    ctx.isolated((own) => this.#tellWhenAllIsOver(own, orderIdOf(lease)));
  }
}

function deploymentIdOf(id: OrderId): DeploymentId {
  return { owner: id.owner, dseq: id.dseq };
}
