/** The actor of one lease: plays its machine, and carries the effects out one after the other. */
import { messageOf } from '@mu/lib/error-message';
import type { Lease } from '@mu/proto/market';
import type { Logger } from 'pino';
import type { LeaseStatus } from '../api/sources.ts';
import { PlaneGone } from '../data-plane/plane-client.ts';
import { reach } from '../faults/fault-points.ts';
import type { Journal } from '../journal/journal.ts';
import type { ManifestStore } from '../manifests/manifest-store.ts';
import type { UsageReporter } from '../usage/usage-reporter.ts';
import { EngineError } from '../workloads/container/engine.ts';
import {
  endpointsOf,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseLife,
  type LeaseRules,
  revisionsOf,
  step,
  wantedRevision,
} from './lease-machine.ts';
import type { LeasePlace, LeaseRunner } from './lease-runner.ts';

/** What the actors of all leases share. */
export interface LeaseActorOptions {
  readonly journal: Pick<Journal, 'leases'>;
  readonly manifests: Pick<ManifestStore, 'list' | 'record'>;
  readonly runner: Pick<LeaseRunner, 'start' | 'stop' | 'erase'>;
  readonly usage: Pick<UsageReporter, 'finish'>;
  readonly rules: LeaseRules;
  /** The last block that was seen. */
  readonly height: () => bigint;
  /** Told when a revision runs. */
  readonly onStarted: (place: LeasePlace) => void;
  /** Nothing of a lease that has ended runs or stands here any more: it is forgotten, before the journal does. */
  readonly forget: (place: LeasePlace, lease: Lease) => void;
  /** Told when that has been done. */
  readonly onEnd: (lease: bigint) => void;
  /** Told of every step. */
  readonly observer?: Pick<LeaseObserver, 'stepped'>;
  readonly log: Logger;
}

/** Looks on at what becomes of the leases. */
export interface LeaseObserver {
  /** @param from providers that handed the manifest on; none where its user did */
  received(lease: bigint, revision: bigint, from: readonly string[]): void;
  /** @param before as the lease stood, `after` as the event has left it */
  stepped(
    lease: bigint,
    step: { readonly before: LeaseLife; readonly event: LeaseEvent; readonly after: LeaseLife },
  ): void;
}

type StandingEffect = Exclude<LeaseEffect, { type: 'confirm' }>;

export class LeaseActor {
  readonly place: LeasePlace;
  readonly #options: LeaseActorOptions;
  #life: LeaseLife;
  #isOver = false;
  /** the revision that is being started */
  #applying: bigint | undefined;
  /** effects run one after the other */
  #turn: Promise<void> = Promise.resolve();
  /** what could not be carried out, to be tried again with the next block */
  #unfinished: StandingEffect | undefined;

  constructor(options: LeaseActorOptions, place: LeasePlace, life: LeaseLife) {
    this.#options = options;
    this.place = place;
    this.#life = life;
  }

  get life(): LeaseLife {
    return this.#life;
  }

