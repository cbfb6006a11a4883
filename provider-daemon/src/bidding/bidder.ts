/**
 * Bids: takes orders as they come, and decides those of a block together. What it may do is decided by pure functions
 * (`decide.ts`, `plan.ts`), where it stands with each order is the machine's (`bidding.ts`), what was decided is sent by
 * `bid-posts.ts`; this carries it out.
 */
import type { ChainClient } from '@mu/client/chain/chain-client';
import type { Sender } from '@mu/client/chain/sender';
import { messageOf } from '@mu/lib/error-message';
import type { Lease, Order, OrderId } from '@mu/proto/market';
import type { Logger } from 'pino';
import { reach } from '../faults/fault-points.ts';
import { OrderNames } from '../leases/order-names.ts';
import { orderKey } from '../watch/order-key.ts';
import { ownPlaces } from './apart.ts';
import { askPrices } from './ask-prices.ts';
import { BidPosts } from './bid-posts.ts';
import {
  type BiddingEvent,
  type BiddingState,
  bidding,
  cancelable,
  heldByBids,
  lockedOnTheWay,
  unchecked,
  undecided,
} from './bidding.ts';
import { type Offer, type Priced, priced, whyUnfit } from './decide.ts';
import { type Holders, type Inventory, inventory } from './inventory.ts';
import type { OwnOffer } from './offer.ts';
import { checkBids, held, type RegistryFacts, registryFacts, unknownBids } from './own-bids.ts';
import { plan, type Skipped } from './plan.ts';
import type { PriceScript } from './price-script.ts';

export interface BidderOptions {
  /** the node itself: its newest state says how bids stand */
  readonly client: ChainClient;
  readonly sender: Pick<Sender, 'address' | 'send'>;
  readonly offer: () => OwnOffer;
  /** live leases: what they take is not offered again */
  readonly leases: () => readonly Lease[];
  /** bytes that volumes of ended leases have, asked at each block; undefined: as it was. None where it is left out */
  readonly keptDisk?: () => Promise<bigint | undefined>;
  /** umu of the operator's account that no bid locks: leases are confirmed with them */
  readonly feeReserve: bigint;
  /** denomination of collaterals */
  readonly denom: string;
  /** while true nothing is bid for, and open bids are taken back; asked at each block */
  readonly draining: () => boolean;
  /** decides prices in the place of the rates */
  readonly script?: Pick<PriceScript, 'ask'>;
  readonly log: Logger;
}

export class Bidder {
  readonly #options: BidderOptions;
  #state: BiddingState = new Map();
  #heard: Order[] = [];
  #registry: RegistryFacts | undefined;
  /** orders by key that held something when it was looked last */
  #holding: ReadonlySet<string> = new Set();
  #keptDisk = 0n;
  #turn: Promise<void> = Promise.resolve();
  #isQueued = false;
  #knowsLeases = false;
  /** all that stands is to be compared with the chain */
  #compare = false;
  readonly #posts: BidPosts;
  readonly #names: OrderNames;

