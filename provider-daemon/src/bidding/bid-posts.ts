/** Sends bids, and takes them back, in few transactions; what became of each is told as an event of its order. */
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { CommittedTx } from '@mu/client/chain/chain-client';
import { toEncodeObject } from '@mu/client/chain/registry';
import { type Sender, TxPendingError } from '@mu/client/chain/sender';
import { messageOf } from '@mu/lib/error-message';
import {
  MsgCancelFulfillment,
  MsgSubmitFulfillment,
  MsgSubmitFulfillmentResponse,
  type OrderId,
} from '@mu/proto/market';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import type { Logger } from 'pino';
import { reach } from '../faults/fault-points.ts';
import { orderKey } from '../watch/order-key.ts';
import { inBatches, post, type Sendable } from './batches.ts';
import type { BiddingEvent } from './bidding.ts';
import type { Decision } from './plan.ts';
import { lastingOf } from './refusals.ts';

export type Bid = Extract<Decision, { bid: true }>;

export interface BidPostsOptions {
  readonly sender: Pick<Sender, 'address' | 'send'>;
  /** What is on its way, and what became of it. */
  readonly apply: (...events: readonly BiddingEvent[]) => void;
  /** The chain may know another price list, or bids that are not known here: all that stands is to be compared with it. */
  readonly onDoubt: () => void;
  readonly log: Logger;
}

/** What is sent about one order. */
interface Outgoing extends Sendable {
  readonly key: string;
}

export class BidPosts {
  readonly #options: BidPostsOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: BidPostsOptions) {
    this.#options = options;
  }

  /** Waits until what is on its way has been answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** @param provider that bids, by its owner */
  bid(bids: readonly Bid[], provider: string): void {
    const { sender, apply, log } = this.#options;
    if (bids.length > 0) reach('bid.decided');
    const outgoing = bids.map(({ order, resources, priceListVersion }) => {
      const fields = { sender: sender.address, provider, order: order.id, resources: [...resources], priceListVersion };
      const bytes = MsgSubmitFulfillment.encode(MsgSubmitFulfillment.fromPartial(fields)).finish().length;
      return { key: orderKey(order.id as OrderId), message: toEncodeObject(MsgSubmitFulfillment, fields), bytes };
    });
    const byKey = new Map(bids.map((bid) => [orderKey(bid.order.id as OrderId), bid]));
    apply(...[...byKey].map(([key, bid]) => ({ type: 'sending', key, bid }) as const));
    this.#post('bid failed', outgoing, (items, tx) => {
      reach('bid.committed');
      const { msgResponses } = TxMsgData.decode(tx.data);
      const events = items.map(({ key }, at) => {
        const { number } = MsgSubmitFulfillmentResponse.decode(msgResponses[at]?.value ?? new Uint8Array());
        const { resources = [], collateral = 0n } = byKey.get(key) ?? {};
        const prices = resources.map(({ price }) => price);
        log.info({ order: key, bid: number.toString(), height: tx.height, prices }, 'bid submitted');
        return { type: 'bid', key, bid: { number, resources, collateral } } as const;
      });
      apply(...events);
    });
  }

  /** @param standing bids to be canceled, by their orders' keys */
  takeBack(standing: Iterable<readonly [string, { readonly number: bigint }]>): void {
    const { sender, apply, log } = this.#options;
    const outgoing = [...standing].map(([key, { number }]) => {
      const fields = { sender: sender.address, number };
      const bytes = MsgCancelFulfillment.encode(MsgCancelFulfillment.fromPartial(fields)).finish().length;
      return { key, message: toEncodeObject(MsgCancelFulfillment, fields), bytes };
    });
    apply(...outgoing.map(({ key }) => ({ type: 'canceling', key, canceling: true }) as const));
    this.#post('a bid could not be taken back', outgoing, (items, tx) => {
      apply(...items.map(({ key }) => ({ type: 'canceling', key, canceling: false }) as const));
      log.info({ orders: items.map(({ key }) => key), height: tx.height }, 'bids taken back');
    });
  }

  /** @param failure what is logged when it fails */
  #post(
    failure: string,
    outgoing: readonly Outgoing[],
    onDone: (items: readonly Outgoing[], tx: CommittedTx) => void,
  ): void {
    const { sender } = this.#options;
    const to = {
      async send(messages: readonly EncodeObject[]) {
        reach('bid.sending');
        const sent = await sender.send(messages);
        reach('bid.sent');
        return sent;
      },
      onDone,
      onFailed: (items: readonly Outgoing[], error: unknown) => this.#failed(failure, items, error),
    };
    for (const batch of inBatches(outgoing)) {
      const posted: Promise<void> = post(batch, to).finally(() => this.#underWay.delete(posted));
      this.#underWay.add(posted);
    }
  }

  #failed(failure: string, items: readonly Outgoing[], error: unknown): void {
    // The daemon stops: what is on its way is found on the chain after the start.
    if (error instanceof TxPendingError) return;
    const { apply, onDoubt, log } = this.#options;
    const reason = messageOf(error);
    const lasting = lastingOf(error);
    log.warn({ orders: items.map(({ key }) => key), reason }, failure);
    if (lasting !== 'ever') onDoubt();
    const events = items.flatMap(({ key }): BiddingEvent[] => [
      { type: 'canceling', key, canceling: false },
      lasting === 'room'
        ? { type: 'skipped', key, reason, lasting }
        : { type: 'failed', key, reason, again: lasting === 'soon' },
    ]);
    apply(...events);
  }
}
