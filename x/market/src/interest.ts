/** Interest on the collateral of leases that their users end: how much, and what the yearly bound leaves of it. */
import { parseAmount } from '@mu/lib/amounts';
import { Dec } from '@mu/lib/dec';
import type { InterestLedger, Lease, Params } from '@mu/proto/market';

/** The ledger of a chain that has minted nothing. */
export function emptyLedger(): InterestLedger {
  return { windowStart: 0n, minted: '0', mintedTotal: '0' };
}

/** The ledger as it counts in the block of `height`: a window that is over has given way to a new one. */
export function currentWindow(ledger: InterestLedger, height: bigint, params: Params): InterestLedger {
  const isOver = ledger.windowStart === 0n || height >= ledger.windowStart + params.blocksPerYear;
  return isOver ? { ...ledger, windowStart: height, minted: '0' } : ledger;
}

/** What the bound leaves in the block of `height`, in umu. */
export function available(ledger: InterestLedger, height: bigint, params: Params): bigint {
  const left = parseAmount(params.maxInterestPerYear) - parseAmount(currentWindow(ledger, height, params).minted);
  return left > 0n ? left : 0n;
}

/**
 * What the collateral of a lease has borne, in umu, rounded down: collateral × rate × confirmed blocks / blocks per year,
 * at most the commission that the lease has paid. So whoever is user and provider in one person has lost in commission at
 * least what is minted.
 */
export function interestOf(lease: Lease, params: Params): bigint {
  const rate = Dec.fromAtomics(params.interestRate).atomics;
  const year = params.blocksPerYear * Dec.one.atomics;
  const borne = (parseAmount(lease.collateral) * rate * lease.confirmedBlocks) / year;
  const commission = parseAmount(lease.commission);
  return borne < commission ? borne : commission;
}

/** The ledger after `amount` umu were minted in the block of `height`. */
export function withMinted(ledger: InterestLedger, amount: bigint, height: bigint, params: Params): InterestLedger {
  const { windowStart, minted } = currentWindow(ledger, height, params);
  return {
    windowStart,
    minted: `${parseAmount(minted) + amount}`,
    mintedTotal: `${parseAmount(ledger.mintedTotal) + amount}`,
  };
}
