import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { LeaseState, ManifestState, type OrderId, OrderState, CloseReason as Reason } from '@mu/proto/market';
import { infrastructure, initialFunds, operatorA, payoutA, providerA, providerB, umu, user, World } from './world.ts';

const running = { manifestState: ManifestState.MANIFEST_STATE_RUNNING };
const larger = (): DeploymentInfrastructure =>
  infrastructure({
    resources: [
      {
        compute: { cpu: 200, memory: 128n, disk: 256n, gpu: undefined },
        price: umu('10'),
        collateral: '100',
        count: 2,
      },
    ],
  });

/** A world with lease 1 of provider A, which runs. */
function served(changes: Partial<DeploymentInfrastructure> = {}): { world: World; order: OrderId } {
  const world = World.begun();
  const [order] = world.deploy(1n, [infrastructure(changes)]) as [OrderId];
  world.lease(order);
  world.confirm(1n, providerA, running);
  return { world, order };
}

/** As x/deployment updates: the record first, then the market. @returns whether an order was opened */
function update(world: World, now: DeploymentInfrastructure): boolean {
  const name = `${user}/1`;
  const before = world.deployments.get(name);
  if (before === undefined) throw new Error('nothing is deployed');
  const next = { ...before, infrastructure: [now] };
  world.deployments.set(name, next);
  return world.keeper.updateOrder(world.ctx, next, 0, before.infrastructure[0]);
}

const round = (order: OrderId, number: number): OrderId => ({ ...order, round: number });

/** Matches the order of a round for provider B. */
function takeOver(world: World, order: OrderId): bigint {
  world.bid(order, providerB, '9');
  world.to(world.order(order).dueHeight);
  const { number } = world.keeper.match(world.ctx, order);
  // The old lease is kept alive by its provider meanwhile.
  world.confirm(1n, providerA, running);
  return number;
}

describe('a hand-over by notice', () => {
  test('looks for another provider first, pays both, and ends the old lease when the new one runs', () => {
    const { world, order } = served({ persist: true });
    const { leaveHeight } = world.msgs.announceLeave(world.ctx, { sender: operatorA, lease: 1n });
    const next = round(order, 2);
    expect(world.order(next)).toMatchObject({ state: OrderState.ORDER_STATE_OPEN, replaces: 1n });
    expect(world.order(next).spec?.excludedProviders).toEqual([providerA]);
    expect(world.event('order_opened')).toMatchObject({ round: '2', replaces: '1' });
    const taken = takeOver(world, next);
    expect(world.leaseAt(taken)).toMatchObject({ replaces: 1n });
    world.check();

    world.to(world.ctx.height + 5n);
    world.confirm(taken, providerB, { manifestState: ManifestState.MANIFEST_STATE_RECEIVED });
    expect(world.leaseAt(1n).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    world.to(world.ctx.height + 1n);
    world.confirm(taken, providerB, running);
    const before = world.ctx.height;
    expect(before < leaveHeight).toBe(true);
    expect(world.leaseAt(1n)).toMatchObject({
      state: LeaseState.LEASE_STATE_CLOSED,
      closeReason: Reason.CLOSE_REASON_PROVIDER_NOTICE,
      paidThrough: before,
      interest: '0',
    });
    expect(world.leaseAt(taken)).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE, replaces: 0n });
    expect(world.order(order).state).toBe(OrderState.ORDER_STATE_CLOSED);
    // Provider A has its collateral back at its payout address.
    expect(world.balance(providerA)).toBe(initialFunds - 200n + BigInt(world.leaseAt(1n).paid));
    expect(world.balance(payoutA)).toBe(200n);
    expect(world.over).toEqual([]);
    world.check();
  });

  test('begins for no infrastructure that does not persist, nor for one that wants this provider alone', () => {
    for (const changes of [{}, { persist: true, provider: providerA }]) {
      const { world, order } = served(changes);
      world.msgs.announceLeave(world.ctx, { sender: operatorA, lease: 1n });
      expect(() => world.order(round(order, 2)).state).toThrow();
    }
  });

  test('goes on after the provider has left at its notice', () => {
    const { world, order } = served({ persist: true });
    const { leaveHeight } = world.msgs.announceLeave(world.ctx, { sender: operatorA, lease: 1n });
    while (world.ctx.height < leaveHeight) {
      world.to(world.ctx.height + 20n < leaveHeight ? world.ctx.height + 20n : leaveHeight);
      world.confirm(1n, providerA, running);
    }
    world.msgs.closeLease(world.ctx, { sender: operatorA, lease: 1n, reason: Reason.CLOSE_REASON_PROVIDER_NOTICE });
    expect(world.order(round(order, 2)).state).toBe(OrderState.ORDER_STATE_OPEN);
    expect(() => world.order(round(order, 3)).state).toThrow();
    expect(world.over).toEqual([]);
    world.check();
  });

  test('of a replacing lease begins when that one runs and its predecessor has ended', () => {
    const { world, order } = served({ persist: true });
    world.msgs.announceLeave(world.ctx, { sender: operatorA, lease: 1n });
    const taken = takeOver(world, round(order, 2));
    world.msgs.announceLeave(world.ctx, { sender: providerB, lease: taken });
    expect(() => world.order(round(order, 3)).state).toThrow();
    world.confirm(taken, providerB, running);
    expect(world.order(round(order, 3))).toMatchObject({ replaces: taken, state: OrderState.ORDER_STATE_OPEN });
    expect(world.order(round(order, 3)).spec?.excludedProviders).toEqual([providerA, providerB]);
    world.check();
  });
});

