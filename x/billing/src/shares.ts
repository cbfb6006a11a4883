/**
 * Shares of an escrow (design §5 billing). Every rounding goes in the escrow's favour, so nobody can take what another
 * one deposited; and since the first deposit is 1:1, there are never fewer shares than umu: a share is worth at most 1.
 */
import type { Amount } from '@mu/lib/amounts';

/** The two numbers that price a share. */
export interface Pool {
  /** umu in the escrow */
  readonly balance: Amount;
  /** shares of all depositors together */
  readonly shares: bigint;
}

/**
 * Shares for a deposit: amount × shares / balance, rounded down; 1:1 into an escrow without shares.
 * @throws RangeError when there are shares of nothing: they have no price and must be retired first
 */
export function sharesForDeposit(amount: Amount, pool: Pool): bigint {
  if (pool.shares === 0n) return amount;
  if (pool.balance === 0n) throw new RangeError('shares of an empty escrow have no price');
  return (amount * pool.shares) / pool.balance;
}

/** What shares are worth in umu, rounded down. */
export function worthOf(held: bigint, pool: Pool): Amount {
  return pool.shares === 0n ? 0n : (held * pool.balance) / pool.shares;
}

/**
 * Shares burnt for a withdrawal of 1 … worthOf(held): amount × shares / balance, rounded up. Taking all that the shares
 * are worth burns all of them, so no holder is left with shares of nothing.
 */
export function sharesToBurn(amount: Amount, held: bigint, pool: Pool): bigint {
  if (amount === worthOf(held, pool)) return held;
  return (amount * pool.shares + pool.balance - 1n) / pool.balance;
}
