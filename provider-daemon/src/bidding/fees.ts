/** What the operator's transactions cost: a lease whose confirmation cannot be paid for is broken. */
import type { Dec } from '@mu/lib/dec';

/** What a transaction of the operator takes, by far: a batch of bids or confirmations. */
export const gasOfTransaction = 1_000_000n;
/** The operator should be able to send so many; the fees of those that are `kept` are never locked as collateral. */
export const transactionsAhead = { least: 10n, kept: 100n, enough: 1_000n } as const;

/** In the base denomination. @param gasPrice of a unit of gas */
export function feesOf(transactions: bigint, gasPrice: Dec): bigint {
  return gasPrice.mulInt(gasOfTransaction).ceilInt() * transactions;
}
