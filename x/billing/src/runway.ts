/** How long the funds of an escrow last: a query, not consensus. */
import type { Amount } from '@mu/lib/amounts';
import { type Lease, LeaseState } from '@mu/proto/market';
import { atomicsFromWire, umuAtomics } from './wire.ts';

/** The answer where prices are 0: funds last for ever. */
export const endlessHeight = 2n ** 63n - 1n;

/**
 * The last block that all active leases together can be paid for, usage left out: the greatest h for which
 * Σ price × (h − paid_through) + remainders stays within the balance.
 * @returns height 0 where no lease is active; price in atomics of umu for one block
 */
export function runwayOf(balance: Amount, leases: readonly Lease[]): { height: bigint; pricePerBlock: bigint } {
  const active = leases.filter(({ state }) => state === LeaseState.LEASE_STATE_ACTIVE);
  if (active.length === 0) return { height: 0n, pricePerBlock: 0n };
  let pricePerBlock = 0n;
  let funds = balance * umuAtomics;
  for (const lease of active) {
    const price = atomicsFromWire(lease.pricePerBlock);
    pricePerBlock += price;
    // What is paid already was paid up to paid_through: counted as if it had been paid from block 0.
    funds += price * lease.paidThrough - atomicsFromWire(lease.remainder);
  }
  if (pricePerBlock === 0n) return { height: endlessHeight, pricePerBlock };
  const height = funds < 0n ? 0n : funds / pricePerBlock;
  return { height: height > endlessHeight ? endlessHeight : height, pricePerBlock };
}
