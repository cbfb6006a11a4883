import { describe, expect, test } from '@jest/globals';
import { GasMeter } from '@mu/framework/gas';
import { Fulfillment, FulfillmentState, type MsgSubmitFulfillment, type OrderId, OrderState } from '@mu/proto/market';
import { ProviderState } from '@mu/proto/provider';
import {
  address,
  dump,
  infrastructure,
  initialFunds,
  marketAccount,
  operatorA,
  payoutA,
  provider,
  providerA,
  providerB,
  stranger,
  umu,
  user,
  World,
} from './world.ts';

/** A world with one open order. */
function open(spec = infrastructure(), params = {}): { world: World; order: OrderId } {
  const world = World.begun(params);
  const [order] = world.deploy(1n, [spec]);
  return { world, order: order as OrderId };
}

describe('a bid', () => {
  test('locks the collateral of the sender, stands in the book and makes the order due', () => {
    const { world, order } = open();
    world.to(5n);
    const answer = world.msgs.submitFulfillment(
      world.ctx,
      world.bidMessage(order, providerA, '9.5', { sender: operatorA }),
    );
    expect(answer).toEqual({ number: 1n, total: umu('19') });
    expect(world.balance(operatorA)).toBe(initialFunds - 200n);
    expect(world.balance(marketAccount)).toBe(200n);
    expect(world.bidAt(1n)).toMatchObject({ provider: providerA, collateral: '200', height: 5n });
    expect(world.order(order)).toMatchObject({ openBids: 1, dueHeight: 8n, state: OrderState.ORDER_STATE_OPEN });
    expect(world.event('bid_submitted')).toMatchObject({
      owner: user,
      dseq: '1',
      infrastructure: '0',
      round: '1',
      fulfillment: '1',
      provider: providerA,
      total: umu('19'),
      collateral: '200',
      region: 'eu',
      due_height: '8',
    });
    world.check();
  });

  test('costs the same gas whatever the market holds', () => {
    const gasOfBid = (others: number): bigint => {
      const { world, order } = open();
      for (let n = 0; n < others; n += 1) {
        const [other] = world.deploy(BigInt(n + 2), [infrastructure()], 100n);
        world.bid(other as OrderId, providerB, '5');
      }
      world.to(2n);
      world.bid(order, providerA, '9');
      return world.ctx.gas.consumed;
    };
    // numbers and balances of the same length: only their bytes cost
    expect(gasOfBid(50)).toBe(55_129n);
    expect(gasOfBid(100)).toBe(55_129n);
  });

  test('waits for the order to be ready where that is later than the auction', () => {
    const world = World.begun();
    const [order] = world.deploy(1n, [infrastructure()], 100n, 20n);
    world.bid(order as OrderId, providerA, '9');
    expect(world.order(order as OrderId)).toMatchObject({ readyHeight: 21n, dueHeight: 21n });
  });

  test('adds the expected usage at the prices of the list to its total, each metric rounded up', () => {
    const limit = { maxPrice: umu('1'), maxPricePer: 1n, maxQuantityPerBlock: 10n };
    const { world, order } = open(
      infrastructure({
        usageLimits: [
          { metric: 'calls', ...limit },
          { metric: 'bytes', ...limit },
        ],
        expectedUsage: [
          { metric: 'calls', quantityPerBlock: 2n },
          { metric: 'bytes', quantityPerBlock: 7n },
          { metric: 'free', quantityPerBlock: 7n },
        ],
      }),
    );
    world.list(providerA, 1n, [
      { metric: 'calls', price: umu('1'), per: 3n },
      { metric: 'free', price: umu('5'), per: 1n },
    ]);
    world.bid(order, providerA, '10', { priceListVersion: 1n });
    // 2 × 10 + 2 × 1/3 rounded up; bytes are not in the list, free has no limit
    expect(world.bidAt(1n).total).toBe((BigInt(umu('20')) + 666_666_666_666_666_667n).toString());
  });

  test('goes and comes again: cancelled, the collateral goes to the payout address and the auction starts anew', () => {
    const { world, order } = open();
    world.bid(order, providerA, '9');
    world.to(3n);
    world.msgs.cancelFulfillment(world.ctx, { sender: operatorA, number: 1n });
    expect(world.bidAt(1n).state).toBe(FulfillmentState.FULFILLMENT_STATE_CANCELED);
    expect(world.balance(payoutA)).toBe(200n);
    expect(world.order(order)).toMatchObject({ openBids: 0, dueHeight: 0n });
    expect(world.keeper.hasOpenWork(world.ctx, providerA)).toBe(false);
    expect(world.event('bid_canceled')).toMatchObject({ fulfillment: '1', provider: providerA });
    world.check();
    world.bid(order, providerA, '8');
    expect(world.order(order).dueHeight).toBe(6n);
    expect(world.keeper.hasOpenWork(world.ctx, providerA)).toBe(true);
    world.check();
  });

  test('that is cancelled while others stand leaves the order due as it was', () => {
    const { world, order } = open();
    world.bid(order, providerA, '9');
    world.to(2n);
    world.bid(order, providerB, '8');
    world.msgs.cancelFulfillment(world.ctx, { sender: providerA, number: 1n });
    expect(world.order(order)).toMatchObject({ openBids: 1, dueHeight: 4n });
  });
});

