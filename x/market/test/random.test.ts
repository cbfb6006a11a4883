/** Random markets: whatever users and providers send in whatever order, all invariants hold and no coin is made. */
import { expect, test } from '@jest/globals';
import type { Context } from '@mu/framework/context';
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import {
  type Fulfillment,
  FulfillmentState,
  type Lease,
  LeaseState,
  MsgSubmitLease,
  MsgSubmitStaleLease,
  type Order,
  type OrderId,
  CloseReason as Reason,
} from '@mu/proto/market';
import fc from 'fast-check';
import { fulfillments, isLive, leases, orders } from '../src/state.ts';
import { dueMessages } from '../src/system-tx.ts';
import {
  infrastructure,
  initialFunds,
  marketAccount,
  operatorA,
  payoutA,
  providerA,
  providerB,
  stranger,
  user,
  World,
} from './world.ts';

const accounts = [user, providerA, providerB, operatorA, stranger];
const billingAccount = toBech32('mu', moduleAddress('billing'));
const pick = fc.nat({ max: 1_000 });
const moves = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'deploy',
      'bid',
      'bid',
      'bid',
      'cancel',
      'confirm',
      'confirm',
      'close',
      'leave',
      'leave',
      'end',
      'deposit',
      'wait',
      'wait',
    ),
    which: pick,
    how: pick,
  }),
  { minLength: 60, maxLength: 100 },
);

class Random {
  readonly world = World.begun({
    maxBidsPerOrder: 2,
    graceBlocks: 2n,
    manifestTimeoutBlocks: 6n,
    leaveNoticeBlocks: 2n,
    confirmationBlocks: 8n,
    reconfirmationBlocks: 8n,
    youngLeaseBlocks: 10n,
    collateralUserShare: '500000000000000000',
  });
  #dseq = 0n;
  /** what became of leases, by state and reason */
  readonly seen = new Set<string>();

  one<T>(list: Iterable<readonly [unknown, T]>, which: number): T | undefined {
    const all = [...list].map(([, item]) => item);
    return all.length === 0 ? undefined : all[which % all.length];
  }