describe('an update', () => {
  test('of the resources opens a new order and ends the old lease only when the new one stands', () => {
    const { world, order } = served();
    expect(update(world, larger())).toBe(true);
    expect(world.order(round(order, 2))).toMatchObject({ replaces: 1n });
    const taken = takeOver(world, round(order, 2));
    world.confirm(taken, providerB, running);
    expect(world.leaseAt(1n).closeReason).toBe(Reason.CLOSE_REASON_DEPLOYMENT_UPDATED);
    world.check();
  });

  test('that changes nothing that was bid for leaves the lease and hands it the new terms', () => {
    const { world, order } = served();
    expect(update(world, infrastructure({ persist: true, excludedProviders: [providerB] }))).toBe(false);
    expect(world.leaseAt(1n)).toMatchObject({ persist: true, state: LeaseState.LEASE_STATE_ACTIVE });
    expect(world.order(order).spec?.excludedProviders).toEqual([providerB]);
    world.check();
  });

  test('that excludes the provider replaces its lease', () => {
    const { world, order } = served();
    expect(update(world, infrastructure({ excludedProviders: [providerA] }))).toBe(true);
    expect(world.order(round(order, 2)).replaces).toBe(1n);
  });

  test('of an open order closes it, gives the collateral back and opens the next round', () => {
    const world = World.begun();
    const [order] = world.deploy(1n) as [OrderId];
    world.bid(order, providerB, '9');
    expect(update(world, infrastructure())).toBe(false);
    expect(update(world, larger())).toBe(true);
    expect(world.balance(providerB)).toBe(initialFunds);
    expect(world.order(order)).toMatchObject({
      state: OrderState.ORDER_STATE_CLOSED,
      closeReason: Reason.CLOSE_REASON_DEPLOYMENT_UPDATED,
      closedHeight: world.ctx.height,
    });
    expect(world.order(round(order, 2))).toMatchObject({ state: OrderState.ORDER_STATE_OPEN, replaces: 0n });
    world.check();
  });

  test('back to what the lease serves ends the replacement, whether it is an order or a lease', () => {
    const asOrder = served();
    update(asOrder.world, larger());
    expect(update(asOrder.world, infrastructure())).toBe(false);
    expect(asOrder.world.order(round(asOrder.order, 2)).state).toBe(OrderState.ORDER_STATE_CLOSED);
    asOrder.world.check();

    const asLease = served();
    update(asLease.world, larger());
    const taken = takeOver(asLease.world, round(asLease.order, 2));
    expect(update(asLease.world, infrastructure())).toBe(false);
    expect(asLease.world.leaseAt(taken).closeReason).toBe(Reason.CLOSE_REASON_DEPLOYMENT_UPDATED);
    expect(asLease.world.leaseAt(1n).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    expect(asLease.world.over).toEqual([]);
    asLease.world.check();
  });

  test('while the new lease does not run yet ends that one and replaces the same old lease', () => {
    const { world, order } = served();
    update(world, larger());
    const taken = takeOver(world, round(order, 2));
    expect(update(world, { ...larger(), services: ['mu-gateway'] })).toBe(true);
    expect(world.leaseAt(taken).closeReason).toBe(Reason.CLOSE_REASON_DEPLOYMENT_UPDATED);
    expect(world.order(round(order, 3))).toMatchObject({ replaces: 1n, state: OrderState.ORDER_STATE_OPEN });
    world.check();
  });

  test('orders anew what had ended', () => {
    const { world, order } = served();
    world.msgs.closeLease(world.ctx, { sender: user, lease: 1n, reason: Reason.CLOSE_REASON_BY_USER });
    expect(update(world, infrastructure())).toBe(true);
    expect(world.order(round(order, 2))).toMatchObject({ state: OrderState.ORDER_STATE_OPEN, replaces: 0n });
  });

  test('that removes an infrastructure ends its order and leases, and nothing follows', () => {
    const { world, order } = served({ persist: true });
    world.msgs.announceLeave(world.ctx, { sender: operatorA, lease: 1n });
    world.keeper.removeOrder(world.ctx, order, 0);
    expect(world.order(round(order, 2)).state).toBe(OrderState.ORDER_STATE_CLOSED);
    expect(world.leaseAt(1n)).toMatchObject({ closeReason: Reason.CLOSE_REASON_DEPLOYMENT_UPDATED });
    expect(() => world.order(round(order, 3)).state).toThrow();
    expect(world.over).toEqual([]);
    world.keeper.tellWhenAllIsOver(world.ctx, order);
    expect(world.over).toEqual([`${user}/1`]);
    world.check();
  });
});

describe('a replacement that is lost', () => {
  test('is looked for again while the old lease lives, although nothing persists', () => {
    const { world, order } = served();
    update(world, larger());
    const taken = takeOver(world, round(order, 2));
    for (let step = 0; step < 2; step += 1) {
      world.to(world.ctx.height + 20n);
      world.confirm(1n, providerA, running);
    }
    world.msgs.submitStaleLease(world.ctx, { sender: user, lease: taken });
    expect(world.order(round(order, 3))).toMatchObject({ replaces: 1n, state: OrderState.ORDER_STATE_OPEN });
    world.check();
  });

  test('is not, when its user closes it; the old lease stays', () => {
    const { world, order } = served();
    update(world, larger());
    const taken = takeOver(world, round(order, 2));
    world.msgs.closeLease(world.ctx, { sender: user, lease: taken, reason: Reason.CLOSE_REASON_BY_USER });
    expect(() => world.order(round(order, 3)).state).toThrow();
    expect(world.leaseAt(1n).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    expect(world.over).toEqual([]);
    world.check();
  });

  test('leaves a stale old lease broken when the new one runs', () => {
    const { world, order } = served();
    update(world, larger());
    const taken = takeOver(world, round(order, 2));
    world.to(world.ctx.height + 30n);
    world.confirm(taken, providerB);
    world.to(world.ctx.height + 1n);
    world.confirm(taken, providerB, running);
    expect(world.leaseAt(1n).closeReason).toBe(Reason.CLOSE_REASON_NOT_CONFIRMED);
    world.check();
  });
});

test('the deployment is told of each revision that a lease comes to hold, once', () => {
  const { world } = served();
  const said = (): string[] => world.held.splice(0);
  expect(said()).toEqual([`${user}/1 ${providerA} 0`]);
  world.confirm(1n, providerA, running);
  expect(said()).toEqual([]);
  world.confirm(1n, providerA, { ...running, manifestRevision: 2n });
  expect(said()).toEqual([`${user}/1 ${providerA} 2`]);
});