describe('a full book', () => {
  const third = address(12);
  const full = () => {
    const opened = open(infrastructure(), { maxBidsPerOrder: 2 });
    opened.world.providers.set(third, provider(third));
    opened.world.bank.mint(opened.world.ctx, third, initialFunds);
    opened.world.bid(opened.order, providerA, '8');
    opened.world.to(2n);
    opened.world.bid(opened.order, providerB, '9');
    return opened;
  };

  test('gives its dearest bid for a cheaper one, collateral back at once, and is due as before', () => {
    const { world, order } = full();
    world.bid(order, third, '7');
    expect(world.bidAt(2n).state).toBe(FulfillmentState.FULFILLMENT_STATE_LOST);
    expect(world.balance(providerB)).toBe(initialFunds);
    expect(world.event('bid_lost')).toMatchObject({ fulfillment: '2', reason: 'evicted' });
    expect(world.order(order)).toMatchObject({ openBids: 2, dueHeight: 4n });
    world.check();
  });

  test.each(['9', '9.5'])('refuses one of %s, not cheaper than its dearest (19)', (price) => {
    const { world, order } = full();
    world.refused('market', 19, (ctx) => world.msgs.submitFulfillment(ctx, world.bidMessage(order, third, price)));
  });
});

/** Rungs of the ladder: each breaks one rule, and all rules that stand below it, so that the order is seen too. */
describe('a bid is refused', () => {
  const limits = [{ metric: 'calls', maxPrice: umu('1'), maxPricePer: 1_000n, maxQuantityPerBlock: 10n }];
  const attempt = (
    rung: [codespace: string, code: number],
    setUp: (world: World, order: OrderId) => Partial<MsgSubmitFulfillment>,
    spec = infrastructure(),
    params = {},
  ): void => {
    const { world, order } = open(spec, params);
    const changes = setUp(world, order);
    const message = world.bidMessage(order, providerA, '9', changes);
    world.refused(...rung, (ctx) => world.msgs.submitFulfillment(ctx, message));
    world.check();
  };
  const gone = (world: World, changes: Parameters<typeof provider>[1]) =>
    world.providers.set(providerA, provider(providerA, changes));

  test('for an order that does not exist (2)', () =>
    attempt(['market', 2], (_world, order) => ({ order: { ...order, round: 9 }, sender: stranger })));
  test('without an order (sdk 18)', () => {
    const { world, order } = open();
    const message = { ...world.bidMessage(order, providerA, '9'), order: undefined };
    world.refused('sdk', 18, (ctx) => world.msgs.submitFulfillment(ctx, message));
  });
  test('after the match (3)', () =>
    attempt(['market', 3], (world, order) => {
      world.lease(order, providerB);
      return { sender: stranger };
    }));
  test('for an order that is closed (4)', () =>
    attempt(['market', 4], (world, order) => {
      world.keeper.closeDeployment(world.ctx, order, 2);
      return { sender: stranger };
    }));
  test('by someone who is not a provider (5)', () =>
    attempt(['market', 5], () => ({ provider: stranger, sender: stranger, resources: [] })));
  test('by someone who does not act for the provider (sdk 4)', () =>
    attempt(['sdk', 4], (world) => {
      gone(world, { state: ProviderState.PROVIDER_STATE_LEAVING });
      return { sender: stranger };
    }));
  test('by a provider that leaves (6)', () =>
    attempt(['market', 6], (world) => {
      gone(world, { state: ProviderState.PROVIDER_STATE_LEAVING, regions: [] });
      return {};
    }));
  test('in another region (7)', () =>
    attempt(
      ['market', 7],
      (world) => {
        gone(world, { regions: ['us'] });
        return {};
      },
      infrastructure({ provider: providerB }),
    ));
  test('for an order for another provider (8)', () =>
    attempt(['market', 8], () => ({}), infrastructure({ provider: providerB, excludedProviders: [providerA] })));
  test('by an excluded provider (9)', () =>
    attempt(
      ['market', 9],
      () => ({}),
      infrastructure({ excludedProviders: [providerA.toUpperCase()], services: ['none'] }),
    ));
  test('without a service (10)', () =>
    attempt(
      ['market', 10],
      () => ({}),
      infrastructure({ services: ['mu-function', 'mu-db'], attributes: [{ key: 'x', value: '' }] }),
    ));
  test('without an attribute (11)', () =>
    attempt(
      ['market', 11],
      () => ({ resources: [] }),
      infrastructure({ attributes: [{ key: 'tier', value: 'lead' }] }),
    ));

  const offer = {
    compute: { cpu: 100, memory: 128n, disk: 256n, gpu: undefined },
    price: umu('9'),
    collateral: '100',
    count: 2,
  };
  test.each([
    ['no group', []],
    ['a group too many', [offer, offer]],
    ['other compute', [{ ...offer, compute: { ...offer.compute, cpu: 99 } }]],
    ['a gpu', [{ ...offer, compute: { ...offer.compute, gpu: { count: 1, vendor: '', model: '' } } }]],
    ['no compute', [{ ...offer, compute: undefined }]],
    ['another count', [{ ...offer, count: 3 }]],
    ['another collateral', [{ ...offer, collateral: '99', price: '0' }]],
  ])('with %s than the order (12)', (_what, resources) => attempt(['market', 12], () => ({ resources })));
  test.each([
    ['above the order\u2019s', (BigInt(umu('10')) + 1n).toString()],
    ['of zero', '0'],
    ['below zero', '-1'],
    ['that is no number', '1.5'],
    ['that is empty', ''],
  ])('with a price %s (13)', (_what, price) =>
    attempt(['market', 13], () => ({ resources: [{ ...offer, price }], priceListVersion: 7n })),
  );

  const limited = infrastructure({ usageLimits: limits });
  test.each([
    ['none', 0n],
    ['one that does not exist', 2n],
    ['an old one', 1n],
  ])('with a price list that is not the latest: %s (14)', (_what, priceListVersion) =>
    attempt(
      ['market', 14],
      (world) => {
        world.list(providerA, 1n, []);
        gone(world, { priceListVersion: priceListVersion === 1n ? 2n : 1n });
        return { priceListVersion };
      },
      limited,
    ),
  );
  test('with a price list above a usage limit (15)', () =>
    attempt(
      ['market', 15],
      (world, order) => {
        world.list(providerA, 1n, [{ metric: 'calls', price: (BigInt(umu('0.002')) + 1n).toString(), per: 2n }]);
        world.bank.add(world.ctx, providerA, -initialFunds);
        expect(world.order(order).openBids).toBe(0);
        return { priceListVersion: 1n };
      },
      limited,
    ));
  test('with a second open bid (16)', () =>
    attempt(
      ['market', 16],
      (world, order) => {
        world.bid(order, providerA, '9');
        return {};
      },
      infrastructure(),
      { maxOpenBids: 1 },
    ));
  test('with too many open bids (17)', () =>
    attempt(
      ['market', 17],
      (world) => {
        const [other] = world.deploy(2n);
        world.bid(other as OrderId, providerA, '9');
        return {};
      },
      infrastructure(),
      { maxOpenBids: 1, maxActiveLeases: 1 },
    ));
  test('with too many leases, a bid counting as one (18)', () =>
    attempt(
      ['market', 18],
      (world) => {
        const [first, second] = [...world.deploy(2n), ...world.deploy(3n)] as [OrderId, OrderId];
        world.lease(first);
        world.bid(second, providerA, '9');
        return {};
      },
      infrastructure(),
      { maxActiveLeases: 2 },
    ));
  test('without funds for the collateral (sdk 5)', () =>
    attempt(['sdk', 5], (world) => {
      world.bank.add(world.ctx, providerA, -(initialFunds - 199n));
      return {};
    }));
  test('with a total beyond the bound of a Dec (38)', () =>
    attempt(
      ['market', 38],
      (world) => {
        world.list(providerA, 1n, [{ metric: 'calls', price: umu('1000000000000000000000000000000000000'), per: 1n }]);
        return { priceListVersion: 1n };
      },
      infrastructure({
        usageLimits: [{ ...limits[0]!, maxPrice: umu('1000000000000000000000000000000000000'), maxPricePer: 1n }],
        expectedUsage: [{ metric: 'calls', quantityPerBlock: 2n }],
      }),
    ));
});

