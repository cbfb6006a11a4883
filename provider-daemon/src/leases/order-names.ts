/** The names of the infrastructures that leases are of, by their orders: proved, and an order's is its own for good. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import type { Lease } from '@mu/proto/market';
import { orderKey } from '../watch/order-key.ts';

/** Orders whose infrastructures are kept in memory. */
const maxKnown = 10_000;

export class OrderNames {
  readonly #client: Pick<ChainClient, 'market'>;
  readonly #known = new Map<string, string>();

  constructor(client: Pick<ChainClient, 'market'>) {
    this.#client = client;
  }

  /** In the deployment another infrastructure may have taken the index since. @returns '' where there is no such order */
  async of({ order }: Pick<Lease, 'order'>): Promise<string> {
    if (order === undefined) return '';
    const key = orderKey(order);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = await unlessMissing(this.#client.market.order(order));
    const name = found?.order?.spec?.name ?? '';
    if (name === '') return '';
    const [oldest] = this.#known.keys();
    if (this.#known.size >= maxKnown && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, name);
    return name;
  }
}
