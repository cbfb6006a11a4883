/**
 * The life of a lease at its provider. Pure: (state, event) → [state, effects]; an actor carries the effects out and
 * reports what became of them as further events. Nothing is ended here that the chain has not ended, so a restart that
 * has not rebuilt everything yet closes nothing. The picture of `Work` stands in the README of mu-provider; a test compares.
 */
import { type Lease, LeaseState } from '@mu/proto/market';

/** Something that did not work, and when it is tried again. */
export interface Setback {
  readonly revision: bigint;
  readonly reason: string;
  /** how often it has been tried */
  readonly tries: number;
  /** the block from which it is tried again; undefined where it is not */
  readonly retryAt: bigint | undefined;
}

/** Where the workloads of a lease stand. */
export type Work =
  /** no manifest is there yet */
  | { readonly at: 'waiting' }
  /**
   * `endpoints`: where it answered before a restart of the daemon, and does so still as far as is known; none where its workloads
   * answer nobody by an address. Undefined: it has not run here.
   */
  | {
      readonly at: 'starting';
      readonly revision: bigint;
      readonly endpoints: readonly string[] | undefined;
      readonly tries: number;
    }
  /** `refused`: a newer revision that did not come up */
  | {
      readonly at: 'running';
      readonly revision: bigint;
      readonly endpoints: readonly string[];
      readonly refused?: Setback;
    }
  /** a newer revision starts beside the one that runs */
  | {
      readonly at: 'updating';
      readonly revision: bigint;
      readonly tries: number;
      readonly running: { readonly revision: bigint; readonly endpoints: readonly string[] };
    }
  | ({ readonly at: 'failed' } & Setback)
  /** out of funds; `revision` is started when there are some, 0 where no manifest is there */
  | { readonly at: 'paused'; readonly revision: bigint };

