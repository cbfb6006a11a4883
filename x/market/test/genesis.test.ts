import { describe, expect, test } from '@jest/globals';
import { MessageRegistry } from '@mu/framework/message-registry';
import type { Json } from '@mu/framework/module';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { type GenesisState, LeaseState, MsgDefinition, type OrderId, CloseReason as Reason } from '@mu/proto/market';
import { registry } from '@mu/proto/registry';
import { defaultGenesis, exportGenesis, initGenesis, validateGenesis } from '../src/genesis.ts';
import { createMarketModule } from '../src/module.ts';
import { confirmByQueue, openOrdersByRegion, orderKeyOf, orders } from '../src/state.ts';
import { authority, infrastructure, providerA, providerB, stranger, user, World } from './world.ts';

/** A market with something in every state. */
function lively(): World {
  const world = World.begun({ graceBlocks: 50n });
  const ids = [1n, 2n, 3n, 4n, 5n].map(
    (dseq) => world.deploy(dseq, [infrastructure({ persist: true })], dseq === 2n ? 0n : 1_000n)[0] as OrderId,
  );
  const [active, unfunded, broken, bids] = ids as [OrderId, OrderId, OrderId, OrderId];
  world.lease(broken);
  world.to(40n);
  world.keeper.breakStale(world.ctx, 1n);
  world.lease(active);
  const { number } = world.lease(unfunded);
  world.to(50n);
  world.confirm(number);
  world.bid(bids, providerA, '9');
  world.bid(bids, providerB, '8');
  world.bid(ids[4] as OrderId, providerB, '8');
  world.msgs.cancelFulfillment(world.ctx, { sender: providerB, number: 6n });
  world.check();
  return world;
}

const moduleOf = (world: World) => createMarketModule({ keeper: world.keeper, deps: world.deps });

describe('genesis', () => {
  test('exported and imported is the same state, byte for byte, indexes and counters included', () => {
    const world = lively();
    const { genesis } = moduleOf(world);
    const json = genesis.export(world.ctx);
    genesis.validate(json);
    const stores = new BranchMultiStore(new MemoryCommitStore(['market']));
    const ctx = world.ctx.with({ stores, mode: 'genesis' });
    genesis.init(ctx, JSON.parse(JSON.stringify(json)) as Json);
    const bytes = (from: typeof ctx) => [...from.stores.store('market').iterate()];
    expect(bytes(ctx)).toEqual(bytes(world.ctx));
    expect(bytes(ctx).length).toBeGreaterThan(50);
  });

  test('of nothing is the default parameters', () => {
    const { genesis } = moduleOf(new World());
    expect(() => genesis.validate(genesis.defaults())).not.toThrow();
    expect(genesis.defaults()).toMatchObject({
      params: { min_auction_blocks: '3', max_bids_per_order: 32, collateral_user_share: '1.000000000000000000' },
    });
  });

  const exported = (): GenesisState => exportGenesis(lively().ctx);
  const wrong: [string, (state: GenesisState) => void][] = [
    ['orders[1]: order', (state) => state.orders.splice(1, 0, state.orders[0]!)],
    [
      'orders[0]: id and spec',
      (state) => {
        state.orders[0]!.spec = undefined;
      },
    ],
    [
      'orders[0].state',
      (state) => {
        state.orders[0]!.state = 9 as never;
      },
    ],
    [
      'orders[0].lease',
      (state) => {
        state.orders[0]!.lease = 0n;
      },
    ],
    [
      'open_bids',
      (state) => {
        state.orders.find((order) => order.openBids === 2)!.openBids = 1;
      },
    ],
    [
      'due_height',
      (state) => {
        state.orders.find((order) => order.openBids === 2)!.dueHeight = 0n;
      },
    ],
    [
      'fulfillments[1].number',
      (state) => {
        state.fulfillments[1]!.number = 1n;
      },
    ],
    [
      'fulfillments[0].order',
      (state) => {
        state.fulfillments[0]!.order!.dseq = 77n;
      },
    ],
    [
      'fulfillments[0].state',
      (state) => {
        state.fulfillments[0]!.state = 1;
      },
    ],
    [
      'last number of fulfillments',
      (state) => {
        state.lastFulfillment = 2n;
      },
    ],
    [
      'last number of leases',
      (state) => {
        state.lastLease = 2n;
      },
    ],
    [
      'leases[0].order',
      (state) => {
        state.leases[0]!.order!.round = 7;
      },
    ],
    [
      'leases[0].state',
      (state) => {
        state.leases[0]!.state = LeaseState.LEASE_STATE_ACTIVE;
      },
    ],
    [
      'a matched order has a live lease',
      (state) => {
        state.leases[1]!.state = LeaseState.LEASE_STATE_CLOSED;
      },
    ],
    [
      'min_auction_blocks',
      (state) => {
        state.params!.minAuctionBlocks = 1n;
      },
    ],
  ];
  test.each(wrong)('is refused with a wrong %s', (text, spoil) => {
    const state = exported();
    validateGenesis(state);
    spoil(state);
    expect(() => validateGenesis(state)).toThrow(text);
  });
});

