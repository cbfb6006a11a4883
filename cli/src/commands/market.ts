/** mucli market: the order book. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { allItems, pageFrom } from '@mu/client/chain/pages';
import { type Fulfillment, FulfillmentState, type Lease, LeaseState, type Order, OrderState } from '@mu/proto/market';
import { wholeNumber } from '../arguments.ts';
import { type Book, bestFirst, bookText, highestPrice } from '../order-book.ts';
import { orderName, parseOrder } from '../order-name.ts';
import type { Session } from '../session.ts';
import { perMonth, wordOf } from '../words.ts';

export interface MarketOptions {
  readonly region?: string;
  /** OWNER/DSEQ/INFRASTRUCTURE/ROUND */
  readonly order?: string;
  readonly limit: string;
  readonly all?: boolean;
}

/** Open orders with their bids, and the leases; or one order whatever became of it. */
export async function showMarket(session: Session, options: MarketOptions): Promise<void> {
  const client = await session.client();
  const limit = options.all === true ? undefined : wholeNumber(options.limit, '--limit');
  const [height, { params }] = await Promise.all([client.height(), client.market.params({})]);
  const { orders, leases } =
    options.order === undefined
      ? await openMarket(client, options.region ?? '', limit)
      : await oneOrder(client, options.order);
  const book: Book = {
    height: BigInt(height),
    blocksPerYear: params?.blocksPerYear ?? 0n,
    denom: session.config.denom,
    orders: await Promise.all(orders.map(async (order) => ({ order, bids: await bidsOf(client, order) }))),
    leases,
  };
  const isCut = limit !== undefined && [orders, leases].some((list) => BigInt(list.length) >= limit);
  if (isCut) session.output.step(`not more than ${limit} orders and leases are shown: --limit or --all shows more`);
  session.output.result(bookFacts(book), () => bookText(book));
}

interface Found {
  readonly orders: readonly Order[];
  readonly leases: readonly Lease[];
}

async function openMarket(client: ChainClient, region: string, limit: bigint | undefined): Promise<Found> {
  const open = { region, state: OrderState.ORDER_STATE_OPEN };
  const active = { region, state: LeaseState.LEASE_STATE_ACTIVE };
  const dry = { region, state: LeaseState.LEASE_STATE_OUT_OF_FUNDS };
  const leasesOf = (filter: { region: string; state: LeaseState }): Promise<readonly Lease[]> =>
    listed(
      limit,
      (pagination) => client.market.leases({ ...filter, pagination }),
      (answer) => answer.leases,
    );
  const [orders, ...leases] = await Promise.all([
    listed(
      limit,
      (pagination) => client.market.orders({ ...open, pagination }),
      (answer) => answer.orders,
    ),
    leasesOf(active),
    leasesOf(dry),
  ]);
  return { orders, leases: leases.flat() };
}

type Answer = { readonly pagination?: { readonly nextKey: Uint8Array } | undefined };

/** Up to the limit, or all. */
async function listed<R extends Answer, T>(
  limit: bigint | undefined,
  ask: (pagination: ReturnType<typeof pageFrom>) => Promise<R>,
  itemsOf: (answer: R) => readonly T[],
): Promise<readonly T[]> {
  if (limit === undefined) return allItems(ask, itemsOf);
  return limit === 0n ? [] : itemsOf(await ask(pageFrom(new Uint8Array(), limit)));
}

async function oneOrder(client: ChainClient, name: string): Promise<Found> {
  const { order } = await client.market.order(parseOrder(name));
  if (order === undefined) return { orders: [], leases: [] };
  if (order.lease === 0n) return { orders: [order], leases: [] };
  const { lease } = await client.market.lease({ number: order.lease });
  return { orders: [order], leases: lease === undefined ? [] : [lease] };
}

async function bidsOf(client: ChainClient, { id, state }: Order): Promise<Fulfillment[]> {
  const isOpen = state === OrderState.ORDER_STATE_OPEN;
  const wanted = isOpen ? FulfillmentState.FULFILLMENT_STATE_OPEN : FulfillmentState.FULFILLMENT_STATE_UNSPECIFIED;
  const bids = await allItems(
    (pagination) => client.market.fulfillments({ order: id, state: wanted, pagination }),
    (answer) => answer.fulfillments,
  );
  return bestFirst(bids);
}

/** The same for programs. Prices are atomics of 10⁻¹⁸, a month's whole base units. */
function bookFacts({ height, blocksPerYear, orders, leases }: Book): object {
  return {
    height,
    orders: orders.map(({ order, bids }) => ({
      order: orderName(order.id),
      name: order.spec?.name,
      region: order.spec?.region,
      state: wordOf(OrderState, order.state),
      due_height: order.dueHeight,
      replaces: order.replaces,
      max_price: order.spec === undefined ? 0n : highestPrice(order.spec),
      bids: bids.map(({ number, provider, total, state }) => ({
        number,
        provider,
        total,
        per_month: perMonth(BigInt(total), blocksPerYear),
        state: wordOf(FulfillmentState, state),
      })),
    })),
    leases: leases.map(({ number, order, provider, pricePerBlock, state, leaveHeight, replaces }) => ({
      lease: number,
      order: orderName(order),
      provider,
      price_per_block: pricePerBlock,
      state: wordOf(LeaseState, state),
      leave_height: leaveHeight,
      replaces,
    })),
  };
}
