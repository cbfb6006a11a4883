/** How a provider leaves the market: what is to be done next, from what the chain says now. Pure. */
import { type Fulfillment, type Lease, LeaseState } from '@mu/proto/market';
import { type Provider, ProviderState } from '@mu/proto/provider';

export type WithdrawStep =
  /** open bids are taken back */
  | { readonly step: 'cancel-bids'; readonly bids: readonly bigint[] }
  /** notice is given of leases */
  | { readonly step: 'announce-leave'; readonly leases: readonly bigint[] }
  /** leases whose notice is over are ended */
  | { readonly step: 'close-leases'; readonly leases: readonly bigint[] }
  | { readonly step: 'deregister' }
  /** nothing can be done before this height; 0: before the next block */
  | { readonly step: 'wait'; readonly height: bigint; readonly why: string }
  /** it has left; the deposit returns at the height, 0: it has returned, or there never was one */
  | { readonly step: 'done'; readonly depositHeight: bigint };

export interface Standing {
  readonly height: bigint;
  /** undefined: not registered */
  readonly provider: Provider | undefined;
  readonly openBids: readonly Fulfillment[];
  /** live ones */
  readonly leases: readonly Lease[];
}

/** Messages in one transaction: well below what a block takes. */
export const maxMessages = 50;

/** The first thing to be done. Asking again after it has been done, or after a crash, goes on where it stands. */
export function nextStep({ height, provider, openBids, leases }: Standing): WithdrawStep {
  if (provider === undefined) return { step: 'done', depositHeight: 0n };
  if (provider.state !== ProviderState.PROVIDER_STATE_ACTIVE) {
    return { step: 'done', depositHeight: provider.unbondingHeight };
  }
  if (openBids.length > 0) return { step: 'cancel-bids', bids: first(openBids.map(({ number }) => number)) };
  // One that was not confirmed in time is about to be broken: the chain takes nothing for it any more.
  const kept = leases.filter((lease) => !isStale(lease, height));
  const unannounced = kept.filter(({ leaveHeight }) => leaveHeight === 0n);
  if (unannounced.length > 0) return { step: 'announce-leave', leases: first(unannounced.map(({ number }) => number)) };
  const due = kept.filter(({ leaveHeight }) => leaveHeight <= height);
  if (due.length > 0) return { step: 'close-leases', leases: first(due.map(({ number }) => number)) };
  if (kept.length > 0) {
    const next = kept.reduce(
      (least, { leaveHeight }) => (leaveHeight < least ? leaveHeight : least),
      kept[0]!.leaveHeight,
    );
    return { step: 'wait', height: next, why: `the notice of ${kept.length} leases runs` };
  }
  if (leases.length > 0) {
    return { step: 'wait', height: 0n, why: 'leases that were not confirmed in time are being broken' };
  }
  return { step: 'deregister' };
}

/** What is sent now runs in the next block at the earliest. */
function isStale({ state, confirmBy }: Lease, height: bigint): boolean {
  return state === LeaseState.LEASE_STATE_ACTIVE && confirmBy <= height;
}

const first = (numbers: readonly bigint[]): bigint[] => numbers.slice(0, maxMessages);