export interface LeaseLife {
  readonly lease: Lease;
  readonly work: Work;
  /** the last block that was seen */
  readonly height: bigint;
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
  /** the daemon was restarted: this ran, and answered there */
  | { readonly type: 'resume'; readonly revision: bigint; readonly endpoints: readonly string[] }
  | { readonly type: 'started'; readonly revision: bigint; readonly endpoints: readonly string[] }
  /** `isAway`: engine or data plane did not answer, which says nothing of the revision */
  | { readonly type: 'start-failed'; readonly revision: bigint; readonly reason: string; readonly isAway?: boolean }
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

/** A start is tried again after 1, 2, 4 … blocks, at most after so many. */
const maxPauseBlocks = 64n;
/** What could not be tried at all, as engine or data plane were away, is tried again after so many. */
const awayPauseBlocks = 5n;
/** An update that did not come up so often is left until a newer manifest comes: what runs runs on. */
export const maxUpdateTries = 3;

export const isLive = (lease: Lease): boolean =>
  lease.state === LeaseState.LEASE_STATE_ACTIVE || lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;

/** @param life undefined for a lease that is not known yet */
export function step(life: LeaseLife | undefined, event: LeaseEvent, rules: LeaseRules): Step {
  if (event.type === 'lease') return onLease(life, event.lease);
  if (life === undefined) return [undefined, []];
  switch (event.type) {
    case 'manifest':
      return onManifest(life, event.revision);
    case 'resume':
      return life.work.at === 'waiting' ? starting(life, event.revision, { endpoints: event.endpoints }) : [life, []];
    case 'started':
      return onStarted(life, event);
    case 'start-failed':
      return onStartFailed(life, event);
    case 'confirmed':
      return [{ ...life, confirming: false, confirmedAt: event.height }, []];
    case 'confirm-failed':
      return [{ ...life, confirming: false, news: true }, []];
    case 'height':
      return onHeight(life, event.height, rules);
  }
}

/** The revision that is wanted, whether it runs or not; 0 where no manifest is there. */
export function wantedRevision({ work }: Pick<LeaseLife, 'work'>): bigint {
  return work.at === 'waiting' ? 0n : work.revision;
}

/** Where it answers; while it starts after a restart, where it answered before. */
export function endpointsOf(work: Work): readonly string[] {
  if (work.at === 'updating') return work.running.endpoints;
  return work.at === 'running' || work.at === 'starting' ? (work.endpoints ?? []) : [];
}

/** The revision that serves; 0 for none. */
export function servedRevision(work: Work): bigint {
  if (work.at === 'updating') return work.running.revision;
  return work.at === 'running' || (work.at === 'starting' && work.endpoints !== undefined) ? work.revision : 0n;
}

/** What runs, and what is to run when it can. */
export function revisionsOf(work: Work): readonly bigint[] {
  if (work.at === 'waiting') return [];
  if (work.at === 'updating') return [work.revision, work.running.revision];
  const isRefused = work.at === 'running' && work.refused?.retryAt !== undefined;
  return isRefused ? [work.revision, work.refused?.revision ?? 0n] : [work.revision];
}

function onLease(life: LeaseLife | undefined, lease: Lease): Step {
  if (!isLive(lease)) return [undefined, life === undefined ? [] : [{ type: 'stop', lease }]];
  const outOfFunds = lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
  if (life === undefined) {
    const work: Work = outOfFunds ? { at: 'paused', revision: 0n } : { at: 'waiting' };
    return [{ lease, work, height: 0n, confirmedAt: 0n, confirming: false, news: true }, []];
  }
  const next = { ...life, lease };
  if (outOfFunds && life.work.at !== 'paused') {
    const runs = life.work.at !== 'waiting' && life.work.at !== 'failed';
    const paused: LeaseLife = { ...next, work: { at: 'paused', revision: wantedRevision(life) }, news: true };
    return [paused, runs ? [{ type: 'pause', lease }] : []];
  }
  if (!outOfFunds && life.work.at === 'paused') {
    const { revision } = life.work;
    return revision === 0n ? [{ ...next, work: { at: 'waiting' } }, []] : starting(next, revision);
  }
  return [next, []];
}

/** A manifest is started once, and again when a newer revision comes or the last start failed. */
function onManifest(life: LeaseLife, revision: bigint): Step {
  const { work } = life;
  switch (work.at) {
    case 'waiting':
      return starting(life, revision);
    case 'paused':
      return [revision > work.revision ? { ...life, work: { ...work, revision } } : life, []];
    case 'failed':
      return revision >= work.revision ? starting(life, revision) : [life, []];
    case 'running':
      return revision > work.revision ? updating(life, revision, { running: work, tries: 0 }) : [life, []];
    case 'starting':
      return revision > work.revision ? starting(life, revision, work) : [life, []];
    case 'updating':
      return revision > work.revision ? updating(life, revision, { running: work.running, tries: 0 }) : [life, []];
  }
}

function onStarted(life: LeaseLife, event: Extract<LeaseEvent, { type: 'started' }>): Step {
  const { work } = life;
  // A start that was overtaken: by want of funds, or by a later one.
  if (work.at !== 'starting' && work.at !== 'updating') return [life, []];
  const { revision, endpoints } = event;
  // Of two revisions that start one after the other the older one runs meanwhile.
  if (work.revision > revision) {
    const tries = work.at === 'updating' ? work.tries : 0;
    const between: Work = { at: 'updating', revision: work.revision, tries, running: { revision, endpoints } };
    return [{ ...life, work: between, news: true }, []];
  }
  return [{ ...life, work: { at: 'running', revision, endpoints }, news: true }, []];
}

function onStartFailed(life: LeaseLife, event: Extract<LeaseEvent, { type: 'start-failed' }>): Step {
  const { work } = life;
  if ((work.at !== 'starting' && work.at !== 'updating') || work.revision !== event.revision) return [life, []];
  // An outage longer than all tries together must not cost an update.
  const isAway = event.isAway === true;
  const tries = isAway ? work.tries : work.tries + 1;
  const setback = { revision: event.revision, reason: event.reason, tries };
  const retryAt = life.height + (isAway ? awayPauseBlocks : pauseBlocks(tries));
  if (work.at === 'starting') return [{ ...life, work: { at: 'failed', ...setback, retryAt }, news: true }, []];
  const refused: Setback = { ...setback, retryAt: tries < maxUpdateTries ? retryAt : undefined };
  return [{ ...life, work: { at: 'running', ...work.running, refused }, news: true }, []];
}

function pauseBlocks(tries: number): bigint {
  const pause = 1n << BigInt(Math.min(tries - 1, 6));
  return pause < maxPauseBlocks ? pause : maxPauseBlocks;
}

function starting(
  life: LeaseLife,
  revision: bigint,
  { endpoints, tries = 0 }: { readonly endpoints?: readonly string[] | undefined; readonly tries?: number } = {},
): Step {
  return [{ ...life, work: { at: 'starting', revision, endpoints, tries } }, [{ type: 'start', revision }]];
}

function updating(
  life: LeaseLife,
  revision: bigint,
  from: {
    readonly running: { readonly revision: bigint; readonly endpoints: readonly string[] };
    readonly tries: number;
  },
): Step {
  const running = { revision: from.running.revision, endpoints: from.running.endpoints };
  return [{ ...life, work: { at: 'updating', revision, tries: from.tries, running } }, [{ type: 'start', revision }]];
}

function onHeight(before: LeaseLife, height: bigint, rules: LeaseRules): Step {
  const [life, again] = retried({ ...before, height });
  if (life.confirming) return [life, again];
  // What the chain knows counts too: after a restart nobody confirms before it is time.
  const last = life.confirmedAt > 0n ? life.confirmedAt : life.lease.paidThrough;
  const due = height - last >= rules.confirmEveryBlocks;
  const unconfirmed = life.lease.firstConfirmedHeight === 0n && life.confirmedAt === 0n;
  if (!due && !unconfirmed && !life.news) return [life, again];
  return [{ ...life, confirming: true, news: false }, [...again, { type: 'confirm' }]];
}

/** What did not work is tried again when it is time. */
function retried(life: LeaseLife): readonly [LeaseLife, readonly LeaseEffect[]] {
  const { work, height } = life;
  const isDue = (retryAt: bigint | undefined): boolean => retryAt !== undefined && height >= retryAt;
  if (work.at === 'failed' && isDue(work.retryAt)) {
    return starting(life, work.revision, { tries: work.tries }) as [LeaseLife, LeaseEffect[]];
  }
  if (work.at === 'running' && work.refused !== undefined && isDue(work.refused.retryAt)) {
    const { revision, tries } = work.refused;
    return updating(life, revision, { running: work, tries }) as [LeaseLife, LeaseEffect[]];
  }
  return [life, []];
}
