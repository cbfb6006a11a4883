/** The order book in the state: orders open and close, bids come, go, win and lose. */
import type { Context } from '@mu/framework/context';
import { addressBytes } from '@mu/framework/message-registry';
import { parseAmount } from '@mu/lib/amounts';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import {
  type CloseReason,
  Fulfillment,
  FulfillmentState,
  type Lease,
  LossReason,
  type MsgSubmitFulfillment,
  type Order,
  type OrderId,
  type Params,
} from '@mu/proto/market';
import type { Provider } from '@mu/proto/provider';
import { Collateral } from './collateral.ts';
import {
  errAttributes,
  errBookFull,
  errOrderNotFound,
  errSecondBid,
  errTooManyBids,
  errTooManyLeases,
} from './errors.ts';
import {
  emitBidCanceled,
  emitBidLost,
  emitBidSubmitted,
  emitLeaseCreated,
  emitOrderClosed,
  emitOrderOpened,
} from './events.ts';
import type { MarketDeps } from './expected-keepers.ts';
import { bidCollateral, bidTotal, checkOffer, checkPriceList, checkProvider } from './fulfillments.ts';
import { newLease } from './leases.ts';
import { closed, matched, newOrder, specOf, withBid, withoutBid } from './orders.ts';
import {
  fulfillments,
  lastFulfillment,
  lastLease,
  liveLeaseCount,
  openBidCount,
  openBidsByProvider,
  openBidsByTotal,
  orderIdOf,
  orderKeyOf,
  orders,
  paramsItem,
  putFulfillment,
  putLease,
  putOrder,
} from './state.ts';

export class MarketBook {
  readonly #deps: MarketDeps;
  readonly #collateral: Collateral;

  constructor(deps: MarketDeps) {
    this.#deps = deps;
    this.#collateral = new Collateral(deps);
  }

  /** @throws AbciError order not found (2), invalid address (7) */
  getOrder(ctx: Context, id: OrderId): Order {
    const order = orders.get(ctx, orderKeyOf(ctx, id));
    if (order === undefined) throw errOrderNotFound.wrap(`${id.owner}/${id.dseq}/${id.infrastructure}/${id.round}`);
    return order;
  }

  /** The last order of an infrastructure; undefined before the first. */
  lastOrder(ctx: Context, id: Omit<OrderId, 'round'>): Order | undefined {
    const [owner, dseq, infrastructure] = orderKeyOf(ctx, { ...id, round: 0 });
    for (const [, order] of orders.iterate(ctx, { prefix: [owner, dseq, infrastructure], reverse: true })) return order;
    return undefined;
  }

  /**
   * Opens the next round of an infrastructure.
   * @param asks what it asks, how long it waits, and the lease that it replaces
   */
  openNext(
    ctx: Context,
    of: Omit<OrderId, 'round'>,
    asks: { readonly spec: DeploymentInfrastructure; readonly waitBlocks: bigint; readonly replaces: bigint },
  ): Order {
    const { owner, dseq, infrastructure } = of;
    const round = (this.lastOrder(ctx, of)?.id?.round ?? 0) + 1;
    const order = newOrder({ id: { owner, dseq, infrastructure, round }, ...asks, height: ctx.height });
    putOrder(ctx, order, undefined);
    emitOrderOpened(ctx, order);
    return order;
  }

