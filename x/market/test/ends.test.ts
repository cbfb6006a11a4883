import { describe, expect, test } from '@jest/globals';
import { DeploymentState } from '@mu/proto/deployment';
import { LeaseState, ManifestState, type OrderId, OrderState, CloseReason as Reason } from '@mu/proto/market';
import {
  close,
  infrastructure,
  initialFunds,
  leased,
  operatorA,
  providerA,
  providerB,
  stranger,
  umu,
  user,
  World,
} from './world.ts';

describe('a stale lease', () => {
  test('is broken by anyone once nobody can confirm it: the collateral goes to the user, unconfirmed blocks unpaid', () => {
    const { world, order } = leased({}, { youngLeaseBlocks: 5n });
    const before = world.balance(user);
    const submit = (ctx: typeof world.ctx) => world.msgs.submitStaleLease(ctx, { sender: stranger, lease: 1n });
    world.to(34n);
    world.refused('market', 25, submit);
    world.to(35n);
    expect(submit(world.ctx)).toEqual({ toUser: '200', burnt: '0', code: 0, codespace: '' });
    expect(world.balance(user)).toBe(before + 200n);
    expect(world.billing.escrow(world.ctx, order)).toBe(100_000n);
    expect(world.leaseAt(1n)).toMatchObject({
      state: LeaseState.LEASE_STATE_BROKEN,
      closeReason: Reason.CLOSE_REASON_NOT_CONFIRMED,
      closedHeight: 35n,
      paidThrough: 4n,
    });
    expect(world.event('lease_broken')).toMatchObject({
      reason: 'not_confirmed',
      to_user: '200',
      burnt: '0',
      provider: providerA,
    });
    expect(world.order(order)).toMatchObject({
      state: OrderState.ORDER_STATE_CLOSED,
      closeReason: Reason.CLOSE_REASON_NOT_CONFIRMED,
    });
    expect(world.over).toEqual([`${user}/1`]);
    world.refused('market', 24, submit);
    world.refused('market', 23, (ctx) => world.msgs.submitStaleLease(ctx, { sender: stranger, lease: 2n }));
    world.check();
  });

  test('of a young lease pays the user at most the price of N blocks and burns the rest', () => {
    const { world } = leased({}, { youngLeaseBlocks: 31n, confirmationBlocks: 30n, collateralUserShare: umu('1') });
    // 31 blocks × 20 umu are above the 200 of the collateral
    world.to(35n);
    expect(world.keeper.breakStale(world.ctx, 1n)).toEqual({ toProvider: 0n, toUser: 200n, burnt: 0n, interest: 0n });
    const young = leased(
      { resources: infrastructure().resources.map((group) => ({ ...group, collateral: '1000' })) },
      { youngLeaseBlocks: 31n },
    );
    const supply = young.world.bank.supply(young.world.ctx);
    young.world.to(35n);
    expect(young.world.keeper.breakStale(young.world.ctx, 1n)).toEqual({
      toProvider: 0n,
      toUser: 620n,
      burnt: 1_380n,
      interest: 0n,
    });
    expect(young.world.bank.supply(young.world.ctx)).toBe(supply - 1_380n);
    young.world.check();
  });

  test('gives the user its share and burns the rest', () => {
    const { world } = leased({}, { youngLeaseBlocks: 0n, collateralUserShare: umu('0.333') });
    world.to(35n);
    expect(world.keeper.breakStale(world.ctx, 1n)).toEqual({ toProvider: 0n, toUser: 66n, burnt: 134n, interest: 0n });
  });

  test('of a persisting infrastructure opens the next round at once', () => {
    const { world, order } = leased({ persist: true });
    world.to(35n);
    world.keeper.breakStale(world.ctx, 1n);
    const next = world.order({ ...order, round: 2 });
    expect(next).toMatchObject({ state: OrderState.ORDER_STATE_OPEN, createdHeight: 35n, readyHeight: 35n });
    expect(next.spec?.excludedProviders).toEqual([]);
    expect(world.event('order_opened')).toMatchObject({ round: '2', region: 'eu' });
    expect(world.over).toEqual([]);
    world.check();
  });

  test('cannot be closed by hand (26) or announce (26), and is broken when its deployment is cancelled', () => {
    const { world, order } = leased({ persist: true }, { youngLeaseBlocks: 0n });
    world.to(35n);
    world.refused('market', 26, () => close(world, 1n, Reason.CLOSE_REASON_BY_USER));
    world.refused('market', 26, () => close(world, 1n, Reason.CLOSE_REASON_PROVIDER_AT_ONCE, providerA));
    world.refused('market', 26, (ctx) => world.msgs.announceLeave(ctx, { sender: providerA, lease: 1n }));
    const before = world.balance(user);
    world.keeper.closeDeployment(world.ctx, order, Reason.CLOSE_REASON_DEPLOYMENT_CANCELED);
    expect(world.balance(user)).toBe(before + 200n);
    expect(world.keeper.ordersOfDeployment(world.ctx, order)).toEqual([]);
    expect(world.over).toEqual([]);
    world.check();
  });
});

