/** Queries of the market. Lists go over the index that the filter names first; the rest of the filter is applied to it. */
import { type KeySet, u64Key } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { errInvalidRequest, errKeyNotFound } from '@mu/framework/errors';
import { addressBytes, type Handlers, sameAddress } from '@mu/framework/message-registry';
import { listPage, type Source } from '@mu/framework/pagination';
import {
  CloseReason,
  Fulfillment,
  FulfillmentState,
  Lease,
  LeaseState,
  Order,
  OrderState,
  type QueryDefinition,
  type QueryFulfillmentsRequest,
  type QueryLeasesRequest,
  type QueryOrdersRequest,
} from '@mu/proto/market';
import { available } from './interest.ts';
import {
  deploymentNumberKey,
  type OrderKey,
  orderKey,
  orderNumberKey,
  orderTotalKey,
  providerNumberKey,
  providerOrderKey,
  regionOrderKey,
} from './keys.ts';
import { specOf } from './orders.ts';
import {
  fulfillments,
  fulfillmentsByOrder,
  fulfillmentsByProvider,
  interestItem,
  leases,
  leasesByDeployment,
  leasesByProvider,
  liveLeasesByDeployment,
  liveLeasesByProvider,
  openBidsByProvider,
  openBidsByTotal,
  openOrders,
  openOrdersByRegion,
  orderIdOf,
  orderKeyOf,
  orders,
  paramsItem,
} from './state.ts';

type MarketQueries = Handlers<(typeof QueryDefinition)['methods']>;

export function createQueryServer(): MarketQueries {
  return {
    params: (ctx) => ({ params: paramsItem.get(ctx) }),
    orders(ctx, request) {
      const { items, pagination } = listPage(ctx, orderSource(ctx, request), request.pagination, orderFilter(request));
      return { orders: items, pagination };
    },
    order(ctx, id) {
      const order = orders.get(ctx, orderKeyOf(ctx, id));
      return { order: found(order, `order ${id.owner}/${id.dseq}/${id.infrastructure}/${id.round}`) };
    },
    fulfillments(ctx, request) {
      const filter = bidFilter(ctx, request);
      const { items, pagination } = listPage(ctx, bidSource(ctx, request), request.pagination, filter);
      return { fulfillments: items, pagination };
    },
    fulfillment: (ctx, { number }) => ({ fulfillment: found(fulfillments.get(ctx, number), `fulfillment ${number}`) }),
    leases(ctx, request) {
      const { items, pagination } = listPage(ctx, leaseSource(ctx, request), request.pagination, leaseFilter(request));
      return { leases: items, pagination };
    },
    interest(ctx) {
      const ledger = interestItem.get(ctx);
      return { ledger, available: `${available(ledger, ctx.height, paramsItem.get(ctx))}` };
    },
    lease: (ctx, { number }) => ({ lease: found(leases.get(ctx, number), `lease ${number}`) }),
  };
}

/** @throws AbciError key not found (22), as the SDK's gRPC NotFound travels over ABCI */
function found<T>(record: T | undefined, what: string): T {
  if (record === undefined) throw errKeyNotFound.wrap(`rpc error: code = NotFound desc = ${what} does not exist`);
  return record;
}

/** Records that a set of keys leads to, one of whose parts names them. */
function indexed<K extends readonly unknown[], T>(
  keys: KeySet<K>,
  codec: Source<K, T>['codec'],
  prefix: readonly unknown[],
  load: (ctx: Context, key: K) => T | undefined,
): Source<unknown, T> {
  const source: Source<K, T> = { keys, codec, prefix, load: (ctx, key) => load(ctx, key) as T };
  return source as unknown as Source<unknown, T>;
}

function deploymentPrefix(ctx: Context, owner: string, dseq: bigint): readonly unknown[] {
  const bytes = addressBytes(owner, ctx.chain.bech32Prefix);
  return dseq === 0n ? [bytes] : [bytes, dseq];
}