  /** Closes an open order; its bids get their collateral back. */
  close(ctx: Context, order: Order, reason: CloseReason): void {
    for (const bid of this.#openBids(ctx, order)) this.#lose(ctx, bid, LossReason.LOSS_REASON_ORDER_CLOSED);
    this.closeMatched(ctx, order, reason);
  }

  /** Closes an order whose lease is over. */
  closeMatched(ctx: Context, order: Order, reason: CloseReason): void {
    const over = closed(order, reason, ctx.height);
    putOrder(ctx, over, order);
    emitOrderClosed(ctx, over);
  }

  /**
   * Makes a bid. The checks stand in the order of the README's ladder; the caller has seen that the sender may act.
   * @throws AbciError as the README's table says
   */
  bid(ctx: Context, order: Order, provider: Provider, message: MsgSubmitFulfillment): Fulfillment {
    const params = paramsItem.get(ctx);
    const spec = specOf(order);
    checkProvider(spec, provider);
    if (!this.#deps.provider.satisfies(ctx, provider.owner, spec.attributes, spec.auditedBy))
      throw errAttributes.bare();
    checkOffer(spec, message.resources);
    const version = message.priceListVersion;
    const list = version === 0n ? undefined : this.#deps.provider.priceList(ctx, provider.owner, version);
    checkPriceList(spec, provider, version, list);
    this.#checkCaps(ctx, order, provider, params);
    const bid = Fulfillment.fromPartial({
      order: orderIdOf(order),
      provider: provider.owner,
      resources: message.resources,
      priceListVersion: version,
      total: bidTotal(spec, message.resources, list).atomicsString(),
      collateral: bidCollateral(message.resources).toString(),
      state: FulfillmentState.FULFILLMENT_STATE_OPEN,
      height: ctx.height,
    });
    return this.#enter(ctx, order, { sender: message.sender, bid, params });
  }

  #checkCaps(ctx: Context, order: Order, provider: Provider, params: Params): void {
    const owner = addressBytes(provider.owner, ctx.chain.bech32Prefix);
    for (const _ of openBidsByProvider.iterate(ctx, { prefix: [owner, ...orderKeyOf(ctx, orderIdOf(order))] })) {
      throw errSecondBid.bare();
    }
    const open = openBidCount.get(ctx, owner) ?? 0n;
    if (open >= BigInt(params.maxOpenBids)) throw errTooManyBids.wrap(`${open}, at most ${params.maxOpenBids}`);
    // Every open bid may win: a winner is never beyond the bound, so no match fails for it.
    const live = liveLeaseCount.get(ctx, owner) ?? 0n;
    if (open + live >= BigInt(params.maxActiveLeases)) {
      throw errTooManyLeases.wrap(`${live} leases and ${open} bids, at most ${params.maxActiveLeases}`);
    }
  }

  /** Enters a checked bid into the book; a full one loses its worst bid, if that is dearer. */
  #enter(
    ctx: Context,
    order: Order,
    { sender, bid, params }: { sender: string; bid: Fulfillment; params: Params },
  ): Fulfillment {
    const isFull = order.openBids >= params.maxBidsPerOrder;
    if (isFull) {
      const worst = this.#worstBid(ctx, order);
      if (BigInt(bid.total) >= BigInt(worst.total)) throw errBookFull.wrap(`the dearest total is ${worst.total}`);
      this.#lose(ctx, worst, LossReason.LOSS_REASON_EVICTED);
    }
    this.#collateral.lock(ctx, sender, parseAmount(bid.collateral));
    const entered = { ...bid, number: lastFulfillment.next(ctx) };
    putFulfillment(ctx, entered, undefined);
    // One bid for another leaves the order as it was: an eviction does not start the auction anew.
    const after = isFull ? order : withBid(order, ctx.height, params);
    if (!isFull) putOrder(ctx, after, order);
    emitBidSubmitted(ctx, entered, after);
    return entered;
  }

  /** Takes an open bid back. */
  cancel(ctx: Context, bid: Fulfillment): void {
    const over = { ...bid, state: FulfillmentState.FULFILLMENT_STATE_CANCELED, closedHeight: ctx.height };
    putFulfillment(ctx, over, bid);
    const order = this.getOrder(ctx, orderIdOf(bid));
    putOrder(ctx, withoutBid(order), order);
    this.#collateral.refund(ctx, bid.provider, parseAmount(bid.collateral));
    emitBidCanceled(ctx, bid);
  }

  /** Matches an order that is due: the lowest total wins, the earlier bid on a tie; the others get their collateral. */
  match(ctx: Context, order: Order): Lease {
    const [winner, ...losers] = this.#openBids(ctx, order);
    if (winner === undefined) throw new Error('an order that is due has a bid');
    const won = { ...winner, state: FulfillmentState.FULFILLMENT_STATE_MATCHED, closedHeight: ctx.height };
    putFulfillment(ctx, won, winner);
    const lease = newLease(lastLease.next(ctx), order, won, ctx.height, paramsItem.get(ctx));
    putLease(ctx, lease, undefined);
    putOrder(ctx, matched(order, lease.number), order);
    emitLeaseCreated(ctx, lease, won);
    for (const loser of losers) this.#lose(ctx, loser, LossReason.LOSS_REASON_OUTBID);
    return lease;
  }

  #lose(ctx: Context, bid: Fulfillment, lossReason: LossReason): void {
    const lost = { ...bid, state: FulfillmentState.FULFILLMENT_STATE_LOST, lossReason, closedHeight: ctx.height };
    putFulfillment(ctx, lost, bid);
    this.#collateral.refund(ctx, bid.provider, parseAmount(bid.collateral));
    emitBidLost(ctx, lost);
  }

  /** Open bids of an order, the best first. Read whole before anything is written. */
  #openBids(ctx: Context, order: Order): Fulfillment[] {
    const prefix = orderKeyOf(ctx, orderIdOf(order));
    return [...openBidsByTotal.iterate(ctx, { prefix })].map((key) => this.#bidAt(ctx, key));
  }

  #worstBid(ctx: Context, order: Order): Fulfillment {
    const prefix = orderKeyOf(ctx, orderIdOf(order));
    for (const key of openBidsByTotal.iterate(ctx, { prefix, reverse: true })) return this.#bidAt(ctx, key);
    throw new Error('a full book has a bid');
  }

  #bidAt(ctx: Context, key: readonly unknown[]): Fulfillment {
    const bid = fulfillments.get(ctx, key[5] as bigint);
    if (bid === undefined) throw new Error(`bid ${key[5]} stands in an index and not in its table`);
    return bid;
  }
}