describe('a close', () => {
  /** [reason, sender, paid blocks' umu, to provider, state, next round, excluded] after 60 blocks, notice over. */
  const table: [Reason, string, string, string, LeaseState, 'none' | 'persist' | 'always', boolean][] = [
    [Reason.CLOSE_REASON_BY_USER, user, '1200', '200', LeaseState.LEASE_STATE_CLOSED, 'none', false],
    [Reason.CLOSE_REASON_NOT_SERVING, user, '1200', '200', LeaseState.LEASE_STATE_CLOSED, 'always', true],
    [Reason.CLOSE_REASON_PROVIDER_NOTICE, providerA, '1200', '200', LeaseState.LEASE_STATE_CLOSED, 'persist', true],
    [Reason.CLOSE_REASON_PROVIDER_AT_ONCE, operatorA, '0', '0', LeaseState.LEASE_STATE_BROKEN, 'persist', false],
    [Reason.CLOSE_REASON_MANIFEST_MISSING, providerA, '1200', '200', LeaseState.LEASE_STATE_CLOSED, 'persist', true],
    [Reason.CLOSE_REASON_MANIFEST_INVALID, providerA, '1200', '200', LeaseState.LEASE_STATE_CLOSED, 'persist', true],
    [Reason.CLOSE_REASON_IMAGE_UNAVAILABLE, providerA, '1200', '200', LeaseState.LEASE_STATE_CLOSED, 'persist', true],
    [Reason.CLOSE_REASON_POLICY, providerA, '1200', '200', LeaseState.LEASE_STATE_CLOSED, 'persist', true],
  ];
  const cases = table.flatMap((row) => [[...row, true] as const, [...row, false] as const]);

  test.each(cases)('for reason %d by %s', (reason, sender, paid, toProvider, state, reopens, excluded, persist) => {
    const { world, order } = leased({ persist }, { confirmationBlocks: 100n, leaveNoticeBlocks: 60n });
    // The notice itself opens the next round where the infrastructure persists.
    if (reason === Reason.CLOSE_REASON_PROVIDER_NOTICE)
      world.msgs.announceLeave(world.ctx, { sender: providerA, lease: 1n });
    world.to(64n);
    const answer = close(world, 1n, reason, sender);
    expect(answer).toEqual({ toProvider, toUser: toProvider === '0' ? '200' : '0', burnt: '0', interest: '0' });
    expect(world.leaseAt(1n)).toMatchObject({ state, closeReason: reason, closedHeight: 64n, paid });
    expect(world.event(state === LeaseState.LEASE_STATE_BROKEN ? 'lease_broken' : 'lease_closed')).toMatchObject({
      paid,
      collateral: '200',
    });
    expect(world.order(order)).toMatchObject({ state: OrderState.ORDER_STATE_CLOSED, closeReason: reason });
    const next = world.order({ ...order, round: 2 });
    const opens = reopens === 'always' || (reopens === 'persist' && persist);
    expect(next !== undefined).toBe(opens);
    if (opens) expect(next.spec?.excludedProviders).toEqual(excluded ? [providerA] : []);
    expect(world.over).toEqual(opens ? [] : [`${user}/1`]);
    world.check();
    world.refused('market', 24, () => close(world, 1n, reason, sender));
  });

  test.each([
    [Reason.CLOSE_REASON_BY_USER, user, '119'],
    [Reason.CLOSE_REASON_PROVIDER_AT_ONCE, providerA, '59'],
  ])('for reason %d drops what is below one umu', (reason, sender, paid) => {
    const world = World.begun();
    const [order] = world.deploy(1n) as [OrderId];
    world.lease(order, providerA, '9.99');
    world.to(7n);
    world.confirm(1n);
    expect(world.leaseAt(1n)).toMatchObject({ paid: '59', remainder: umu('0.94') });
    world.to(10n);
    close(world, 1n, reason, sender);
    expect(world.leaseAt(1n)).toMatchObject({ paid, remainder: '0' });
    world.check();
  });

  test('is refused for no lease (23) and by a stranger (sdk 4)', () => {
    const { world } = leased();
    world.refused('market', 23, () => close(world, 2n, Reason.CLOSE_REASON_BY_USER));
    world.refused('sdk', 4, () => close(world, 1n, Reason.CLOSE_REASON_BY_USER, stranger));
    world.refused('sdk', 4, () => close(world, 1n, Reason.CLOSE_REASON_BY_USER, providerB));
  });

  test('is refused for a reason that is not the sender\u2019s (30)', () => {
    const reasons = Object.values(Reason).filter((reason) => reason >= 0);
    const allowedTo = (sender: string): Reason[] =>
      reasons.filter((reason) => {
        const { world } = leased({}, { confirmationBlocks: 100n });
        world.to(64n);
        return world.attempt(() => close(world, 1n, reason, sender))?.code !== 30;
      });
    expect(allowedTo(user)).toEqual([Reason.CLOSE_REASON_BY_USER, Reason.CLOSE_REASON_NOT_SERVING]);
    expect(allowedTo(operatorA)).toEqual([
      Reason.CLOSE_REASON_PROVIDER_NOTICE,
      Reason.CLOSE_REASON_PROVIDER_AT_ONCE,
      Reason.CLOSE_REASON_MANIFEST_MISSING,
      Reason.CLOSE_REASON_MANIFEST_INVALID,
      Reason.CLOSE_REASON_IMAGE_UNAVAILABLE,
      Reason.CLOSE_REASON_POLICY,
    ]);
  });

  test('for the lack of a manifest needs the time-out (32) and that the provider never confirmed it (33)', () => {
    const { world } = leased();
    world.to(34n);
    world.confirm(1n, providerA, { manifestState: ManifestState.MANIFEST_STATE_RECEIVED });
    world.to(63n);
    world.refused('market', 32, () => close(world, 1n, Reason.CLOSE_REASON_MANIFEST_INVALID, providerA));
    world.to(64n);
    world.refused('market', 33, () => close(world, 1n, Reason.CLOSE_REASON_MANIFEST_MISSING, providerA));
    world.confirm(1n, providerA, { manifestState: ManifestState.MANIFEST_STATE_RUNNING });
    world.refused('market', 33, () => close(world, 1n, Reason.CLOSE_REASON_POLICY, providerA));
  });

  test('with notice needs one (31), given once (35), and its end (31)', () => {
    const { world } = leased({}, { leaveNoticeBlocks: 10n });
    const leave = () => close(world, 1n, Reason.CLOSE_REASON_PROVIDER_NOTICE, providerA);
    world.refused('market', 31, leave);
    world.refused('sdk', 4, (ctx) => world.msgs.announceLeave(ctx, { sender: user, lease: 1n }));
    world.refused('market', 23, (ctx) => world.msgs.announceLeave(ctx, { sender: providerA, lease: 2n }));
    expect(world.msgs.announceLeave(world.ctx, { sender: operatorA, lease: 1n })).toEqual({ leaveHeight: 14n });
    expect(world.event('leave_announced')).toMatchObject({ lease: '1', leave_height: '14' });
    world.refused('market', 35, (ctx) => world.msgs.announceLeave(ctx, { sender: providerA, lease: 1n }));
    world.to(13n);
    world.refused('market', 31, leave);
    world.to(14n);
    leave();
    world.refused('market', 24, (ctx) => world.msgs.announceLeave(ctx, { sender: providerA, lease: 1n }));
  });

  test('opens no order for the only provider that was asked, nor for a deployment that ends', () => {
    const chosen = leased({ provider: providerA });
    close(chosen.world, 1n, Reason.CLOSE_REASON_NOT_SERVING);
    expect(chosen.world.over).toEqual([`${user}/1`]);
    const ending = leased();
    const deployment = ending.world.deployments.get(`${user}/1`)!;
    ending.world.deployments.set(`${user}/1`, { ...deployment, state: DeploymentState.DEPLOYMENT_STATE_CLOSING });
    close(ending.world, 1n, Reason.CLOSE_REASON_NOT_SERVING);
    expect(ending.world.order({ ...ending.order, round: 2 })).toBeUndefined();
  });

  test('keeps the exclusions of earlier rounds', () => {
    const { world, order } = leased();
    close(world, 1n, Reason.CLOSE_REASON_NOT_SERVING);
    const second = world.lease({ ...order, round: 2 }, providerB);
    close(world, second.number, Reason.CLOSE_REASON_NOT_SERVING);
    expect(world.order({ ...order, round: 3 }).spec?.excludedProviders).toEqual([providerA, providerB]);
    world.check();
  });
});

