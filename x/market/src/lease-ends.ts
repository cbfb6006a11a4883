/** How leases end in the state: payment, collateral, interest, the order, and the next round. */
import type { Context } from '@mu/framework/context';
import { type DeploymentId, DeploymentState } from '@mu/proto/deployment';
import { type Lease, LeaseState, type Order, type OrderId, OrderState } from '@mu/proto/market';
import { Collateral } from './collateral.ts';
import { emitLeaseEnded } from './events.ts';
import type { MarketDeps } from './expected-keepers.ts';
import { available, interestOf, withMinted } from './interest.ts';
import { type Division, divide, ended, ends, type Reason, reopens } from './leases.ts';
import type { MarketBook } from './market-book.ts';
import { excludedByMarket, isHopeless, nextSpec, specOf, standingAt } from './orders.ts';
import {
  deploymentKeyOf,
  interestItem,
  isLive,
  leases,
  liveLeasesByDeployment,
  openOrders,
  orderIdOf,
  paramsItem,
  putLease,
} from './state.ts';

/** What a payment of blocks did. */
export interface Paid {
  readonly lease: Lease;
  /** in umu, to the provider */
  readonly paid: bigint;
  /** in umu */
  readonly commission: bigint;
}

/** Where the collateral of an ended lease went, and what it bore, in umu. */
export interface Settled extends Division {
  readonly interest: bigint;
}

/** How a lease is ended beyond its reason. */
export interface EndOptions {
  /** something else takes the lease's place, or its deployment ends: nothing reopens, and nobody is told that all is over */
  readonly quietly?: boolean;
}

export class LeaseEnds {
  readonly #deps: MarketDeps;
  readonly #book: MarketBook;
  readonly #collateral: Collateral;

  constructor(deps: MarketDeps, book: MarketBook) {
    this.#deps = deps;
    this.#book = book;
    this.#collateral = new Collateral(deps);
  }

  /** Pays an active lease up to this block; one out of funds only moves on. */
  payTo(ctx: Context, lease: Lease): Paid {
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

  /** Ends a live lease: pays what is due, divides the collateral, closes its order and opens the next round. */
  end(ctx: Context, lease: Lease, reason: Reason, options: EndOptions = {}): Settled {
    const payment = ends[reason].pays ? this.payTo(ctx, lease) : { lease, paid: 0n };
    const closed = ended(payment.lease, reason, ctx.height);
    putLease(ctx, closed, lease);
    const { over, settled } = this.#settle(ctx, closed, reason);
    emitLeaseEnded(ctx, over, settled, payment.paid);
    const order = this.#book.getOrder(ctx, orderIdOf(lease));
    this.#book.closeMatched(ctx, order, reason);
    if (options.quietly === true) return settled;
    const replaces = this.liveNumber(ctx, lease.replaces);
    if (reopens(lease, reason, replaces !== 0n))
      this.openNextRound(ctx, lease, { excludes: ends[reason].excludes, replaces });
    this.tellWhenAllIsOver(ctx, orderIdOf(lease));
    return settled;
  }

  #settle(ctx: Context, lease: Lease, reason: Reason): { over: Lease; settled: Settled } {
    const division = divide(lease, ends[reason].collateral, ctx.height, paramsItem.get(ctx));
    this.#collateral.divide(ctx, lease.provider, orderIdOf(lease).owner, division);
    const interest = ends[reason].interest ? this.#payInterest(ctx, lease) : 0n;
    if (interest === 0n) return { over: lease, settled: { ...division, interest } };
    const over = { ...lease, interest: `${interest}` };
    putLease(ctx, over, lease);
    return { over, settled: { ...division, interest } };
  }

  #payInterest(ctx: Context, lease: Lease): bigint {
    const params = paramsItem.get(ctx);
    const borne = interestOf(lease, params);
    if (borne === 0n) return 0n;
    const ledger = interestItem.get(ctx);
    const left = available(ledger, ctx.height, params);
    const minted = this.#collateral.payInterest(ctx, lease.provider, borne < left ? borne : left);
    if (minted > 0n) interestItem.set(ctx, withMinted(ledger, minted, ctx.height, params));
    return minted;
  }

  /** The number of a lease while it lives, else 0. */
  liveNumber(ctx: Context, number: bigint): bigint {
    const lease = number === 0n ? undefined : leases.get(ctx, number);
    return lease !== undefined && isLive(lease) ? number : 0n;
  }

  /**
   * Opens the next round of a lease's infrastructure as it now asks, unless a later order of it is open or has a lease, or
   * nobody may fulfil it.
   * @param how whether the lease's provider is excluded, and the lease that the order replaces, 0 for none
   */
  openNextRound(ctx: Context, lease: Lease, how: { readonly excludes: boolean; readonly replaces: bigint }): void {
    const id = orderIdOf(lease);
    const deployment = this.#deps.deployment.getDeployment(ctx, deploymentIdOf(id));
    if (deployment?.state !== DeploymentState.DEPLOYMENT_STATE_ACTIVE) return;
    const infrastructure = standingAt(deployment, id.infrastructure);
    const last = this.#book.lastOrder(ctx, id);
    if (infrastructure === undefined || last === undefined || isLaterAndStands(last, lease)) return;
    const excluded = excludedByMarket(specOf(last), infrastructure);
    if (how.excludes) excluded.push(lease.provider);
    const spec = nextSpec(infrastructure, excluded);
    if (isHopeless(spec)) return;
    this.#book.openNext(ctx, id, { spec, waitBlocks: deployment.waitBlocks, replaces: how.replaces });
  }

  tellWhenAllIsOver(ctx: Context, id: OrderId | DeploymentId): void {
    const prefix = deploymentKeyOf(ctx, id);
    for (const _ of openOrders.iterate(ctx, { prefix })) return;
    for (const _ of liveLeasesByDeployment.iterate(ctx, { prefix })) return;
    this.#deps.hooks.afterAllOver(ctx, deploymentIdOf(id));
  }
}

/** Whether the last order of an infrastructure came after the lease's own and is not over. */
function isLaterAndStands(last: Order, lease: Lease): boolean {
  return last.state !== OrderState.ORDER_STATE_CLOSED && orderIdOf(last).round !== orderIdOf(lease).round;
}

export function deploymentIdOf(id: OrderId | DeploymentId): DeploymentId {
  return { owner: id.owner, dseq: id.dseq };
}