describe('a cancellation is refused', () => {
  test('for a bid that does not exist (20), by a stranger (sdk 4), and twice (21)', () => {
    const { world, order } = open();
    world.bid(order, providerA, '9');
    world.refused('market', 20, (ctx) => world.msgs.cancelFulfillment(ctx, { sender: providerA, number: 2n }));
    world.refused('sdk', 4, (ctx) => world.msgs.cancelFulfillment(ctx, { sender: providerB, number: 1n }));
    world.msgs.cancelFulfillment(world.ctx, { sender: providerA, number: 1n });
    world.refused('market', 21, (ctx) => world.msgs.cancelFulfillment(ctx, { sender: providerA, number: 1n }));
  });
});

test('a cancellation that runs out of gas anywhere fails as a whole (sdk 11): no collateral is burnt for it', () => {
  const { world, order } = open();
  world.bid(order, providerA, '9');
  const cancel = (ctx: typeof world.ctx) => world.msgs.cancelFulfillment(ctx, { sender: providerA, number: 1n });
  const meter = new GasMeter();
  world.ctx.with({ gas: meter }).branch().ctx.isolated(cancel);
  const before = dump(world.ctx);
  for (let limit = 1_000n; limit < meter.consumed; limit += 500n) {
    const failure = world.ctx.with({ gas: new GasMeter(limit) }).isolated(cancel);
    expect(failure).toMatchObject({ codespace: 'sdk', code: 11 });
    expect(dump(world.ctx)).toEqual(before);
  }
  expect(world.ctx.with({ gas: new GasMeter(meter.consumed) }).isolated(cancel)).toBeUndefined();
});

test('an order asks for no more collateral than the bound (36)', () => {
  const world = World.begun({ maxCollateral: '99' });
  world.refused('market', 36, () => world.deploy(1n, undefined, 0n));
});

test('the record of a bid survives its encoding', () => {
  const { world, order } = open();
  world.bid(order, providerA, '9');
  const bid = world.bidAt(1n);
  expect(Fulfillment.decode(Fulfillment.encode(bid).finish())).toEqual(bid);
});
