/** Random histories: whatever is deposited, paid, reported, withdrawn and closed, no umu is lost or made. */
import { describe, expect, it } from '@jest/globals';
import { AbciError } from '@mu/framework/errors';
import type { EscrowAccount } from '@mu/proto/billing';
import fc from 'fast-check';
import { friend, id, keyA, keyB, owner, payout, stranger, treasury, World } from './harness.ts';

type Step =
  | { readonly kind: 'deposit' | 'withdraw'; readonly who: number; readonly amount: bigint }
  | { readonly kind: 'pay'; readonly lease: number; readonly blocks: bigint }
  | {
      readonly kind: 'usage';
      readonly node: number;
      readonly quantity: bigint;
      readonly bytes: bigint;
      readonly blocks: bigint;
    }
  | { readonly kind: 'close' };

const people = [owner, friend, stranger];
const amount = fc.oneof(fc.bigInt(1n, 50n), fc.bigInt(1n, 20_000n));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('deposit' as const, 'withdraw' as const), who: fc.nat(2), amount }),
  fc.record({ kind: fc.constant('pay' as const), lease: fc.nat(1), blocks: fc.bigInt(1n, 60n) }),
  fc.record({
    kind: fc.constant('usage' as const),
    node: fc.nat(1),
    quantity: fc.bigInt(1n, 120n),
    bytes: fc.bigInt(1n, 6000n),
    blocks: fc.bigInt(1n, 5n),
  }),
  { weight: 1, arbitrary: fc.constant({ kind: 'close' as const }) },
);

class History {
  readonly world: World;
  height = 10n;
  readonly reported = [
    { sequence: 0n, toHeight: 10n },
    { sequence: 0n, toHeight: 10n },
  ];
  accepted = 0;

  constructor(rate: string) {
    this.world = new World({
      minDeposit: '1',
      usageWindowBlocks: 40n,
      commissionRate: rate,
      commissionAccount: treasury,
    });
    this.world.open(1000n, 300n);
    for (const person of people) this.world.fund(person, 100_000n);
    this.world.lease({ pricePerBlock: '7333333333333333333' });
    this.world.lease({ number: 2n, pricePerBlock: '1' });
  }

  /** One step on a branch, as a transaction is run; then the end of the block. */
  run(step: Step): void {
    this.height += 1n;
    const ctx = this.world.at(this.height);
    const { ctx: tx, write } = ctx.branch();
    this.world.ctx = tx;
    try {
      this.#apply(step);
      write();
      this.accepted += 1;
    } catch (error) {
      if (!(error instanceof AbciError)) throw error;
    }
    this.world.ctx = ctx;
    this.world.module.endBlock?.(ctx);
  }

  #apply(step: Step): void {
    const { world } = this;
    const coin = (value: bigint) => ({ denom: 'umu', amount: value.toString() });
    if (step.kind === 'deposit') {
      world.msgs.deposit(world.ctx, { depositor: people[step.who]!, ...id, amount: coin(step.amount) });
    } else if (step.kind === 'withdraw') {
      world.msgs.withdraw(world.ctx, { depositor: people[step.who]!, ...id, amount: coin(step.amount) });
    } else if (step.kind === 'pay') {
      const number = BigInt(step.lease) + 1n;
      world.payBlocks(world.getLease(number).paidThrough + step.blocks, number);
    } else if (step.kind === 'usage') {
      this.#report(step);
    } else {
      world.keeper.closeEscrow(world.ctx, id);
    }
  }

  #report(step: Extract<Step, { kind: 'usage' }>): void {
    const last = this.reported[step.node]!;
    const next = { sequence: last.sequence + 1n, toHeight: last.toHeight + step.blocks };
    const items = [
      { service: 'api', metric: 'bytes', quantity: step.bytes },
      { service: 'api', metric: 'invocations', quantity: step.quantity },
    ];
    const parts = { nodeId: 'ab'[step.node]!, fromHeight: last.toHeight + 1n, ...next, items };
    this.world.usage(this.world.report(parts, [keyA, keyB][step.node]!.key));
    this.reported[step.node] = next;
  }
}

describe('a random history', () => {
  it('neither loses nor makes an umu, and keeps every invariant', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.constantFrom('0', '100000000000000000', '333333333333333333'),
        (steps, rate) => {
          const history = new History(rate);
          const { world } = history;
          const supply = world.supply();
          for (const one of steps) {
            history.run(one);
            expect(world.broken()).toEqual([]);
            expect(world.supply()).toBe(supply);
          }
          const escrow = world.keeper.getEscrow(world.ctx, id) as EscrowAccount;
          expect(world.balance(payout) + world.balance(treasury)).toBe(BigInt(escrow.spent));
          accepted += history.accepted;
        },
      ),
      { seed: 20_260_101, numRuns: 60 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it('gives the same state twice', () => {
    const run = () => {
      const history = new History('333333333333333333');
      for (const one of fc.sample(step, { seed: 7, numRuns: 40 })) history.run(one);
      return history.world.module.genesis.export(history.world.ctx);
    };
    expect(run()).toEqual(run());
  });

  it('returns everything that was not spent', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const history = new History('0');
        const { world } = history;
        for (const one of steps) history.run(one);
        world.keeper.closeEscrow(world.ctx, id);
        world.module.endBlock?.(world.at(1000n));
        for (const share of [friend, stranger, owner]) {
          const held = world.keeper.getEscrow(world.ctx, id) as EscrowAccount;
          const mine = sharesOf(world, share);
          const worth = held.shares === '0' ? 0n : (mine * BigInt(held.balance)) / BigInt(held.shares);
          if (worth > 0n) world.withdraw(share, worth);
        }
        expect(world.keeper.getEscrow(world.ctx, id)?.balance).toBe('0');
        expect(world.broken()).toEqual([]);
      }),
      { seed: 3, numRuns: 40 },
    );
  });
});

function sharesOf(world: World, depositor: string): bigint {
  const exported = world.module.genesis.export(world.ctx) as { shares: { depositor: string; shares: string }[] };
  return BigInt(exported.shares.find((share) => share.depositor === depositor)?.shares ?? 0n);
}
