/** Bids: takes orders as they come, decides, and sends what was decided, each order once. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { toEncodeObject } from '@mu/client/chain/registry';
import type { Sender } from '@mu/client/chain/sender';
import {
  FulfillmentState,
  type Lease,
  MsgSubmitFulfillment,
  type Order,
  type OrderId,
  OrderState,
} from '@mu/proto/market';
import type { Logger } from 'pino';
import { orderKey } from '../watch/order-key.ts';
import { type BiddingState, bidding, undecided } from './bidding.ts';
import { decide, type Offer } from './decide.ts';
import type { Taken } from './inventory.ts';

export interface BidderOptions {
  readonly client: ChainClient;
  readonly sender: Sender;
  /** what is offered now: the price list may have changed */
  readonly offer: () => Offer;
  /** live leases: what they take is not offered again */
  readonly leases: () => readonly Lease[];
  readonly log: Logger;
}

export class Bidder {
  readonly #options: BidderOptions;
  #state: BiddingState = new Map();
  /** what open bids would take */
  readonly #bidFor = new Map<string, readonly Taken[]>();

  constructor(options: BidderOptions) {
    this.#options = options;
  }

  /** Learns which bids stand, so that nothing is bid twice after a restart. */
  async rebuild(): Promise<void> {
    const { client, offer } = this.#options;
    const { fulfillments } = await client.market.fulfillments({
      provider: offer().provider,
      state: FulfillmentState.FULFILLMENT_STATE_OPEN,
    });
    for (const { order, resources } of fulfillments) {
      const key = orderKey(order as OrderId);
      this.#state = bidding(this.#state, { type: 'known-bid', key });
      this.#bidFor.set(key, resources);
    }
  }

  order(order: Order): void {
    this.#state = bidding(this.#state, { type: 'order', order });
    if (order.state !== OrderState.ORDER_STATE_OPEN) this.#bidFor.delete(orderKey(order.id as OrderId));
  }

  /** Decides what is undecided. */
  tick(): void {
    for (const order of undecided(this.#state)) this.#consider(order);
  }

  #consider(order: Order): void {
    const key = orderKey(order.id as OrderId);
    const taken = [
      ...this.#options.leases().flatMap(({ resources }) => resources),
      ...[...this.#bidFor.values()].flat(),
    ];
    const decision = decide(order, this.#options.offer(), taken);
    if (!decision.bid) {
      this.#options.log.info({ order: key, reason: decision.reason }, 'no bid');
      this.#state = bidding(this.#state, { type: 'skipped', key, reason: decision.reason });
      return;
    }
    this.#state = bidding(this.#state, { type: 'bidding', key });
    this.#bidFor.set(key, decision.resources);
    this.#send(order, key, decision).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warn({ order: key, reason }, 'bid failed');
      this.#bidFor.delete(key);
      this.#state = bidding(this.#state, { type: 'failed', key, reason });
    });
  }

  async #send(order: Order, key: string, decision: Extract<ReturnType<typeof decide>, { bid: true }>): Promise<void> {
    const { sender, offer, log } = this.#options;
    const message = toEncodeObject(MsgSubmitFulfillment, {
      sender: sender.address,
      provider: offer().provider,
      order: order.id,
      resources: [...decision.resources],
      priceListVersion: decision.priceListVersion,
    });
    const tx = await sender.sendAndWait([message]);
    log.info({ order: key, height: tx.height, prices: decision.resources.map(({ price }) => price) }, 'bid submitted');
    this.#state = bidding(this.#state, { type: 'bid', key });
  }
}