describe('invariants see', () => {
  const broken = (spoil: (world: World) => void): string[] => {
    const world = lively();
    spoil(world);
    return moduleOf(world)
      .invariants.filter((invariant) => invariant.check(world.ctx) !== undefined)
      .map(({ name }) => name);
  };
  test('nothing wrong with a market that only its messages moved', () => expect(broken(() => undefined)).toEqual([]));
  test('a coin too many (MKT-1)', () =>
    expect(broken((world) => world.bank.burnCoins(world.ctx, 'market', [{ denom: 'umu', amount: '1' }]))).toEqual([
      'MKT-1',
    ]));
  test('a matched order without its lease (MKT-2)', () =>
    expect(
      broken((world) => {
        const lease = world.leaseAt(2n);
        const key = orderKeyOf(world.ctx, lease.order as OrderId);
        orders.set(world.ctx, key, {
          ...world.order(lease.order as OrderId),
          state: 3,
          closeReason: Reason.CLOSE_REASON_BY_USER,
        });
      }),
    ).toEqual(['MKT-2']));
  test('an index without its record and a record without its index (MKT-3)', () => {
    expect(broken((world) => confirmByQueue.add(world.ctx, [9n, 9n]))).toEqual(['MKT-3']);
    expect(
      broken((world) => {
        const [key] = [...openOrdersByRegion.iterate(world.ctx)];
        openOrdersByRegion.delete(world.ctx, key!);
      }),
    ).toEqual(['MKT-3']);
  });
  test('an order that miscounts its bids (MKT-4)', () =>
    expect(
      broken((world) => {
        const [, order] = [...orders.iterate(world.ctx)].find(([, one]) => one.openBids === 2)!;
        orders.set(world.ctx, orderKeyOf(world.ctx, order.id!), { ...order, openBids: 3 });
      }),
    ).toEqual(['MKT-4']));
});

describe('parameters', () => {
  test('change by the authority that genesis names, whole', () => {
    const world = World.begun();
    const params = { ...defaultGenesis().params!, graceBlocks: 7n };
    const update = (from: string, value: typeof params | undefined) => (ctx: typeof world.ctx) =>
      world.msgs.updateParams(ctx, { authority: from, params: value });
    world.refused('sdk', 4, update(stranger, params));
    world.refused('sdk', 18, update(authority, undefined));
    world.refused('market', 37, update(authority, { ...params, maxInjectedItems: 0 }));
    update(authority, params)(world.ctx);
    expect(exportGenesis(world.ctx).params?.graceBlocks).toBe(7n);
    expect(world.events()).toEqual(['market_params_updated']);
  });

  test('change by nobody where genesis names nobody', () => {
    const world = World.begun();
    initGenesis(world.ctx, defaultGenesis());
    world.refused('sdk', 4, (ctx) => world.msgs.updateParams(ctx, { authority: '', params: defaultGenesis().params }));
    world.refused('sdk', 4, (ctx) =>
      world.msgs.updateParams(ctx, { authority: user, params: defaultGenesis().params }),
    );
  });
});

test('every message of the service is served', () => {
  const world = World.begun();
  const messages = new MessageRegistry(registry);
  moduleOf(world).registerMsgs(messages);
  expect(messages.typeUrls()).toHaveLength(Object.keys(MsgDefinition.methods).length);
});
