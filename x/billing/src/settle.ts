/** One payment out of an escrow: whole umu are paid, the rest is carried (design §5 "Amounts"). */
import type { Amount } from '@mu/lib/amounts';
import { umuAtomics } from './wire.ts';

/** What is due and what there is. Atomics are 10⁻¹⁸ umu. */
export interface Due {
  /** atomics of this payment */
  readonly cost: bigint;
  /** atomics carried from the payment before, below 1 umu */
  readonly remainder: bigint;
  /** umu in the escrow */
  readonly balance: Amount;
  /** atomics of the commission's rate, below 1 */
  readonly commissionRate: bigint;
}

export interface Settlement {
  /** umu that leave the escrow */
  readonly amount: Amount;
  /** umu of the amount that the commission takes, rounded down */
  readonly commission: Amount;
  /** atomics to carry to the next payment, below 1 umu */
  readonly remainder: bigint;
  /** umu for which there were no funds; not owed */
  readonly unpaid: Amount;
}

/**
 * Pays the whole umu of cost + remainder, or all there is. amount + unpaid is always their whole part. What had no funds
 * is not billed later ("blocks without funds are not billed"), so where something is unpaid the remainder is dropped too.
 */
export function settle(due: Due): Settlement {
  const total = due.cost + due.remainder;
  const whole = total / umuAtomics;
  const amount = whole <= due.balance ? whole : due.balance;
  const unpaid = whole - amount;
  return {
    amount,
    commission: (amount * due.commissionRate) / umuAtomics,
    remainder: unpaid === 0n ? total % umuAtomics : 0n,
    unpaid,
  };
}
