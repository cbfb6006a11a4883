import { expect, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { Lease, LeaseState, Order, type OrderId, OrderState } from '@mu/proto/market';
import { isLive } from '../../src/leases/lease-machine.ts';
import { type MarketListener, MarketWatch } from '../../src/watch/market-watch.ts';
import { orderKey } from '../../src/watch/order-key.ts';

const provider = 'mu1provider';
const idOf = (dseq: bigint): OrderId => ({ owner: 'mu1owner', dseq, infrastructure: 0, round: 1 });
const order = (dseq: bigint, state = OrderState.ORDER_STATE_OPEN): Order =>
  Order.fromPartial({ id: idOf(dseq), state, spec: { region: 'local' } as Order['spec'] });
const lease = (number: bigint): Lease =>
  Lease.fromPartial({ number, provider, order: idOf(number), state: LeaseState.LEASE_STATE_ACTIVE });
const ended = (number: bigint): Lease => ({ ...lease(number), state: LeaseState.LEASE_STATE_CLOSED });
const events = (dseqs: readonly bigint[], leases: readonly bigint[]) => [
  ...dseqs.map((dseq) => ({
    type: 'order_touched',
    attributes: Object.entries(idOf(dseq)).map(([key, value]) => ({ key, value: `${value}` })),
  })),
  ...leases.map((number) => ({ type: 'lease_touched', attributes: [{ key: 'lease', value: `${number}` }] })),
];

/** A chain with orders 1… and leases, at a height that the test moves. */
function chain(
  blocks: ReadonlyMap<number, { readonly orders: readonly bigint[]; readonly leases: readonly bigint[] }>,
) {
  const asked: string[] = [];
  const state = { height: 5, asked, atOnce: 0, most: 0, ended: new Set<bigint>() };
  const together = async <T>(answer: () => T): Promise<T> => {
    state.atOnce += 1;
    state.most = Math.max(state.most, state.atOnce);
    await Promise.resolve();
    state.atOnce -= 1;
    return answer();
  };
  const fake = {
    height: async () => state.height,
    comet: {
      blockResults: async (height: number) => ({
        finalizeBlockEvents: [],
        results: [{ events: events(blocks.get(height)?.orders ?? [], blocks.get(height)?.leases ?? []) }],
      }),
    },
    market: {
      orders: async ({ region }: { region: string }) => {
        asked.push(`orders of ${region}`);
        return { orders: [order(1n)], pagination: undefined };
      },
      leases: async ({ state: one }: { state: LeaseState }) => {
        asked.push('leases');
        return { leases: one === LeaseState.LEASE_STATE_ACTIVE ? [lease(1n)] : [], pagination: undefined };
      },
      order: (id: OrderId) =>
        together(() => {
          asked.push(orderKey(id));
          if (id.dseq === 404n) throw new ChainError('gone', { code: 22, notFound: true });
          return { order: order(id.dseq) };
        }),
      lease: ({ number }: { number: bigint }) =>
        together(() => {
          asked.push(`lease ${number}`);
          return { lease: state.ended.has(number) ? ended(number) : lease(number) };
        }),
    },
  };
  return { state, client: fake as unknown as ChainClient };
}

/** Runs until the watch has told of a height. */
async function watchUntil(
  of: ReturnType<typeof chain>,
  heights: readonly number[],
  listens: { readonly orders: boolean; readonly leases: boolean; readonly failsAt?: bigint },
): Promise<string[]> {
  const told: string[] = [];
  const left = [...heights];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const listener: MarketListener = {
    ...(listens.orders ? { order: ({ id }) => void told.push(`order ${id?.dseq}`) } : {}),
    ...(listens.leases ? { lease: (one) => void told.push(`lease ${one.number}${isLive(one) ? '' : ' ended'}`) } : {}),
    async height(height, complete) {
      if (height === listens.failsAt) throw new Error('it cannot be taken up');
      told.push(`height ${height}${complete ? ' complete' : ''}`);
    },
  };
  const watch = new MarketWatch({
    client: of.client,
    provider,
    regions: ['local'],
    pollMs: 1,
    listener,
    onTrouble: (error) => told.push(`trouble ${String(error)}`),
    async pause() {
      const next = left.shift();
      if (next === undefined) resolve();
      else of.state.height = next;
    },
  });
  watch.start();
  await done;
  await watch.stop();
  return told;
}

test('first all that stands is told, then what each block touched; a block’s orders and leases come before its height', async () => {
  const of = chain(
    new Map([
      [6, { orders: [2n, 404n], leases: [2n] }],
      [7, { orders: [], leases: [] }],
      [8, { orders: [3n], leases: [3n] }],
    ]),
  );
  expect(await watchUntil(of, [6, 8], { orders: true, leases: true })).toEqual([
    'order 1',
    'lease 1',
    'height 5 complete',
    'order 2',
    'lease 2',
    'height 6',
    'height 7',
    'order 3',
    'lease 3',
    'height 8',
  ]);
});

test('what nobody listens to is not asked for', async () => {
  const blocks = new Map([[6, { orders: [2n], leases: [2n] }]]);
  const orders = chain(blocks);
  expect(await watchUntil(orders, [6], { orders: true, leases: false })).toEqual([
    'order 1',
    'height 5 complete',
    'order 2',
    'height 6',
  ]);
  expect(orders.state.asked).toEqual(['orders of local', 'mu1owner/2/0/1']);
  const leases = chain(blocks);
  expect(await watchUntil(leases, [6], { orders: false, leases: true })).toEqual([
    'lease 1',
    'height 5 complete',
    'lease 2',
    'height 6',
  ]);
  expect(leases.state.asked).toEqual(['leases', 'leases', 'lease 1', 'lease 2']);
});

test('hundreds of orders of one block are asked for side by side, some at a time, and told in their order', async () => {
  const dseqs = Array.from({ length: 300 }, (_none, at) => BigInt(at + 2));
  const of = chain(new Map([[6, { orders: dseqs, leases: [] }]]));
  const told = await watchUntil(of, [6], { orders: true, leases: true });
  expect(told.slice(3)).toEqual([...dseqs.map((dseq) => `order ${dseq}`), 'height 6']);
  expect(of.state.most).toBe(32);
});

test('a lease that ended in blocks that are only paged is told of, as its record says', async () => {
  const of = chain(new Map([[6, { orders: [], leases: [2n] }]]));
  of.state.ended.add(1n);
  // The list still has lease 1: it is the record that counts.
  expect(await watchUntil(of, [6], { orders: false, leases: true })).toContain('lease 1 ended');
  const later = endingAt(chain(new Map([[6, { orders: [], leases: [2n] }]])), 2n, 200);
  const told = await watchUntil(later, [6, 200], { orders: false, leases: true });
  expect(told.slice(told.indexOf('height 6') + 1)).toEqual(['lease 1', 'lease 2 ended', 'height 200 complete']);
});

test('a block at which all is paged again is followed too', async () => {
  const told = await watchUntil(chain(new Map([[206, { orders: [2n], leases: [2n] }]])), [50, 100, 150, 200, 206], {
    orders: true,
    leases: true,
  });
  expect(told.slice(told.indexOf('height 205') + 1)).toEqual([
    'order 2',
    'lease 2',
    'order 1',
    'lease 1',
    'lease 2',
    'height 206 complete',
  ]);
});

test('what a listener could not take up is told again with the next block, whose height goes on', async () => {
  const of = chain(new Map([[6, { orders: [], leases: [2n] }]]));
  const told = await watchUntil(of, [6, 7, 8], { orders: false, leases: true, failsAt: 6n });
  expect(told).toEqual([
    'lease 1',
    'height 5 complete',
    'lease 2',
    'trouble Error: it cannot be taken up',
    'lease 1',
    'lease 2',
    'height 7 complete',
    'height 8',
  ]);
});

/** The same chain; by this height the lease has ended, in a block that nobody followed. */
function endingAt(of: ReturnType<typeof chain>, number: bigint, height: number): ReturnType<typeof chain> {
  const client = {
    ...of.client,
    height: async () => {
      if (of.state.height >= height) of.state.ended.add(number);
      return of.state.height;
    },
  } as unknown as ChainClient;
  return { ...of, client };
}