function orderSource(ctx: Context, request: QueryOrdersRequest): Source<unknown, Order> {
  const { owner, dseq, region } = request;
  const load = (own: Context, key: OrderKey): Order | undefined => orders.get(own, key);
  const isOpen = request.state === OrderState.ORDER_STATE_OPEN;
  if (owner === '' && dseq !== 0n) throw errInvalidRequest.wrap('dseq counts within an owner: name one');
  if (owner === '' && isOpen && region !== '') {
    return indexed(openOrdersByRegion, regionOrderKey, [region], (own, [, ...key]) => load(own, key));
  }
  const prefix = owner === '' ? [] : deploymentPrefix(ctx, owner, dseq);
  if (isOpen) return indexed(openOrders, orderKey, prefix, load);
  return table(orders, orderKey, prefix, Order);
}

function bidSource(ctx: Context, request: QueryFulfillmentsRequest): Source<unknown, Fulfillment> {
  const load = (own: Context, number: unknown): Fulfillment | undefined => fulfillments.get(own, number as bigint);
  if (request.order !== undefined) {
    const prefix = orderKeyOf(ctx, request.order);
    if (request.state === FulfillmentState.FULFILLMENT_STATE_OPEN) {
      return indexed(openBidsByTotal, orderTotalKey, prefix, (own, key) => load(own, key[5]));
    }
    return indexed(fulfillmentsByOrder, orderNumberKey, prefix, (own, key) => load(own, key[4]));
  }
  if (request.provider === '') return table(fulfillments, u64Key, [], Fulfillment);
  const prefix = [addressBytes(request.provider, ctx.chain.bech32Prefix)];
  if (request.state === FulfillmentState.FULFILLMENT_STATE_OPEN) {
    return indexed(openBidsByProvider, providerOrderKey, prefix, (own, key) => load(own, key[5]));
  }
  return indexed(fulfillmentsByProvider, providerNumberKey, prefix, (own, key) => load(own, key[1]));
}

function leaseSource(ctx: Context, request: QueryLeasesRequest): Source<unknown, Lease> {
  const { owner, dseq, provider, state } = request;
  const live = state === LeaseState.LEASE_STATE_ACTIVE || state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
  const load = (own: Context, number: bigint): Lease | undefined => leases.get(own, number);
  if (owner === '' && dseq !== 0n) throw errInvalidRequest.wrap('dseq counts within an owner: name one');
  if (owner !== '') {
    const index = live ? liveLeasesByDeployment : leasesByDeployment;
    const prefix = deploymentPrefix(ctx, owner, dseq);
    return indexed(index, deploymentNumberKey, prefix, (own, key) => load(own, key[2]));
  }
  if (provider === '') return table(leases, u64Key, [], Lease);
  const index = live ? liveLeasesByProvider : leasesByProvider;
  const prefix = [addressBytes(provider, ctx.chain.bech32Prefix)];
  return indexed(index, providerNumberKey, prefix, (own, key) => load(own, key[1]));
}

/** The records of a table themselves. */
function table<K, T>(
  keys: Source<K, T>['keys'],
  codec: Source<K, T>['codec'],
  prefix: readonly unknown[],
  message: { decode(bytes: Uint8Array): T },
): Source<unknown, T> {
  const source: Source<K, T> = { keys, codec, prefix, load: (_ctx, _key, value) => message.decode(value) };
  return source as unknown as Source<unknown, T>;
}

function orderFilter({ state, region }: QueryOrdersRequest): (order: Order) => boolean {
  return (order) =>
    (state === OrderState.ORDER_STATE_UNSPECIFIED || order.state === state) &&
    (region === '' || specOf(order).region === region);
}

function bidFilter(ctx: Context, request: QueryFulfillmentsRequest): (bid: Fulfillment) => boolean {
  const { state, provider } = request;
  if (provider !== '') addressBytes(provider, ctx.chain.bech32Prefix);
  return (bid) =>
    (state === FulfillmentState.FULFILLMENT_STATE_UNSPECIFIED || bid.state === state) &&
    (provider === '' || sameAddress(bid.provider, provider));
}

function leaseFilter(request: QueryLeasesRequest): (lease: Lease) => boolean {
  const { state, owner, provider, closeReason, region } = request;
  return (lease) =>
    (closeReason === CloseReason.CLOSE_REASON_UNSPECIFIED || lease.closeReason === closeReason) &&
    (region === '' || lease.region === region) &&
    (state === LeaseState.LEASE_STATE_UNSPECIFIED || lease.state === state) &&
    (provider === '' || sameAddress(lease.provider, provider)) &&
    (owner === '' || sameAddress(orderIdOf(lease).owner, owner));
}
