/**
 * What became of this provider's bids, as the chain tells it. Numbers of bids come from one counter: those above the last
 * one seen are new, and those that were open are asked for until they are not.
 */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { type Fulfillment, FulfillmentState } from '@mu/proto/market';

export interface BidOutcomes {
  readonly won: number;
  readonly lost: number;
  readonly canceled: number;
}

/** Bids in one answer. */
const pageSize = 100n;
/** Open bids that are asked for at a time. */
const maxAsked = 16;

const outcomeOf = new Map<FulfillmentState, keyof BidOutcomes>([
  [FulfillmentState.FULFILLMENT_STATE_MATCHED, 'won'],
  [FulfillmentState.FULFILLMENT_STATE_LOST, 'lost'],
  [FulfillmentState.FULFILLMENT_STATE_CANCELED, 'canceled'],
]);

export class BidTally {
  readonly #client: Pick<ChainClient, 'market'>;
  readonly #provider: string;
  readonly #outcomes = { won: 0, lost: 0, canceled: 0 };
  readonly #open = new Set<bigint>();
  /** the highest number seen; undefined before the first look, which counts nothing that was over by then */
  #highest: bigint | undefined;

  constructor(client: Pick<ChainClient, 'market'>, provider: string) {
    this.#client = client;
    this.#provider = provider;
  }

  /** Since the first look. */
  outcomes(): BidOutcomes {
    return { ...this.#outcomes };
  }

  /** @throws ChainError; the next look makes up for it */
  async look(): Promise<void> {
    const fresh = await this.#fresh();
    const settled = await this.#settled();
    for (const bid of [...fresh, ...settled]) this.#count(bid, this.#highest !== undefined);
    this.#highest = fresh.reduce((highest, { number }) => (number > highest ? number : highest), this.#highest ?? 0n);
  }

  /** Bids that were not known, the newest first; at the first look, those that are open. */
  async #fresh(): Promise<Fulfillment[]> {
    const { market } = this.#client;
    const first = this.#highest === undefined;
    const state = first ? FulfillmentState.FULFILLMENT_STATE_OPEN : FulfillmentState.FULFILLMENT_STATE_UNSPECIFIED;
    const known = this.#highest ?? 0n;
    const found: Fulfillment[] = [];
    let key = new Uint8Array();
    for (;;) {
      const pagination = { key, offset: 0n, limit: pageSize, countTotal: false, reverse: true };
      const page = await market.fulfillments({ provider: this.#provider, state, pagination });
      const news = page.fulfillments.filter(({ number }) => number > known);
      found.push(...news);
      key = Uint8Array.from(page.pagination?.nextKey ?? []);
      if (key.length === 0 || news.length < page.fulfillments.length || news.length === 0) break;
    }
    if (first) found.push(...(await this.#newest()));
    return found;
  }

  /** The newest bid, whatever became of it: from it on everything counts. */
  async #newest(): Promise<Fulfillment[]> {
    const pagination = { key: new Uint8Array(), offset: 0n, limit: 1n, countTotal: false, reverse: true };
    const state = FulfillmentState.FULFILLMENT_STATE_UNSPECIFIED;
    return (await this.#client.market.fulfillments({ provider: this.#provider, state, pagination })).fulfillments;
  }

  async #settled(): Promise<Fulfillment[]> {
    const numbers = [...this.#open];
    const found: Fulfillment[] = [];
    for (let at = 0; at < numbers.length; at += maxAsked) {
      const answers = await Promise.all(numbers.slice(at, at + maxAsked).map((number) => this.#one(number)));
      found.push(...answers);
    }
    return found;
  }

  /** A record that is gone says no more than that the bid did not win: what was matched is kept. */
  async #one(number: bigint): Promise<Fulfillment> {
    try {
      const { fulfillment } = await this.#client.market.fulfillment({ number });
      if (fulfillment !== undefined) return fulfillment;
    } catch (error) {
      if (!(error instanceof ChainError) || !error.notFound) throw error;
    }
    return { number, state: FulfillmentState.FULFILLMENT_STATE_LOST } as Fulfillment;
  }

  #count({ number, state }: Fulfillment, counts: boolean): void {
    const outcome = outcomeOf.get(state);
    if (outcome === undefined) {
      this.#open.add(number);
      return;
    }
    const wasOpen = this.#open.delete(number);
    if (counts || wasOpen) this.#outcomes[outcome] += 1;
  }
}
