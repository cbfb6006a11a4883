import { Lease, type Params, CloseReason as Reason } from '@mu/proto/market';
import { available, emptyLedger, interestOf, withMinted } from '../src/interest.ts';
import { defaultParams } from '../src/params.ts';
import { interestItem, putLease } from '../src/state.ts';
import { operatorA, payoutA, providerA, umu, user, World } from './world.ts';

const params = (changes: Partial<Params> = {}): Params => ({
  ...defaultParams(),
  interestRate: umu('0.1'),
  maxInterestPerYear: '1000',
  blocksPerYear: 1_000n,
  ...changes,
});
const lease = (changes: Partial<Lease> = {}): Lease =>
  Lease.fromPartial({ collateral: '7000', confirmedBlocks: 500n, commission: '100000', ...changes });

describe('interest', () => {
  test.each<[string, bigint, Partial<Lease>]>([
    ['of half a year at a tenth', 350n, {}],
    ['is rounded down', 0n, { confirmedBlocks: 1n }],
    ['is at most the commission that was paid', 349n, { commission: '349' }],
    ['is nothing without commission', 0n, { commission: '0' }],
    ['is nothing for a lease that was never confirmed', 0n, { confirmedBlocks: 0n }],
    [
      'of the greatest collateral is exact',
      2n ** 255n / 20n,
      { collateral: `${2n ** 255n}`, commission: `${2n ** 256n - 1n}` },
    ],
  ])('%s', (_name, expected, changes) => {
    expect(interestOf(lease(changes), params())).toBe(expected);
  });

  test('is bounded within a window of blocks_per_year that begins with the first interest', () => {
    const first = withMinted(emptyLedger(), 600n, 50n, params());
    expect(first).toEqual({ windowStart: 50n, minted: '600', mintedTotal: '600' });
    expect(available(first, 1_049n, params())).toBe(400n);
    expect(available(first, 1_049n, params({ maxInterestPerYear: '500' }))).toBe(0n);
    expect(available(first, 1_050n, params())).toBe(1_000n);
    expect(withMinted(first, 5n, 1_060n, params())).toEqual({ windowStart: 1_060n, minted: '5', mintedTotal: '605' });
  });
});

describe('a lease that ends', () => {
  /** A lease of 200 collateral that was confirmed for 500 blocks and has paid its commission. */
  function aged(changes: Partial<Params> = {}): World {
    const world = World.begun({ ...params(), ...changes });
    const [order] = world.deploy(1n);
    if (order === undefined) throw new Error('no order');
    const made = world.lease(order);
    putLease(world.ctx, { ...made, confirmedBlocks: 500n, commission: '1000' }, made);
    return world;
  }
  const end = (world: World, reason: Reason, sender: string) =>
    world.msgs.closeLease(world.ctx, { sender, lease: 1n, reason });

  test('by its user bears interest to the payout address, once, and the ledger counts it', () => {
    const world = aged();
    const supply = world.bank.supply(world.ctx);
    expect(end(world, Reason.CLOSE_REASON_BY_USER, user).interest).toBe('10');
    expect(world.leaseAt(1n).interest).toBe('10');
    expect(world.event('lease_closed')).toMatchObject({ interest: '10' });
    expect(world.balance(payoutA)).toBe(210n);
    expect(world.bank.supply(world.ctx)).toBe(supply + 10n);
    expect(interestItem.get(world.ctx)).toEqual({ windowStart: 4n, minted: '10', mintedTotal: '10' });
    world.check();
  });

  test('is cut to what the bound leaves', () => {
    const world = aged({ maxInterestPerYear: '3' });
    expect(end(world, Reason.CLOSE_REASON_BY_USER, user).interest).toBe('3');
  });

  test('by its provider, or for not serving, bears none', () => {
    expect(end(aged(), Reason.CLOSE_REASON_NOT_SERVING, user).interest).toBe('0');
    expect(end(aged(), Reason.CLOSE_REASON_PROVIDER_AT_ONCE, operatorA).interest).toBe('0');
  });

  test('pays the owner where the payout address cannot receive, and mints nothing where neither can', () => {
    const world = aged();
    world.bank.refuses.add(payoutA);
    const before = world.balance(providerA);
    end(world, Reason.CLOSE_REASON_BY_USER, user);
    expect(world.balance(providerA)).toBe(before + 210n);

    const closed = aged();
    closed.bank.refuses.add(payoutA).add(providerA);
    expect(end(closed, Reason.CLOSE_REASON_BY_USER, user).interest).toBe('0');
    expect(interestItem.get(closed.ctx)).toEqual(emptyLedger());
    closed.check();
  });
});
