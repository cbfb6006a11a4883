/** Escrows from the first deposit to the last claim, message by message. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { errLogic } from '@mu/framework/errors';
import { type EscrowAccount, EscrowState } from '@mu/proto/billing';
import * as state from '../src/state.ts';
import { codeOf, friend, id, owner, providerOwner, stranger, World } from './harness.ts';

let world: World;
beforeEach(() => {
  world = new World();
});

const escrow = (): EscrowAccount => world.keeper.getEscrow(world.ctx, id) as EscrowAccount;
const depositOf = (parts: { amount?: { denom: string; amount: string } | undefined; owner?: string; dseq?: bigint }) =>
  codeOf(() =>
    world.msgs.deposit(world.ctx, { depositor: friend, ...id, amount: { denom: 'umu', amount: '5000' }, ...parts }),
  );

describe('opening', () => {
  it('takes the first deposit 1:1', () => {
    world.open(5000n, 2000n);
    expect(escrow()).toMatchObject({
      balance: '5000',
      shares: '5000',
      depositors: 1,
      deposited: '5000',
      reserve: '2000',
    });
    expect(world.balance(world.accounts.moduleAddress(world.ctx, 'billing'))).toBe(5000n);
    expect(world.broken()).toEqual([]);
  });

  it('is refused below the reserve, below the minimum, without funds, and twice', () => {
    const open = (amount: bigint, reserve: bigint) =>
      codeOf(() => world.keeper.openEscrow(world.ctx, id, owner, amount, reserve));
    world.fund(owner, 5000n);
    expect(open(5000n, 5001n)).toBe('billing/10');
    expect(open(999n, 0n)).toBe('billing/9');
    world.fund(owner, 4999n);
    expect(open(5000n, 5000n)).toBe('sdk/5');
    world = new World();
    world.open(5000n, 5000n);
    expect(open(5000n, 0n)).toBe('billing/3');
  });

  it('lets the reserve rise to the funds and fall below them', () => {
    world.open(5000n, 2000n);
    world.keeper.updateReserve(world.ctx, id, 5000n, false);
    expect(escrow().reserve).toBe('5000');
    expect(codeOf(() => world.keeper.updateReserve(world.ctx, id, 5001n, false))).toBe('billing/10');
    world.lease({ pricePerBlock: (4500n * 10n ** 18n).toString() });
    world.payBlocks(11n);
    world.keeper.updateReserve(world.ctx, id, 4000n, false);
    expect(escrow()).toMatchObject({ reserve: '4000', balance: '500' });
    world.keeper.closeEscrow(world.ctx, id);
    expect(codeOf(() => world.keeper.updateReserve(world.ctx, id, 1n, false))).toBe('billing/4');
    expect(codeOf(() => world.keeper.updateReserve(world.ctx, { owner, dseq: 8n }, 1n, false))).toBe('billing/2');
  });
});

describe('Deposit', () => {
  it('mints shares, adds a depositor once, resumes leases and tells', () => {
    world.open(5000n);
    expect(world.deposit(friend, 2500n)).toBe(2500n);
    expect(world.deposit(friend, 2500n)).toBe(2500n);
    expect(escrow()).toMatchObject({ balance: '10000', shares: '10000', depositors: 2, deposited: '10000' });
    expect(world.resumed).toEqual([id, id]);
    expect(world.ctx.events.events.at(-1)).toEqual({
      type: 'deposit',
      attributes: [
        ['owner', owner],
        ['dseq', '7'],
        ['depositor', friend],
        ['amount', '2500'],
        ['shares', '2500'],
        ['balance', '10000'],
      ],
    });
    expect(world.broken()).toEqual([]);
  });

  it('prices shares by what is left', () => {
    world.open(5000n);
    world.lease({ pricePerBlock: (4000n * 10n ** 18n).toString() });
    world.payBlocks(11n);
    expect(world.deposit(friend, 1000n)).toBe(5000n);
    expect(escrow()).toMatchObject({ balance: '2000', shares: '10000' });
    expect(codeOf(() => world.withdraw(friend, 1001n))).toBe('billing/14');
    expect(world.withdraw(friend, 1000n)).toBe(5000n);
  });

  it('does not share a deposit with shares of nothing', () => {
    world.open(5000n);
    world.deposit(stranger, 1000n);
    world.lease({ pricePerBlock: (6000n * 10n ** 18n).toString() });
    world.payBlocks(11n);
    expect(escrow()).toMatchObject({ balance: '0', shares: '6000', depositors: 2 });
    expect(world.deposit(friend, 3000n)).toBe(3000n);
    expect(escrow()).toMatchObject({ balance: '3000', shares: '3000', depositors: 1 });
    expect(codeOf(() => world.withdraw(owner, 1n))).toBe('billing/13');
    expect(world.broken()).toEqual([]);
  });

  it('knows an address written in capitals as the same one', () => {
    world.open(5000n);
    world.deposit(friend, 1000n);
    world.fund(friend, 1000n);
    world.msgs.deposit(world.ctx, {
      depositor: friend.toUpperCase(),
      owner: owner.toUpperCase(),
      dseq: 7n,
      amount: { denom: 'umu', amount: '1000' },
    });
    expect(escrow().depositors).toBe(2);
    expect(world.broken()).toEqual([]);
  });

  it('is refused with a code for each reason', () => {
    world.open(5000n);
    world.fund(friend, 100_000n);
    expect(depositOf({ amount: { denom: 'uatom', amount: '5000' } })).toBe('billing/7');
    expect(depositOf({ amount: { denom: 'umu', amount: '-1' } })).toBe('billing/8');
    expect(depositOf({ amount: { denom: 'umu', amount: (2n ** 256n).toString() } })).toBe('billing/8');
    expect(depositOf({ amount: undefined })).toBe('billing/8');
    expect(depositOf({ dseq: 8n })).toBe('billing/2');
    expect(depositOf({ owner: 'mu1nobody' })).toBe('sdk/7');
    expect(depositOf({ amount: { denom: 'umu', amount: '999' } })).toBe('billing/9');
    expect(depositOf({ amount: { denom: 'umu', amount: '1000' } })).toBe('accepted');
    expect(depositOf({ amount: { denom: 'umu', amount: '100000' } })).toBe('sdk/5');
    world.setParams({ maxDepositors: 2 });
    expect(codeOf(() => world.deposit(stranger, 1000n))).toBe('billing/11');
    expect(codeOf(() => world.deposit(friend, 1000n))).toBe('accepted');
    world.keeper.closeEscrow(world.ctx, id);
    expect(depositOf({})).toBe('billing/4');
  });

  it('is refused when its shares do not fit into 256 bits', () => {
    world.open(5000n);
    world.lease({ pricePerBlock: (4999n * 10n ** 18n).toString() });
    world.payBlocks(11n);
    // 5000 shares of 1 umu: a share for 2^250 umu is beyond what a number can hold.
    world.fund(friend, 2n ** 250n);
    expect(codeOf(() => world.keeper.deposit(world.ctx, id, friend, 2n ** 250n))).toBe('billing/12');
  });

  it('uses the gas it always did', () => {
    world.open(5000n);
    world.at(11n);
    world.deposit(friend, 5000n);
    expect(world.ctx.gas.consumed).toBe(15_160n);
  });
});

describe('Withdraw', () => {
  it('pays from the depositor’s own shares down to the reserve', () => {
    world.open(5000n, 4000n);
    world.deposit(friend, 3000n);
    expect(codeOf(() => world.withdraw(friend, 3001n))).toBe('billing/14');
    expect(world.withdraw(friend, 3000n)).toBe(3000n);
    expect(world.balance(friend)).toBe(3000n);
    expect(codeOf(() => world.withdraw(owner, 1001n))).toBe('billing/15');
    expect(world.withdraw(owner, 1000n)).toBe(1000n);
    expect(codeOf(() => world.withdraw(owner, 1n))).toBe('billing/15');
    expect(escrow()).toMatchObject({ balance: '4000', shares: '4000', depositors: 1, withdrawn: '4000' });
    expect(world.broken()).toEqual([]);
  });

  it('is refused with a code for each reason', () => {
    world.open(5000n);
    const run = (amount: string, denom = 'umu', dseq = 7n) =>
      codeOf(() => world.msgs.withdraw(world.ctx, { depositor: owner, owner, dseq, amount: { denom, amount } }));
    expect(run('1', 'uatom')).toBe('billing/7');
    expect(run('01')).toBe('billing/8');
    expect(run('0')).toBe('billing/8');
    expect(run('1', 'umu', 9n)).toBe('billing/2');
    expect(codeOf(() => world.withdraw(stranger, 1n))).toBe('billing/13');
    world.keeper.closeEscrow(world.ctx, id);
    expect(run('1')).toBe('billing/5');
  });

  it('asks for an amount before it looks for the escrow', () => {
    world.open(5000n, 0n);
    world.keeper.closeEscrow(world.ctx, id);
    expect(codeOf(() => world.withdraw(owner, 0n))).toBe('billing/8');
    world = new World();
    expect(codeOf(() => world.withdraw(owner, 0n))).toBe('billing/8');
  });
});

describe('closing', () => {
  it('waits for the usage window, pays the owner at once and lets others claim', () => {
    world.open(5000n, 4000n);
    world.deposit(friend, 2500n);
    world.keeper.closeEscrow(world.ctx, id);
    world.keeper.closeEscrow(world.ctx, id);
    expect(escrow()).toMatchObject({ state: EscrowState.ESCROW_STATE_CLOSING, settleHeight: 610n });
    world.module.endBlock?.(world.at(609n));
    expect(world.balance(owner)).toBe(0n);
    world.module.endBlock?.(world.at(610n));
    expect(world.balance(owner)).toBe(5000n);
    expect(world.isMarkedClosed()).toBe(true);
    expect(escrow()).toMatchObject({
      state: EscrowState.ESCROW_STATE_CLOSED,
      balance: '2500',
      depositors: 1,
      reserve: '0',
    });
    expect(world.ctx.events.events.map(({ type }) => type)).toEqual(['escrow_closed']);
    expect(world.broken()).toEqual([]);
    expect(codeOf(() => world.withdraw(friend, 2501n))).toBe('billing/14');
    expect(world.withdraw(friend, 2500n)).toBe(2500n);
    expect(codeOf(() => world.withdraw(friend, 1n))).toBe('billing/13');
    expect(escrow()).toMatchObject({ balance: '0', shares: '0', depositors: 0 });
    expect(world.broken()).toEqual([]);
  });

  it('leaves the last umu of uneven shares to the last claim', () => {
    world.open(1000n);
    world.deposit(friend, 1000n);
    world.deposit(stranger, 1000n);
    world.lease({ pricePerBlock: (1000n * 10n ** 18n).toString() });
    world.payBlocks(11n);
    world.lease({ number: 2n, pricePerBlock: (10n ** 18n).toString() });
    world.payBlocks(11n, 2n);
    world.keeper.closeEscrow(world.ctx, id);
    world.module.endBlock?.(world.at(700n));
    expect(world.balance(owner)).toBe(666n);
    world.withdraw(friend, 666n);
    world.withdraw(stranger, 667n);
    expect(escrow()).toMatchObject({ balance: '0', shares: '0' });
    expect(world.broken()).toEqual([]);
  });

  it('retires the shares of an escrow that was spent', () => {
    world.open(1000n);
    world.lease({ pricePerBlock: (1000n * 10n ** 18n).toString() });
    world.payBlocks(11n);
    world.keeper.closeEscrow(world.ctx, id);
    world.module.endBlock?.(world.at(700n));
    expect(escrow()).toMatchObject({
      balance: '0',
      shares: '0',
      depositors: 0,
      state: EscrowState.ESCROW_STATE_CLOSED,
    });
    expect([...state.shares.iterate(world.ctx)]).toEqual([]);
  });

  it('settles at most so many a block, oldest first', () => {
    world.setParams({ maxClosingsPerBlock: 2, usageWindowBlocks: 5n });
    world.fund(owner, 10_000n);
    for (const [height, dseq] of [
      [20n, 3n],
      [21n, 1n],
      [22n, 2n],
    ] as const) {
      world.at(height);
      world.keeper.openEscrow(world.ctx, { owner, dseq }, owner, 1000n, 0n);
      world.keeper.closeEscrow(world.ctx, { owner, dseq });
    }
    const closed = () => [1n, 2n, 3n].filter((dseq) => world.isMarkedClosed({ owner, dseq }));
    world.module.endBlock?.(world.at(30n));
    expect(closed()).toEqual([1n, 3n]);
    expect(world.broken()).toEqual([]);
    world.module.endBlock?.(world.at(31n));
    expect(closed()).toEqual([1n, 2n, 3n]);
    expect([...state.closing.iterate(world.ctx)]).toEqual([]);
  });

  it('goes on when an owner cannot be paid: that one claims later', () => {
    world.open(1000n);
    world.keeper.closeEscrow(world.ctx, id);
    world.blocked.add(owner);
    world.module.endBlock?.(world.at(700n));
    expect(escrow()).toMatchObject({ state: EscrowState.ESCROW_STATE_CLOSED, balance: '1000', shares: '1000' });
    expect(world.isMarkedClosed()).toBe(true);
    expect(world.ctx.events.events.map(({ type }) => type)).toEqual(['payout_failed', 'escrow_closed']);
    expect(world.broken()).toEqual([]);
    world.module.endBlock?.(world.at(701n));
    expect(world.ctx.events.events).toEqual([]);
    world.blocked.clear();
    expect(world.withdraw(owner, 1000n)).toBe(1000n);
  });

  it('pays even where the deployment cannot be marked', () => {
    world.open(1000n);
    world.keeper.closeEscrow(world.ctx, id);
    world.deployment.markClosed = () => {
      throw errLogic.wrap('broken');
    };
    world.module.endBlock?.(world.at(700n));
    expect(world.balance(owner)).toBe(1000n);
  });
});

describe('payBlocks', () => {
  it('pays price × blocks, carries the remainder and extends the bill', () => {
    world.open(5000n);
    world.lease();
    expect(world.payBlocks(12n)).toMatchObject({ paid: 0n, commission: 0n, funded: true });
    expect(world.getLease()).toMatchObject({
      paidThrough: 12n,
      remainder: (6n * 10n ** 17n).toString(),
      billLines: 1n,
    });
    expect(world.payBlocks(14n)).toMatchObject({ paid: 1n });
    expect(world.getLease()).toMatchObject({ paidThrough: 14n, remainder: (2n * 10n ** 17n).toString(), paid: '1' });
    expect(world.payBlocks(14n)).toMatchObject({ paid: 0n, funded: true });
    expect(world.getLease().billLines).toBe(2n);
    expect(escrow()).toMatchObject({ balance: '4999', spent: '1' });
    expect(world.broken()).toEqual([]);
  });

  it('pays what is there, bills no block without funds and goes on after a deposit', () => {
    world.open(1000n);
    world.lease({ pricePerBlock: (3n * 10n ** 18n + 10n ** 17n).toString() });
    expect(world.payBlocks(1010n)).toMatchObject({ paid: 1000n, funded: false });
    expect(world.getLease()).toMatchObject({ paidThrough: 1010n, remainder: '0', paid: '1000' });
    expect(world.payBlocks(1020n)).toMatchObject({ paid: 0n, funded: false });
    world.deposit(owner, 1000n);
    expect(world.payBlocks(1021n)).toMatchObject({ paid: 3n, funded: true });
    expect(escrow().balance).toBe('997');
    expect(world.broken()).toEqual([]);
  });

  it('takes the commission and pays the payout address', () => {
    world.setParams({ commissionRate: (10n ** 17n).toString(), commissionAccount: stranger });
    world.open(5000n);
    world.lease({ pricePerBlock: (25n * 10n ** 18n).toString() });
    expect(world.payBlocks(11n)).toMatchObject({ paid: 23n, commission: 2n });
    expect(world.balance(world.provider_.payoutAddress)).toBe(23n);
    expect(world.balance(stranger)).toBe(2n);
    expect(world.getLease()).toMatchObject({ paid: '23', commission: '2' });
    expect(world.broken()).toEqual([]);
  });

  it('pays the provider’s owner where its payout address takes no coins', () => {
    world.open(5000n);
    world.lease({ pricePerBlock: (25n * 10n ** 18n).toString() });
    world.blocked.add(world.provider_.payoutAddress);
    expect(world.payBlocks(11n)).toMatchObject({ paid: 25n });
    expect(world.balance(providerOwner)).toBe(25n);
    expect(world.ctx.events.events.map(({ type }) => type)).toContain('payout_failed');
    expect(world.broken()).toEqual([]);
  });

  it('pays a lease of any price', () => {
    world.open(5000n);
    world.lease({ pricePerBlock: (10n ** 54n).toString() });
    expect(world.payBlocks(1_000_000n)).toMatchObject({ paid: 5000n, funded: false });
    expect(world.broken()).toEqual([]);
  });

  it('is refused once the escrow is settled: what is left is the depositors’', () => {
    world.open(5000n);
    world.deposit(friend, 1000n);
    world.lease();
    world.keeper.closeEscrow(world.ctx, id);
    expect(world.payBlocks(100n)).toMatchObject({ paid: 27n });
    world.module.endBlock?.(world.at(700n));
    expect(codeOf(() => world.payBlocks(200n))).toBe('billing/6');
    expect(codeOf(() => world.keeper.payBlocks(world.ctx, { ...world.getLease(), order: undefined }, 200n))).toBe(
      'billing/16',
    );
  });
});