  /** On the chain: nothing is started, confirmed or counted for it any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Revisions that run, are being started, or are to run when they can. */
  get revisions(): readonly bigint[] {
    const running = revisionsOf(this.#life.work);
    return this.#applying === undefined ? running : [...running, this.#applying];
  }

  status(): LeaseStatus {
    const { work } = this.#life;
    const { owner, dseq } = this.place;
    const revision = wantedRevision(this.#life);
    const from = this.#options.manifests.record({ owner, dseq, revision })?.from;
    const setback = work.at === 'failed' ? work : work.at === 'running' ? work.refused : undefined;
    return {
      work: work.at,
      revision,
      endpoints: endpointsOf(work),
      ...(from === undefined ? {} : { manifestFrom: from }),
      ...(setback === undefined ? {} : { reason: setback.reason, failedRevision: setback.revision }),
    };
  }

  /** @returns whether a confirmation is due; all else that follows from the event is carried out here */
  play(event: LeaseEvent): boolean {
    const before = this.#life;
    const [life, effects] = step(before, event, this.#options.rules);
    if (life !== undefined) {
      this.#life = life;
      if (before.work.at === 'paused' && life.work.at === 'starting') reach('lease.resuming');
      this.#options.observer?.stepped(this.place.lease, { before, event, after: life });
    } else this.#isOver = true;
    for (const effect of effects) if (effect.type !== 'confirm') this.#enqueue(effect);
    return effects.some(({ type }) => type === 'confirm');
  }

  /**
   * What is on the disk for a lease is started without anybody's doing: after a restart, where what ran before comes first,
   * and when the manifest was there before the lease.
   */
  startHeld(): void {
    const { manifests, journal } = this.#options;
    const { owner, dseq, infrastructure, lease } = this.place;
    const held = manifests
      .list()
      .filter((one) => one.owner === owner && one.dseq === dseq && one.infrastructures.includes(infrastructure))
      .map(({ revision }) => revision)
      .sort((a, b) => (a < b ? 1 : -1));
    const ran = journal.leases.get(lease);
    if (ran !== undefined && held.includes(ran.revision))
      this.play({ type: 'resume', revision: ran.revision, endpoints: ran.endpoints });
    if (held[0] !== undefined && this.#life.work.at !== 'starting') this.play({ type: 'manifest', revision: held[0] });
  }

  /** Carries out what could not be, unless it has been overtaken: nothing is paused that was started again. */
  tryAgain(): void {
    const effect = this.#unfinished;
    this.#unfinished = undefined;
    if (effect === undefined) return;
    if (effect.type === 'stop' || this.#life.work.at === 'paused') this.#enqueue(effect);
  }

  /** Stops what may run still of a lease that ran out of funds while nobody looked. */
  stopPaused(): void {
    const { work, lease } = this.#life;
    if (work.at === 'paused' && !this.#isOver) this.#enqueue({ type: 'pause', lease });
  }

  /** Waits until what is under way has ended. */
  settled(): Promise<void> {
    return this.#turn;
  }

  #enqueue(effect: StandingEffect): void {
    this.#turn = this.#turn.then(async () => {
      try {
        await this.#carryOut(effect);
      } catch (error) {
        // The engine or the data plane is away, or the disk is full: neither ends the daemon, nor what comes after.
        const reason = messageOf(error);
        const { lease } = this.place;
        this.#options.log.warn({ lease: lease.toString(), effect: effect.type, reason }, 'it is tried again');
        this.#unfinished = effect;
      }
    });
  }

  async #carryOut(effect: StandingEffect): Promise<void> {
    // What was to start when the lease ended must not come up behind its end.
    if (this.#isOver && effect.type !== 'stop') return;
    if (effect.type === 'start') await this.#start(effect.revision);
    else if (effect.type === 'pause') {
      reach('lease.pausing');
      await this.#options.runner.stop(this.place.lease);
      reach('lease.paused');
    } else await this.#end(effect.lease);
  }

  async #start(revision: bigint): Promise<void> {
    const { runner, journal, onStarted, log } = this.#options;
    const { lease, owner, dseq } = this.place;
    this.#applying = revision;
    try {
      reach('lease.starting');
      const endpoints = await runner.start(this.place, this.#life.lease, { revision, height: this.#options.height() });
      reach('lease.noting');
      journal.leases.put(lease, { lease, owner, dseq, revision, endpoints });
      reach('lease.noted');
      log.info({ lease: lease.toString(), revision: revision.toString(), endpoints }, 'workloads run');
      if (this.#isOver) return;
      this.play({ type: 'started', revision, endpoints });
      this.#applying = undefined;
      onStarted(this.place);
      // After a restart what ran runs first; a newer manifest that has come since is an update.
      this.startHeld();
    } catch (error) {
      const reason = messageOf(error);
      log.error({ lease: lease.toString(), reason }, 'workloads cannot be started');
      this.play({ type: 'start-failed', revision, reason, isAway: isAway(error) });
    } finally {
      this.#applying = undefined;
    }
  }

  async #end(lease: Lease): Promise<void> {
    const { runner, journal, usage, forget, onEnd, log } = this.#options;
    reach('end.begun');
    await runner.stop(lease.number);
    reach('end.stopped');
    await usage.finish(lease);
    reach('end.reported');
    await runner.erase(this.place);
    reach('end.erased');
    forget(this.place, lease);
    reach('end.forgotten');
    journal.leases.delete(lease.number);
    onEnd(lease.number);
    log.info({ lease: lease.number.toString(), state: lease.state, reason: lease.closeReason }, 'lease is over');
  }
}

/** Nobody answered who could have started anything. */
function isAway(error: unknown): boolean {
  return error instanceof PlaneGone || (error instanceof EngineError && error.gone);
}
