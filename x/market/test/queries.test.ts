import { describe, expect, test } from '@jest/globals';
import { QueryRouter } from '@mu/framework/query-router';
import {
  FulfillmentState,
  LeaseState,
  type OrderId,
  OrderState,
  QueryFulfillmentsRequest,
  QueryFulfillmentsResponse,
  QueryLeaseRequest,
  QueryLeasesRequest,
  QueryLeasesResponse,
  QueryOrderRequest,
  QueryOrderResponse,
  QueryOrdersRequest,
  QueryOrdersResponse,
  QueryParamsResponse,
} from '@mu/proto/market';
import { createMarketModule } from '../src/module.ts';
import { infrastructure, providerA, providerB, stranger, user, World } from './world.ts';

/** Six orders, three in each region: 1 and 2 with a lease of A, 3 with one that is over, 4 to 6 with bids. */
function market() {
  const world = World.begun();
  const ids = [1n, 2n, 3n, 4n, 5n, 6n].map(
    (dseq) => world.deploy(dseq, [infrastructure({ region: dseq % 2n === 0n ? 'us' : 'eu' })], 100n)[0] as OrderId,
  );
  for (const id of ids.slice(0, 3)) world.lease(id);
  world.msgs.closeLease(world.ctx, { sender: user, lease: 3n, reason: 1 });
  for (const id of ids.slice(3)) {
    world.bid(id, providerA, '9');
    world.bid(id, providerB, '8');
  }
  world.msgs.cancelFulfillment(world.ctx, { sender: providerB, number: 5n });
  const router = new QueryRouter();
  createMarketModule({ keeper: world.keeper, deps: world.deps }).registerQueries(router);
  const ask = (method: string, request: Uint8Array) =>
    router.answer(world.ctx, `/mu.market.v1.Query/${method}`, request);
  return { world, ids, ask };
}

const orders = (request: object): bigint[] => {
  const bytes = market().ask('Orders', QueryOrdersRequest.encode(QueryOrdersRequest.fromPartial(request)).finish());
  return QueryOrdersResponse.decode(bytes).orders.map(({ id }) => id!.dseq);
};
const bids = (request: object): bigint[] => {
  const bytes = market().ask(
    'Fulfillments',
    QueryFulfillmentsRequest.encode(QueryFulfillmentsRequest.fromPartial(request)).finish(),
  );
  return QueryFulfillmentsResponse.decode(bytes).fulfillments.map(({ number }) => number);
};
const leases = (request: object): bigint[] => {
  const bytes = market().ask('Leases', QueryLeasesRequest.encode(QueryLeasesRequest.fromPartial(request)).finish());
  return QueryLeasesResponse.decode(bytes).leases.map(({ number }) => number);
};

describe('lists', () => {
  const [open, closed] = [OrderState.ORDER_STATE_OPEN, OrderState.ORDER_STATE_CLOSED];
  test.each<[object, bigint[]]>([
    [{}, [1n, 2n, 3n, 4n, 5n, 6n]],
    [{ state: open }, [4n, 5n, 6n]],
    [{ state: open, region: 'us' }, [4n, 6n]],
    [{ region: 'eu' }, [1n, 3n, 5n]],
    [{ state: closed }, [3n]],
    [{ owner: user, state: open, region: 'us' }, [4n, 6n]],
    [{ owner: user, dseq: 2n }, [2n]],
    [{ owner: user, dseq: 2n, state: open }, []],
    [{ owner: stranger }, []],
    [{ state: open, region: 'nowhere' }, []],
    [{ pagination: { reverse: true, limit: 2n } }, [6n, 5n]],
    [{ pagination: { offset: 4n } }, [5n, 6n]],
  ])('orders %j', (request, found) => expect(orders(request)).toEqual(found));

  const order = { owner: user, dseq: 4n, infrastructure: 0, round: 1 };
  test.each<[object, bigint[]]>([
    [{}, [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]],
    [{ order }, [4n, 5n]],
    [{ order, provider: providerB }, [5n]],
    [{ provider: providerA }, [1n, 2n, 3n, 4n, 6n, 8n]],
    [{ provider: providerA, state: FulfillmentState.FULFILLMENT_STATE_OPEN }, [4n, 6n, 8n]],
    [{ provider: providerB, state: FulfillmentState.FULFILLMENT_STATE_CANCELED }, [5n]],
    [{ provider: stranger }, []],
    [{ state: FulfillmentState.FULFILLMENT_STATE_MATCHED }, [1n, 2n, 3n]],
  ])('bids %j', (request, found) => expect(bids(request)).toEqual(found));

  test.each<[object, bigint[]]>([
    [{}, [1n, 2n, 3n]],
    [{ provider: providerA }, [1n, 2n, 3n]],
    [{ provider: providerB }, []],
    [{ provider: providerA, state: LeaseState.LEASE_STATE_ACTIVE }, [1n, 2n]],
    [{ owner: user, state: LeaseState.LEASE_STATE_ACTIVE }, [1n, 2n]],
    [{ owner: user, dseq: 3n }, [3n]],
    [{ owner: user, dseq: 3n, state: LeaseState.LEASE_STATE_ACTIVE }, []],
    [{ owner: user, provider: providerB }, []],
    [{ state: LeaseState.LEASE_STATE_CLOSED }, [3n]],
  ])('leases %j', (request, found) => expect(leases(request)).toEqual(found));
});

