/**
 * Watches the market: pages what is already there, then follows block by block what changed. What it tells is the state
 * of an order or a lease, never a step, so that hearing of one twice, or late, does no harm.
 */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import type { DeploymentId } from '@mu/proto/deployment';
import type { PageRequest } from '@mu/proto/generated/cosmos/base/query/v1beta1/pagination';
import { type Lease, LeaseState, type Order, OrderState } from '@mu/proto/market';
import { isLive } from '../leases/lease-machine.ts';
import { type ChainEvent, touchedBy } from './touched.ts';

/**
 * Who is told. Calls come one at a time, in the order of the blocks, and those of a block before its height; what nobody
 * listens to is not asked for.
 */
export interface MarketListener {
  order?(order: Order): void;
  lease?(lease: Lease): void;
  /** a deployment was updated */
  deployment?(id: DeploymentId): void;
  /** a lease of a deployment was made, has ended or was changed, whosever it is */
  participants?(id: DeploymentId): void;
  /** a provider's entry, roots or nodes were changed */
  provider?(owner: string): void;
  /** everything of this height has been told; `complete` after all that stood was paged */
  height(height: bigint, complete: boolean): Promise<void>;
}

export interface MarketWatchOptions {
  readonly client: ChainClient;
  /** the provider, by its owner */
  readonly provider: string;
  readonly regions: readonly string[];
  readonly listener: MarketListener;
  readonly pause: (ms: number) => Promise<void>;
  readonly pollMs: number;
  /** Called when the node does not answer; the watch goes on trying. */
  readonly onTrouble: (error: unknown) => void;
}

const pageSize = 200n;
/** Queries at a time. */
const maxAsked = 32;
/** A longer gap is cheaper to page than to follow. */
const maxFollowedBlocks = 50n;
/** Now and then all is paged again: what was missed, a lease's end too, is missed no longer than this. */
const pageAgainBlocks = 200n;

export class MarketWatch {
  readonly #options: MarketWatchOptions;
  #running = false;
  #done: Promise<void> = Promise.resolve();
  #seen = 0n;
  /** 0: all is to be paged, whatever the height */
  #paged = 0n;
  /** leases that were told as live: their ends may have been missed */
  readonly #live = new Set<bigint>();

  constructor(options: MarketWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    this.#done = this.#run();
  }

  /** Resolves when the step that is under way has ended. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      try {
        await this.#step();
      } catch (error) {
        this.#options.onTrouble(error);
      }
      await this.#options.pause(this.#options.pollMs);
    }
  }

  async #step(): Promise<void> {
    const height = BigInt(await this.#options.client.height());
    if (height <= this.#seen) return;
    // A page names no lease that ended, and no deployment that was updated: as few blocks as possible are only paged.
    if (this.#seen === 0n || height - this.#seen > maxFollowedBlocks) {
      await this.#page();
      await this.#tell(height, true);
      return;
    }
    for (let next = this.#seen + 1n; next <= height && this.#running; next += 1n) {
      await this.#follow(next);
      const isDue = this.#paged === 0n || height - this.#paged > pageAgainBlocks;
      const complete = next === height && isDue;
      if (complete) await this.#page();
      await this.#tell(next, complete);
    }
  }

  /** What a listener could not take up is told again by a page, with the next block: the height goes on meanwhile. */
  async #tell(height: bigint, complete: boolean): Promise<void> {
    this.#seen = height;
    this.#paged = complete ? height : this.#paged;
    try {
      await this.#options.listener.height(height, complete);
    } catch (error) {
      this.#paged = 0n;
      throw error;
    }
  }

  async #page(): Promise<void> {
    const { client, listener, regions } = this.#options;
    for (const region of listener.order === undefined ? [] : regions) {
      const orders = await pages((pagination) =>
        client.market.orders({ region, state: OrderState.ORDER_STATE_OPEN, pagination }),
      );
      for (const order of orders.flatMap((page) => page.orders)) listener.order?.(order);
    }
    if (listener.lease !== undefined) await this.#tellLeases(await this.#listedLeases());
  }

  /** Those that the node lists, and those of which it says nothing any more. */
  async #listedLeases(): Promise<ReadonlySet<bigint>> {
    const { client, provider } = this.#options;
    const numbers = new Set(this.#live);
    for (const state of [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_OUT_OF_FUNDS]) {
      const leases = await pages((pagination) => client.market.leases({ provider, state, pagination }));
      for (const { number } of leases.flatMap((page) => page.leases)) numbers.add(number);
    }
    return numbers;
  }

  /** As their records say: a list is not proved, it only says which to read. */
  async #tellLeases(numbers: Iterable<bigint>): Promise<void> {
    const { client, listener, provider } = this.#options;
    for (const found of await eachOf([...numbers], (number) => unlessMissing(client.market.lease({ number })))) {
      const lease = found?.lease;
      if (lease?.provider !== provider) continue;
      if (isLive(lease)) this.#live.add(lease.number);
      else this.#live.delete(lease.number);
      listener.lease?.(lease);
    }
  }

  async #follow(height: bigint): Promise<void> {
    const { client, listener, regions } = this.#options;
    const results = await client.comet.blockResults(Number(height));
    const events: ChainEvent[] = [
      ...results.finalizeBlockEvents,
      ...results.results.flatMap((result) => result.events),
    ];
    const touched = touchedBy(events);
    const ids = listener.order === undefined ? [] : [...touched.orders.values()];
    for (const found of await eachOf(ids, (id) => unlessMissing(client.market.order(id)))) {
      if (found?.order !== undefined && regions.includes(found.order.spec?.region ?? '')) listener.order?.(found.order);
    }
    if (listener.lease !== undefined) await this.#tellLeases(touched.leases);
    for (const id of touched.deployments) listener.deployment?.(id);
    for (const id of touched.participants) listener.participants?.(id);
    for (const owner of touched.providers) listener.provider?.(owner);
  }
}

/** Answers in the order of the questions, some of them asked at a time: a block may touch hundreds of records. */
async function eachOf<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += maxAsked) {
    answers.push(...(await Promise.all(items.slice(at, at + maxAsked).map(ask))));
  }
  return answers;
}

interface Paged {
  readonly pagination: { readonly nextKey: Uint8Array } | undefined;
}

/** All pages of a list. */
async function pages<T extends Paged>(ask: (pagination: PageRequest) => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  let key = new Uint8Array();
  do {
    const page = await ask({ key, offset: 0n, limit: pageSize, countTotal: false, reverse: false });
    found.push(page);
    key = Uint8Array.from(page.pagination?.nextKey ?? []);
  } while (key.length > 0);
  return found;
}
