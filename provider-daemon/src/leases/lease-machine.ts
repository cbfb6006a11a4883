/**
 * The life of a lease at its provider. Pure: (state, event) → [state, effects]; an actor carries the effects out and
 * reports what became of them as further events. Nothing is ended here that the chain has not ended, so a restart that
 * has not rebuilt everything yet closes nothing.
 */
import { type Lease, LeaseState } from '@mu/proto/market';

/** Where the workloads of a lease stand. */
export type Work =
  | { readonly at: 'waiting' }
  | { readonly at: 'starting'; readonly revision: bigint }
  | { readonly at: 'running'; readonly revision: bigint; readonly endpoints: readonly string[] }
  | { readonly at: 'failed'; readonly revision: bigint; readonly reason: string };

export interface LeaseLife {
  readonly lease: Lease;
  readonly work: Work;
  /** height of the last confirmation that was sent; 0 before */
  readonly confirmedAt: bigint;
  /** a confirmation is under way */
  readonly confirming: boolean;
  /** what was confirmed last differs from what is so now */
  readonly news: boolean;
}

export type LeaseEvent =
  | { readonly type: 'lease'; readonly lease: Lease }
  | { readonly type: 'manifest'; readonly revision: bigint }
  | { readonly type: 'started'; readonly revision: bigint; readonly endpoints: readonly string[] }
  | { readonly type: 'start-failed'; readonly revision: bigint; readonly reason: string }
  | { readonly type: 'confirmed'; readonly height: bigint }
  | { readonly type: 'confirm-failed' }
  | { readonly type: 'height'; readonly height: bigint };

export type LeaseEffect =
  | { readonly type: 'start'; readonly revision: bigint }
  | { readonly type: 'stop'; readonly lease: Lease }
  | { readonly type: 'pause'; readonly lease: Lease }
  | { readonly type: 'confirm' };

export interface LeaseRules {
  /** a confirmation is sent at least this often */
  readonly confirmEveryBlocks: bigint;
}

type Step = readonly [LeaseLife | undefined, readonly LeaseEffect[]];

export const isLive = (lease: Lease): boolean =>
  lease.state === LeaseState.LEASE_STATE_ACTIVE || lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;

/** @param life undefined for a lease that is not known yet */
export function step(life: LeaseLife | undefined, event: LeaseEvent, rules: LeaseRules): Step {
  if (event.type === 'lease') return onLease(life, event.lease);
  if (life === undefined) return [undefined, []];
  switch (event.type) {
    case 'manifest':
      return onManifest(life, event.revision);
    case 'started':
      return [
        { ...life, work: { at: 'running', revision: event.revision, endpoints: event.endpoints }, news: true },
        [],
      ];
    case 'start-failed':
      return [{ ...life, work: { at: 'failed', revision: event.revision, reason: event.reason }, news: true }, []];
    case 'confirmed':
      return [{ ...life, confirming: false, confirmedAt: event.height }, []];
    case 'confirm-failed':
      return [{ ...life, confirming: false, news: true }, []];
    case 'height':
      return onHeight(life, event.height, rules);
  }
}

function onLease(life: LeaseLife | undefined, lease: Lease): Step {
  if (!isLive(lease)) return [undefined, life === undefined ? [] : [{ type: 'stop', lease }]];
  if (life === undefined) {
    const fresh: LeaseLife = { lease, work: { at: 'waiting' }, confirmedAt: 0n, confirming: false, news: true };
    return [fresh, []];
  }
  const outOfFunds = lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
  if (outOfFunds && life.work.at === 'running') {
    return [{ ...life, lease, work: { at: 'waiting' } }, [{ type: 'pause', lease }]];
  }
  const resumed = !outOfFunds && life.lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
  const revision = life.lease.manifestRevision;
  if (resumed && revision > 0n) {
    return [{ ...life, lease, work: { at: 'starting', revision } }, [{ type: 'start', revision }]];
  }
  return [{ ...life, lease }, []];
}

/** A manifest is started once, and again when a newer revision comes or the last start failed. */
function onManifest(life: LeaseLife, revision: bigint): Step {
  const { work } = life;
  const known = work.at !== 'waiting' && work.at !== 'failed' && work.revision >= revision;
  if (known || life.lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS) return [life, []];
  return [{ ...life, work: { at: 'starting', revision } }, [{ type: 'start', revision }]];
}

function onHeight(life: LeaseLife, height: bigint, rules: LeaseRules): Step {
  if (life.confirming) return [life, []];
  // What the chain knows counts too: after a restart nobody confirms before it is time.
  const last = life.confirmedAt > 0n ? life.confirmedAt : life.lease.paidThrough;
  const due = height - last >= rules.confirmEveryBlocks;
  const unconfirmed = life.lease.firstConfirmedHeight === 0n && life.confirmedAt === 0n;
  if (!due && !unconfirmed && !life.news) return [life, []];
  return [{ ...life, confirming: true, news: false }, [{ type: 'confirm' }]];
}
