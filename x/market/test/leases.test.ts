import { describe, expect, test } from '@jest/globals';
import { GasMeter } from '@mu/framework/gas';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import {
  FulfillmentState,
  LeaseState,
  ManifestState,
  type OrderId,
  OrderState,
  CloseReason as Reason,
} from '@mu/proto/market';
import {
  address,
  close,
  initialFunds,
  type Leased,
  leased,
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

describe('a match', () => {
  test('gives the lease to the lowest total, the earlier bid on a tie, and the others their collateral', () => {
    const world = World.begun();
    const [order] = world.deploy(1n) as [OrderId];
    const third = address(12);
    world.providers.set(third, provider(third));
    world.bank.mint(world.ctx, third, initialFunds);
    world.bid(order, providerB, '9');
    world.bid(order, third, '8');
    world.bid(order, providerA, '8');
    world.to(4n);
    const answer = world.msgs.submitLease(world.ctx, { sender: stranger, order });
    expect(answer).toEqual({ lease: 1n, provider: third, code: 0, codespace: '' });
    expect([1n, 2n, 3n].map((number) => world.bidAt(number).state)).toEqual([
      FulfillmentState.FULFILLMENT_STATE_LOST,
      FulfillmentState.FULFILLMENT_STATE_MATCHED,
      FulfillmentState.FULFILLMENT_STATE_LOST,
    ]);
    expect(world.balance(providerB)).toBe(initialFunds);
    expect(world.balance(payoutA)).toBe(200n);
    expect(world.balance(marketAccount)).toBe(200n);
    expect(world.order(order)).toMatchObject({
      state: OrderState.ORDER_STATE_MATCHED,
      lease: 1n,
      openBids: 0,
      dueHeight: 0n,
    });
    expect(world.leaseAt(1n)).toMatchObject({
      provider: third,
      region: 'eu',
      pricePerBlock: umu('16'),
      collateral: '200',
      createdHeight: 4n,
      paidThrough: 4n,
      confirmBy: 34n,
      state: LeaseState.LEASE_STATE_ACTIVE,
      manifestState: ManifestState.MANIFEST_STATE_WAITING,
      billHash: new Uint8Array(32),
    });
    expect(world.event('lease_created')).toMatchObject({
      provider: third,
      price: umu('16'),
      lease: '1',
      confirm_by: '34',
    });
    expect(world.events().filter((type) => type === 'bid_lost')).toHaveLength(2);
    world.check();
  });

  test('is refused before it is due (22), without a bid (22), a second time (3), for no order (2)', () => {
    const world = World.begun();
    const [order, other] = [...world.deploy(1n), ...world.deploy(2n)] as [OrderId, OrderId];
    world.bid(order, providerA, '9');
    world.to(3n);
    const submit = (id: OrderId | undefined) => (ctx: typeof world.ctx) =>
      world.msgs.submitLease(ctx, { sender: stranger, order: id });
    world.refused('market', 22, submit(order));
    world.refused('market', 22, submit(other));
    world.refused('market', 2, submit({ ...order, dseq: 9n }));
    world.refused('sdk', 7, submit({ ...order, owner: 'cosmos1' }));
    world.refused('sdk', 18, submit(undefined));
    world.to(4n);
    submit(order)(world.ctx);
    world.refused('market', 3, submit(order));
  });

  test('is not held up by a loser whose payout address may not receive: its owner gets the collateral', () => {
    const world = World.begun();
    const [order] = world.deploy(1n) as [OrderId];
    world.bank.refuses.add(payoutA);
    world.bid(order, providerA, '9');
    world.bid(order, providerB, '8');
    world.to(4n);
    world.keeper.match(world.ctx, order);
    expect(world.balance(providerA)).toBe(initialFunds);
    world.check();
  });

  test('burns the collateral of a loser where neither may receive', () => {
    const world = World.begun();
    const [order] = world.deploy(1n) as [OrderId];
    world.bank.refuses.add(payoutA).add(providerA);
    world.bid(order, providerA, '9');
    world.bid(order, providerB, '8');
    const supply = world.bank.supply(world.ctx);
    world.to(4n);
    world.keeper.match(world.ctx, order);
    expect(world.bank.supply(world.ctx)).toBe(supply - 200n);
    world.check();
  });
});

describe('a confirmation', () => {
  test('pays the blocks since the match, sets the endpoints and the next deadline', () => {
    const { world } = leased();
    world.to(14n);
    const answer = world.confirm(1n, operatorA, { manifestState: ManifestState.MANIFEST_STATE_RUNNING });
    expect(answer).toEqual({ paid: '200', commission: '0', state: LeaseState.LEASE_STATE_ACTIVE });
    expect(world.balance(providerA)).toBe(initialFunds - 200n + 200n);
    expect(world.leaseAt(1n)).toMatchObject({
      confirmBy: 44n,
      paidThrough: 14n,
      firstConfirmedHeight: 14n,
      confirmedBlocks: 10n,
      endpoints: ['http://a.example:80'],
      manifestState: ManifestState.MANIFEST_STATE_RUNNING,
    });
    expect(world.event('lease_confirmed')).toMatchObject({
      paid: '200',
      lease: '1',
      endpoints: 'http://a.example:80',
      manifest_state: 'running',
    });
    expect(world.confirm(1n).paid).toBe('0');
    world.to(15n);
    world.confirm(1n);
    expect(world.leaseAt(1n)).toMatchObject({ firstConfirmedHeight: 14n, confirmedBlocks: 11n, paid: '220' });
    world.check();
  });

  test('costs a known gas', () => {
    const { world } = leased();
    world.to(14n);
    world.confirm(1n);
    expect(world.ctx.gas.consumed).toBe(30_949n);
  });

  test('may come in the block of the deadline and not later (26)', () => {
    const { world } = leased();
    world.to(35n);
    world.refused('market', 26, () => world.confirm(1n));
    world.to(34n);
    world.confirm(1n);
  });

  test('is refused for no lease (23), by a stranger (sdk 4), without a confirmation (sdk 18), for one that is over (24)', () => {
    const { world } = leased();
    world.refused('market', 23, () => world.confirm(2n));
    world.refused('sdk', 4, () => world.confirm(1n, providerB));
    world.refused('sdk', 4, () => world.confirm(1n, user));
    world.refused('sdk', 18, (ctx) =>
      world.msgs.submitLeaseConfirmation(ctx, { sender: providerA, confirmation: undefined }),
    );
    close(world, 1n, Reason.CLOSE_REASON_BY_USER);
    world.refused('market', 24, () => world.confirm(1n));
  });

  test.each([
    ['five', ['a://1', 'a://2', 'a://3', 'a://4', 'a://5']],
    ['one of 129 bytes', [`http://${'a'.repeat(122)}`]],
    ['one that is no URL', ['a.example:80']],
    ['one beyond ASCII', ['http://\u00e4.example']],
    ['one with a space', ['http://a b']],
    ['one with a line feed', ['http://a\n']],
    ['the same twice', ['http://a', 'http://a']],
  ])('is refused with endpoints of %s (27)', (_what, endpoints) => {
    const { world } = leased();
    world.refused('market', 27, () => world.confirm(1n, providerA, { endpoints }));
  });

  test.each([0, 4, -1] as ManifestState[])('is refused with manifest state %d (28)', (manifestState) => {
    const { world } = leased();
    world.refused('market', 28, () => world.confirm(1n, providerA, { manifestState }));
  });

  test('of a batch that fails leaves the others', () => {
    const { world } = leased();
    world.to(10n);
    const one = (lease: bigint, manifestState: ManifestState = 1) => ({
      lease,
      endpoints: [],
      manifestState,
      manifestRevision: 0n,
    });
    const { results } = world.msgs.submitLeaseConfirmations(world.ctx, {
      sender: providerA,
      confirmations: [one(9n), one(1n, 7 as ManifestState), one(1n), one(1n)],
    });
    expect(results).toEqual([
      { lease: 9n, paid: '0', code: 23, codespace: 'market' },
      { lease: 1n, paid: '0', code: 28, codespace: 'market' },
      { lease: 1n, paid: '120', code: 0, codespace: '' },
      { lease: 1n, paid: '0', code: 0, codespace: '' },
    ]);
    expect(world.events().filter((type) => type === 'lease_confirmed')).toHaveLength(2);
    world.check();
  });

  test('of a batch of none or of more than the bound is refused (29), without gas the whole fails (sdk 11)', () => {
    const { world } = leased({}, { maxConfirmations: 2 });
    const one = { lease: 1n, endpoints: [], manifestState: 1 as ManifestState, manifestRevision: 0n };
    const batch = (count: number) => (ctx: typeof world.ctx) =>
      world.msgs.submitLeaseConfirmations(ctx, { sender: providerA, confirmations: Array(count).fill(one) });
    world.refused('market', 29, batch(0));
    world.refused('market', 29, batch(3));
    world.to(5n);
    const limited = world.ctx.with({ gas: new GasMeter(20_000n) });
    expect(limited.isolated(batch(2))).toMatchObject({ codespace: 'sdk', code: 11 });
  });
});

describe('out of funds', () => {
  /** The escrow holds 5 blocks; the lease is out of funds since block 14. */
  const unfunded = (spec: Partial<DeploymentInfrastructure> = {}): Leased => {
    const all = leased(spec, { graceBlocks: 50n }, 100n);
    all.world.to(14n);
    const answer = all.world.confirm(1n);
    expect(answer).toMatchObject({ paid: '100', state: LeaseState.LEASE_STATE_OUT_OF_FUNDS });
    return all;
  };

  test('a confirmation pays what is there and never fails', () => {
    const { world } = unfunded();
    expect(world.leaseAt(1n)).toMatchObject({ graceUntil: 64n, paidThrough: 14n, confirmedBlocks: 0n });
    expect(world.event('lease_out_of_funds')).toMatchObject({ lease: '1', grace_until: '64', owner: user });
    world.to(20n);
    expect(world.confirm(1n)).toMatchObject({ paid: '0', state: LeaseState.LEASE_STATE_OUT_OF_FUNDS });
    expect(world.leaseAt(1n).graceUntil).toBe(64n);
    world.check();
  });

  test('it cannot be broken (34), neither by its deadline nor by its provider, nor is it not serving', () => {
    const { world } = unfunded({ persist: true });
    world.to(60n);
    world.refused('market', 34, (ctx) => world.msgs.submitStaleLease(ctx, { sender: stranger, lease: 1n }));
    world.refused('market', 34, () => close(world, 1n, Reason.CLOSE_REASON_PROVIDER_AT_ONCE, providerA));
    world.refused('market', 34, () => close(world, 1n, Reason.CLOSE_REASON_NOT_SERVING));
    expect(world.confirm(1n).state).toBe(LeaseState.LEASE_STATE_OUT_OF_FUNDS);
  });

  test('a deposit resumes it from its block, unfunded blocks are not billed', () => {
    const { world, order } = unfunded();
    world.to(40n);
    world.billing.deposit(world.ctx, order, 1_000n);
    world.keeper.resumeLeases(world.ctx, order);
    expect(world.leaseAt(1n)).toMatchObject({
      state: LeaseState.LEASE_STATE_ACTIVE,
      paidThrough: 40n,
      confirmBy: 70n,
      graceUntil: 0n,
    });
    expect(world.event('lease_resumed')).toMatchObject({ lease: '1', confirm_by: '70' });
    world.to(42n);
    expect(world.confirm(1n).paid).toBe('40');
    world.check();
  });

  test('its grace ends in a close at the end of its last block, collateral back, nothing reopens', () => {
    const { world, order } = unfunded({ persist: true });
    world.to(63n);
    world.keeper.endGraces(world.ctx);
    expect(world.leaseAt(1n).state).toBe(LeaseState.LEASE_STATE_OUT_OF_FUNDS);
    world.to(64n);
    world.keeper.endGraces(world.ctx);
    expect(world.leaseAt(1n)).toMatchObject({
      state: LeaseState.LEASE_STATE_CLOSED,
      closeReason: Reason.CLOSE_REASON_OUT_OF_FUNDS,
      closedHeight: 64n,
    });
    expect(world.balance(payoutA)).toBe(200n);
    expect(world.order(order).state).toBe(OrderState.ORDER_STATE_CLOSED);
    expect(world.over).toEqual([`${user}/1`]);
    world.check();
  });

  test('graces end oldest first, not more in a block than may be matched; one that fails is closed all the same', () => {
    const world = World.begun({ graceBlocks: 5n, maxInjectedItems: 2 });
    const ids = [1n, 2n, 3n].map((dseq) => world.deploy(dseq, undefined, 0n)[0] as OrderId);
    for (const id of ids) world.bid(id, providerA, '10');
    world.to(4n);
    for (const id of ids) world.keeper.match(world.ctx, id);
    world.to(5n);
    for (const number of [3n, 1n, 2n]) world.confirm(number);
    world.to(10n);
    world.hookFault = new TypeError('a fault');
    world.keeper.endGraces(world.ctx);
    expect([1n, 2n, 3n].map((number) => world.leaseAt(number).state)).toEqual([
      LeaseState.LEASE_STATE_CLOSED,
      LeaseState.LEASE_STATE_CLOSED,
      LeaseState.LEASE_STATE_OUT_OF_FUNDS,
    ]);
    expect(world.event('match_failed')).toMatchObject({ code: '111222', codespace: 'sdk' });
    world.check();
    world.keeper.endGraces(world.ctx);
    expect(world.leaseAt(3n).state).toBe(LeaseState.LEASE_STATE_CLOSED);
    expect(world.balance(payoutA)).toBe(600n);
    world.check();
  });

  test('its provider may leave after its notice, collateral back; without funds nothing reopens', () => {
    const { world, order } = unfunded({ persist: true });
    world.msgs.announceLeave(world.ctx, { sender: providerA, lease: 1n });
    world.ctx = world.to(world.leaseAt(1n).leaveHeight);
    expect(close(world, 1n, Reason.CLOSE_REASON_PROVIDER_NOTICE, providerA).toProvider).toBe('200');
    expect(world.order({ ...order, round: 2 })).toBeUndefined();
    expect(world.leaseAt(1n).paid).toBe('100');
    world.check();
  });

  test('a lease that billing saves as out of funds gets its grace', () => {
    const { world, lease } = leased();
    world.to(9n);
    world.keeper.saveLease(world.ctx, { ...lease, state: LeaseState.LEASE_STATE_OUT_OF_FUNDS });
    expect(world.leaseAt(1n).graceUntil).toBe(609n);
    expect(world.events()).toContain('lease_out_of_funds');
    world.check();
  });
});
