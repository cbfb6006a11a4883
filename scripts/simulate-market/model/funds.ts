/** Leases that run out of funds, and go on (x/market/README.md, x/billing/README.md "Settlement", "Bill"). */
import { createHash } from 'node:crypto';
import { type BillItem, BillLine } from '@mu/proto/billing';
import { LeaseState } from '@mu/proto/market';
import { Fraction, smaller } from '../fraction.ts';
import { escrowOf, escrowStates, idOf, leasesOf, type Of } from './lookups.ts';
import { receiversOf } from './providers.ts';
import type { ModelLease } from './records.ts';
import { found, need } from './refusal.ts';
import { accounts, type World } from './world.ts';

export interface Paid {
  readonly paid: bigint;
  readonly commission: bigint;
  readonly funded: boolean;
}

/** What the line of a payment says of its own kind. */
export interface LineOf {
  readonly fields: Partial<BillLine>;
  readonly cost: Fraction;
}

/** Pays whole umu of cost and remainder out of the escrow, as far as it reaches, and adds a line to the bill. */
export function pay(world: World, lease: ModelLease, { fields, cost }: LineOf): Paid {
  const escrow = found(escrowOf(world, idOf(lease.order)), 'billing', 2);
  need(escrow.state !== escrowStates.closed, 'billing', 6);
  const { commissionRate, commissionAccount } = world.single('billing');
  const due = cost.plus(lease.remainder);
  const amount = smaller(due.floor(), escrow.balance);
  const unpaid = due.floor() - amount;
  const commission = Fraction.ofAtomics(commissionRate).times(amount).floor();
  const remainder = unpaid === 0n ? due.minus(Fraction.of(due.floor())) : Fraction.zero;
  world.change(escrow, { balance: escrow.balance - amount, spent: escrow.spent + amount });
  world.payFirst(accounts.billing, receiversOf(world, lease.provider), amount - commission);
  if (commission > 0n) world.move(accounts.billing, commissionAccount, commission);
  const money = { amount: `${amount}`, commission: `${commission}`, unpaid: `${unpaid}` };
  addLine(world, lease, { ...fields, ...money, cost: cost.atomics(), remainderAfter: remainder.atomics() });
  const paid = amount - commission;
  world.change(lease, { remainder, paid: lease.paid + paid, commission: lease.commission + commission });
  return { paid, commission, funded: unpaid === 0n };
}

function addLine(world: World, lease: ModelLease, fields: Partial<BillLine>): void {
  const line = BillLine.fromPartial({
    ...fields,
    items: (fields.items ?? []) as BillItem[],
    lease: lease.number,
    line: lease.lines + 1n,
    height: world.height,
    remainderBefore: lease.remainder.atomics(),
    txHash: world.txHash,
  });
  world.add({ kind: 'line', line });
  const digest = createHash('sha256').update(lease.hash).update(BillLine.encode(line).finish()).digest();
  world.change(lease, { lines: lease.lines + 1n, hash: new Uint8Array(digest) });
}

const greatest = Fraction.of(10n ** 36n);

/** Pays an active lease up to this block; of one that is out of funds the blocks are never billed. */
export function payBlocks(world: World, lease: ModelLease): Paid {
  const from = lease.paidThrough;
  const blocks = world.height - from;
  if (lease.state !== LeaseState.LEASE_STATE_ACTIVE || blocks <= 0n) {
    world.change(lease, { paidThrough: world.height });
    return { paid: 0n, commission: 0n, funded: true };
  }
  const due = lease.price.times(blocks);
  const cost = due.isAbove(greatest) ? greatest : due;
  const period = { fromHeight: from + 1n, toHeight: world.height, pricePerBlock: lease.price.atomics() };
  const done = pay(world, lease, { fields: { kind: 1, ...period }, cost });
  world.change(lease, { paidThrough: world.height });
  if (done.funded) world.change(lease, { confirmedBlocks: lease.confirmedBlocks + blocks });
  else {
    const graceUntil = world.height + world.single('market').graceBlocks;
    world.change(lease, { state: LeaseState.LEASE_STATE_OUT_OF_FUNDS, graceUntil });
  }
  return done;
}

/** A deposit has come: what was out of funds goes on from this block. */
export function resumeLeases(world: World, id: Of): void {
  for (const lease of leasesOf(world, id)) {
    if (lease.state !== LeaseState.LEASE_STATE_OUT_OF_FUNDS) continue;
    world.change(lease, {
      state: LeaseState.LEASE_STATE_ACTIVE,
      paidThrough: world.height,
      confirmBy: world.height + world.single('market').reconfirmationBlocks,
      graceUntil: 0n,
    });
  }
}