  /** Mostly a live lease: most of what is sent means one. */
  #lease(which: number, how: number): Lease | undefined {
    const all = [...leases.iterate(this.world.ctx)];
    const live = all.filter(([, lease]) => isLive(lease));
    return this.one(live.length === 0 || how % 9 === 0 ? all : live, which);
  }

  move(kind: string, which: number, how: number): void {
    const { world } = this;
    const act = (step: (ctx: Context) => void): void => {
      const before = world.ctx;
      const failure = before.isolated((ctx) => {
        world.ctx = ctx;
        step(ctx);
      });
      world.ctx = before;
      // Nothing that anyone sends is a fault of the program.
      expect(failure?.code).not.toBe(111222);
    };
    const order = this.one<Order>(orders.iterate(world.ctx), which);
    const bid = this.one<Fulfillment>(fulfillments.iterate(world.ctx), which);
    const lease = this.#lease(which, how);
    const provider = how % 2 === 0 ? providerA : providerB;
    const senders = [providerA, providerB, user, stranger];
    const sender = senders[how % senders.length] as string;
    if (kind === 'deploy') {
      this.#dseq += 1n;
      const specs = Array.from({ length: 1 + (how % 2) }, () => infrastructure({ persist: which % 2 === 0 }));
      act(() => world.deploy(this.#dseq, specs, BigInt((which % 8) * 40), BigInt(how % 5)));
    }
    if (kind === 'bid' && order) act(() => world.bid(order.id!, provider, `${1 + (how % 11)}`));
    if (kind === 'cancel' && bid) act((ctx) => world.msgs.cancelFulfillment(ctx, { sender, number: bid.number }));
    if (kind === 'confirm' && lease)
      act(() => world.confirm(lease.number, lease.provider, { manifestState: (1 + (how % 2)) as 1 | 2 }));
    if (kind === 'close' && lease) {
      const byUser = how % 3 === 0;
      const given = byUser ? [Reason.CLOSE_REASON_BY_USER, Reason.CLOSE_REASON_NOT_SERVING][which % 2] : how % 14;
      const reason = lease.leaveHeight > 0n && which % 3 === 0 ? Reason.CLOSE_REASON_PROVIDER_NOTICE : given;
      const closer = byUser && reason === given ? user : lease.provider;
      act((ctx) => world.msgs.closeLease(ctx, { sender: closer, lease: lease.number, reason: reason as Reason }));
    }
    if (kind === 'leave' && lease)
      act((ctx) => world.msgs.announceLeave(ctx, { sender: lease.provider, lease: lease.number }));
    if (kind === 'end' && order && how % 4 === 0)
      act((ctx) => world.keeper.closeDeployment(ctx, order.id!, Reason.CLOSE_REASON_DEPLOYMENT_CANCELED));
    if (kind === 'deposit' && order) {
      act((ctx) => {
        world.billing.deposit(ctx, order.id!, BigInt(50 + how));
        world.keeper.resumeLeases(ctx, order.id!);
      });
    }
    if (kind === 'wait') this.wait(1 + (how % 4));
  }

  /** Blocks as the application makes them: what is due first, graces at the end. */
  wait(blocks: number): void {
    const { world } = this;
    for (let n = 0; n < blocks; n += 1) {
      const due = dueMessages(world.ctx, world.ctx.height + 1n);
      world.to(world.ctx.height + 1n);
      for (const { typeUrl, value } of due) {
        if (typeUrl.endsWith('StaleLease')) world.keeper.breakStale(world.ctx, MsgSubmitStaleLease.decode(value).lease);
        else this.#match(MsgSubmitLease.decode(value).order as OrderId);
      }
      world.keeper.endGraces(world.ctx);
      expect(dueMessages(world.ctx, world.ctx.height)).toEqual([]);
    }
  }

  /** The winner among the bids that stand, by a plain search without an index. */
  #match(id: OrderId): void {
    const { world } = this;
    const standing = [...fulfillments.iterate(world.ctx)]
      .map(([, bid]) => bid)
      .filter((bid) => bid.state === FulfillmentState.FULFILLMENT_STATE_OPEN && isOf(bid, id))
      .sort((a, b) => Number(BigInt(a.total) - BigInt(b.total)) || Number(a.number - b.number));
    const lease = world.keeper.match(world.ctx, id);
    expect(lease).toMatchObject({ provider: standing[0]?.provider, resources: standing[0]?.resources });
    expect(world.bidAt(standing[0]!.number).state).toBe(FulfillmentState.FULFILLMENT_STATE_MATCHED);
  }

  check(): void {
    const { world } = this;
    world.check();
    const held = [...accounts, payoutA, marketAccount, billingAccount].map((account) => world.balance(account));
    expect(held.reduce((sum, balance) => sum + balance, 0n)).toBe(world.bank.supply(world.ctx));
    expect(world.bank.supply(world.ctx) + this.#burnt()).toBe(BigInt(accounts.length) * initialFunds);
    for (const [, lease] of leases.iterate(world.ctx)) this.seen.add(`${lease.state}/${lease.closeReason}`);
  }

  /** Half of each broken collateral or more: what the user did not get. */
  #burnt(): bigint {
    let burnt = 0n;
    for (const [, lease] of leases.iterate(this.world.ctx)) {
      if (lease.state !== LeaseState.LEASE_STATE_BROKEN) continue;
      const young = lease.closedHeight - lease.createdHeight <= 10n;
      const price = BigInt(lease.pricePerBlock) / 10n ** 18n;
      const half = BigInt(lease.collateral) / 2n;
      burnt += BigInt(lease.collateral) - (young && price * 10n < half ? price * 10n : half);
    }
    return burnt;
  }
}

const isOf = (bid: Fulfillment, id: OrderId): boolean =>
  bid.order?.dseq === id.dseq && bid.order.infrastructure === id.infrastructure && bid.order.round === id.round;

test('a random market keeps its invariants, matches the cheapest and loses no coin', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(moves, (list) => {
      const random = new Random();
      for (const { kind, which, how } of list) {
        random.move(kind, which, how);
        random.check();
      }
      for (const one of random.seen) seen.add(one);
    }),
    { numRuns: 16, seed: 20_240_601 },
  );
  // The moves reach every state: live, out of funds, broken, and most reasons.
  expect([...seen]).toEqual(expect.arrayContaining(['1/0', '2/0', '3/6', '3/5', '4/1', '4/2', '4/4', '4/11', '4/12']));
});