describe('pages', () => {
  const page = (pagination: object) => {
    const request = QueryOrdersRequest.fromPartial({ state: OrderState.ORDER_STATE_OPEN, pagination });
    return QueryOrdersResponse.decode(market().ask('Orders', QueryOrdersRequest.encode(request).finish()));
  };

  test.each([false, true])('follow one another to the end, reverse %s', (reverse) => {
    const first = page({ limit: 2n, countTotal: true, reverse });
    expect(first.pagination?.total).toBe(3n);
    const second = page({ limit: 2n, key: first.pagination?.nextKey, reverse });
    const seen = [...first.orders, ...second.orders].map(({ id }) => id!.dseq);
    expect(seen).toEqual(reverse ? [6n, 5n, 4n] : [4n, 5n, 6n]);
    expect(second.pagination).toEqual({ nextKey: new Uint8Array(), total: 0n });
  });

  test('are refused with key and offset (18), above 1000 (18), with a key of another list (18)', () => {
    const foreign = page({ limit: 1n }).pagination!.nextKey.map((byte, at) => (at === 0 ? byte + 1 : byte));
    for (const pagination of [{ key: Uint8Array.of(1), offset: 1n }, { limit: 1_001n }, { key: foreign }]) {
      expect(() => page(pagination)).toThrow(expect.objectContaining({ codespace: 'sdk', code: 18 }));
    }
  });
});

describe('single records', () => {
  test('are found or not (22)', () => {
    const { ask, ids } = market();
    const id = QueryOrderRequest.fromPartial(ids[4]!);
    expect(QueryOrderResponse.decode(ask('Order', QueryOrderRequest.encode(id).finish())).order?.id).toEqual(ids[4]);
    const missing = QueryOrderRequest.encode({ ...id, round: 2 }).finish();
    expect(() => ask('Order', missing)).toThrow(expect.objectContaining({ codespace: 'sdk', code: 22 }));
    expect(() => ask('Lease', QueryLeaseRequest.encode({ number: 9n }).finish())).toThrow(/code = NotFound/);
    expect(() => ask('Fulfillment', Uint8Array.of(8, 99))).toThrow(/fulfillment 99/);
    expect(QueryParamsResponse.decode(ask('Params', new Uint8Array())).params?.maxBidsPerOrder).toBe(32);
  });

  test('a dseq without an owner is refused (18), a bad address too (7)', () => {
    expect(() => orders({ dseq: 1n })).toThrow(expect.objectContaining({ code: 18 }));
    expect(() => leases({ dseq: 1n })).toThrow(expect.objectContaining({ code: 18 }));
    expect(() => bids({ provider: 'mu1x' })).toThrow(expect.objectContaining({ code: 7 }));
  });
});
