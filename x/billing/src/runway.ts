/** How long the funds of an escrow last: a query, not consensus. */
import type { BlockInfo } from '@mu/framework/context';
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

const nsPerSecond = 1_000_000_000n;
/** A year of 365.25 days in nanoseconds. */
const yearNs = 31_557_600n * nsPerSecond;
/** The last second that a protobuf Timestamp can say: 9999-12-31T23:59:59Z. */
const lastSecond = 253_402_300_799n;

/**
 * When a height is expected, counted from a block by how many of them a year has.
 * @returns undefined beyond the year 9999
 */
export function timeOf(
  height: bigint,
  from: Pick<BlockInfo, 'height' | 'timeNs'>,
  blocksPerYear: bigint,
): { seconds: bigint; nanos: number } | undefined {
  const ns = from.timeNs + ((height - from.height) * yearNs) / blocksPerYear;
  const seconds = ns / nsPerSecond;
  if (ns < 0n || seconds > lastSecond) return undefined;
  return { seconds, nanos: Number(ns % nsPerSecond) };
}