  constructor(options: BidderOptions) {
    this.#options = options;
    this.#names = new OrderNames(options.client);
    this.#posts = new BidPosts({
      sender: options.sender,
      apply: (...events) => this.#apply(...events),
      onDoubt: () => {
        this.#compare = true;
      },
      log: options.log,
    });
  }

  /** Learns which bids stand, so that nothing is bid twice after a restart. @throws ChainError */
  async rebuild(): Promise<void> {
    await this.#compareAll();
  }

  /** An order as the chain has it. It is looked at when its block's orders have been told. */
  order(order: Order): void {
    this.#heard.push(order);
    reach('order.heard');
  }

  /** A block's orders have been told. @param complete all that are open, not only those that it touched */
  ordersTold(complete: boolean): void {
    const heard = this.#heard;
    this.#heard = [];
    const open = complete ? { open: new Set(heard.map(({ id }) => orderKey(id as OrderId))) } : {};
    this.#apply(...heard.map((order) => ({ type: 'order', order }) as const), { type: 'orders', ...open });
    this.#compare ||= complete;
    this.#wake();
  }

  /** The lease keeper knows every lease of up to this height. Before the first call nothing is bid for. */
  leasesTold(height: bigint): void {
    this.#apply({ type: 'leases', height });
    this.#knowsLeases = true;
    this.#wake();
  }

  /** What is offered, held and free now. */
  inventory(): Inventory {
    return inventory(this.#options.offer().capacity, this.#holders());
  }

  /** Waits until what is under way has ended. */
  async settled(): Promise<void> {
    await this.#turn;
    await this.#posts.settled();
  }

  /** One round waits at most: it sees what came meanwhile. */
  #wake(): void {
    const holding = new Set([...this.#leased(), ...heldByBids(this.#state, new Set()).keys()]);
    if ([...this.#holding].some((key) => !holding.has(key))) this.#apply({ type: 'room' });
    this.#holding = holding;
    if (this.#isQueued || !this.#knowsLeases) return;
    this.#isQueued = true;
    this.#turn = this.#turn.then(() => this.#round());
  }

  #apply(...events: readonly BiddingEvent[]): void {
    this.#state = bidding(this.#state, ...events);
  }

  /** Orders by key that have a lease here. */
  #leased(): ReadonlySet<string> {
    return new Set(this.#options.leases().map(({ order }) => orderKey(order as OrderId)));
  }

  #holders(): Holders {
    return {
      leases: this.#options.leases().map(held),
      bids: [...heldByBids(this.#state, this.#leased()).values()],
      keptDisk: this.#keptDisk,
    };
  }

  async #round(): Promise<void> {
    this.#isQueued = false;
    const { draining, log } = this.#options;
    try {
      if (this.#compare) await this.#compareAll();
      await this.#check();
      await this.#lookForDisk();
      // What is on its way is canceled when it stands.
      if (draining()) this.#posts.takeBack(cancelable(this.#state));
      else await this.#consider();
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'bidding waits for the next block');
    }
  }

  async #compareAll(): Promise<void> {
    const { client, offer } = this.#options;
    const { provider } = offer();
    this.#registry = await registryFacts(client, provider);
    const known = new Set([...this.#leased(), ...heldByBids(this.#state, new Set()).keys()]);
    this.#apply(...(await unknownBids(client, provider, known)));
    this.#compare = false;
  }

  async #check(): Promise<void> {
    const { client, offer } = this.#options;
    this.#apply(...(await checkBids(client, offer().provider, unchecked(this.#state))));
  }

  async #lookForDisk(): Promise<void> {
    const now = (await this.#options.keptDisk?.()) ?? this.#keptDisk;
    if (now < this.#keptDisk) this.#apply({ type: 'room' });
    this.#keptDisk = now;
  }

  /** Decides what is undecided, all of it against one inventory. */
  async #consider(): Promise<void> {
    const { client, sender, denom, feeReserve } = this.#options;
    const offer = this.#offer();
    const fit = this.#fitting(offer);
    if (fit.length === 0) return;
    const candidates = await this.#priced(fit, offer);
    const own = await ownPlaces(fit, { leases: this.#options.leases(), bids: this.#state }, this.#names);
    const balance = await client.balance(sender.address, denom);
    // Meanwhile orders may have gone, and bids been made.
    const waiting = undecided(this.#state);
    const still = candidates.filter(({ order }) => waiting.has(orderKey(order.id as OrderId)));
    // What no block holds yet is still in the balance.
    const funds = balance - lockedOnTheWay(this.#state) - feeReserve;
    const decisions = plan(still, offer, { ...this.#holders(), funds, own });
    this.#skip(decisions.filter((decision) => !decision.bid));
    const bids = decisions.filter((decision) => decision.bid);
    this.#posts.bid(bids, offer.provider);
  }

  #offer(): Offer {
    const own = this.#options.offer();
    return { ...own, attestations: [], ...this.#registry };
  }

  #fitting(offer: Offer): Order[] {
    const fit: Order[] = [];
    const skipped: Skipped[] = [];
    for (const { order } of undecided(this.#state).values()) {
      const reason = whyUnfit(order, offer);
      if (reason === undefined) fit.push(order);
      else skipped.push({ order, reason, lasting: 'ever' });
    }
    this.#skip(skipped);
    return fit;
  }

  async #priced(orders: readonly Order[], offer: Offer): Promise<readonly Priced[]> {
    const { script } = this.#options;
    const byRates = orders.map((order) => priced(order, offer));
    if (script === undefined) return byRates;
    const { found, skipped } = await askPrices(script, byRates, offer, this.inventory());
    this.#skip(skipped);
    return found;
  }

  #skip(skipped: readonly Skipped[]): void {
    const waiting = undecided(this.#state);
    const events = skipped.map(({ order, reason, lasting }) => {
      const key = orderKey(order.id as OrderId);
      this.#options.log[waiting.get(key)?.before === reason ? 'debug' : 'info']({ order: key, reason }, 'no bid');
      return { type: 'skipped', key, reason, lasting } as const;
    });
    this.#apply(...events);
  }
}