describe('a deployment that ends', () => {
  test('takes its orders, bids and leases with it, pays them, and is not told that all is over', () => {
    const world = World.begun();
    const [first, second] = world.deploy(1n, [infrastructure(), infrastructure({ persist: true })]) as [
      OrderId,
      OrderId,
    ];
    world.bid(first, providerB, '9');
    world.lease(second);
    world.to(9n);
    expect(world.keeper.ordersOfDeployment(world.ctx, first)).toHaveLength(1);
    expect(world.keeper.leasesOfDeployment(world.ctx, first)).toHaveLength(1);
    world.keeper.closeDeployment(world.ctx, first, Reason.CLOSE_REASON_DEPLOYMENT_CANCELED);
    expect(world.balance(providerB)).toBe(initialFunds);
    expect(world.event('bid_lost')).toMatchObject({ reason: 'order_closed', provider: providerB });
    expect(world.leaseAt(1n)).toMatchObject({ paid: '100', closeReason: Reason.CLOSE_REASON_DEPLOYMENT_CANCELED });
    expect(world.keeper.leasesOfDeployment(world.ctx, first)).toEqual([]);
    expect(world.keeper.hasOpenWork(world.ctx, providerB)).toBe(false);
    expect(world.over).toEqual([]);
    world.check();
  });

  test('is over only with its last order and lease', () => {
    const world = World.begun();
    const [first, second] = world.deploy(1n, [infrastructure(), infrastructure()]) as [OrderId, OrderId];
    world.lease(first);
    close(world, 1n, Reason.CLOSE_REASON_BY_USER);
    expect(world.over).toEqual([]);
    world.lease(second);
    close(world, 2n, Reason.CLOSE_REASON_BY_USER);
    expect(world.over).toEqual([`${user}/1`]);
  });
});
