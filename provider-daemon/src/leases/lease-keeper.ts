/**
 * Keeps the leases: plays each one's machine, carries its effects out one after the other, and confirms those that are
 * due with one transaction per block.
 */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import { toEncodeObject } from '@mu/client/chain/registry';
import type { Sender } from '@mu/client/chain/sender';
import {
  type Confirmation,
  type Lease,
  ManifestState,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmations,
  MsgSubmitLeaseConfirmationsResponse,
} from '@mu/proto/market';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import type { Logger } from 'pino';
import type { LeaseStatus } from '../api/sources.ts';
import { PlaneGone } from '../data-plane/plane-client.ts';
import { reach } from '../faults/fault-points.ts';
import type { Journal } from '../journal/journal.ts';
import type { ManifestRecord, ManifestStore } from '../manifests/manifest-store.ts';
import type { UsageReporter } from '../usage/usage-reporter.ts';
import { EngineError } from '../workloads/container/engine.ts';
import {
  isLive,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseLife,
  type LeaseRules,
  step,
  type Work,
  wantedRevision,
} from './lease-machine.ts';
import type { LeasePlace, LeaseRunner } from './lease-runner.ts';
import { ManifestEnds } from './manifest-ends.ts';

export interface LeaseKeeperOptions {
  /** this provider, by its owner */
  readonly provider: string;
  readonly client: ChainClient;
  readonly sender: Sender;
  readonly journal: Journal;
  readonly manifests: ManifestStore;
  readonly runner: LeaseRunner;
  readonly usage: UsageReporter;
  readonly rules: LeaseRules;
  /** A manifest is kept for peers so many blocks after the last lease here has ended normally. */
  readonly serveGraceBlocks: bigint;
  readonly onEnd: (lease: bigint) => void;
  /** Takes a manifest that stands sealed on the chain, where there is one for this provider that is not held yet. */
  readonly takeSealed: (owner: string, dseq: bigint) => Promise<ManifestRecord | undefined>;
  /** Providers that a manifest was handed on by; none where its user did. */
  readonly manifestFrom?: (record: ManifestRecord) => readonly string[];
  /** Told of every step, and of every manifest that has come. */
  readonly observer?: LeaseObserver;
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

/** The most that one message may confirm (design §5). */
const maxConfirmations = 500;

type StandingEffect = Exclude<LeaseEffect, { type: 'confirm' }>;

/** Sealed manifests are looked for so many at a time: each look waits for the block that proves it. */
const maxLooks = 16;

interface Entry {
  life: LeaseLife;
  readonly place: LeasePlace;
  /** on the chain: nothing is started, confirmed or counted for it any more */
  isOver: boolean;
  /** the revision that is being started */
  applying?: bigint | undefined;
  /** effects run one after the other */
  turn: Promise<void>;
  /** what could not be carried out, to be tried again with the next block */
  unfinished?: StandingEffect | undefined;
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #ends: ManifestEnds;
  readonly #entries = new Map<bigint, Entry>();
  readonly #looks: Promise<void>[] = Array.from({ length: maxLooks }, () => Promise.resolve());
  #nextLook = 0;
  #height = 0n;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    const { client, provider, journal, manifests, serveGraceBlocks: graceBlocks, log } = options;
    this.#ends = new ManifestEnds({
      ...{ client, provider, journal, manifests, graceBlocks, log },
      endOf: (lease) => this.#endOf(lease),
      serves: (of) => this.#of(of).length > 0,
      inUse: (of) => this.#of(of).flatMap(({ life, applying }) => [...revisionsOf(life.work), applying ?? 0n]),
    });
  }

  leases(): Lease[] {
    return [...this.#entries.values()].map(({ life }) => life.lease);
  }

  place(lease: bigint): LeasePlace | undefined {
    return this.#entries.get(lease)?.place;
  }

  status(lease: bigint): LeaseStatus | undefined {
    const entry = this.#entries.get(lease);
    if (entry === undefined) return undefined;
    const { work } = entry.life;
    const setback = work.at === 'failed' ? work : work.at === 'running' ? work.refused : undefined;
    return {
      work: work.at,
      revision: wantedRevision(entry.life),
      endpoints: endpointsOf(work),
      ...(setback === undefined ? {} : { reason: setback.reason, failedRevision: setback.revision }),
    };
  }

  /** A lease as the chain has it. */
  async lease(lease: Lease): Promise<void> {
    const known = this.#entries.get(lease.number);
    if (known !== undefined) {
      if (!known.isOver) this.#play(known, { type: 'lease', lease });
      return;
    }
    const [life] = step(undefined, { type: 'lease', lease }, this.#options.rules);
    if (life === undefined) return;
    const entry: Entry = { life, place: await this.#placeOf(lease), isOver: false, turn: Promise.resolve() };
    this.#entries.set(lease.number, entry);
    this.#ends.wanted(entry.place);
    reach('lease.heard');
    this.#options.log.info(
      { lease: lease.number.toString(), owner: lease.order?.owner, dseq: lease.order?.dseq.toString() },
      'lease',
    );
    this.#startHeld(entry);
    if (entry.life.work.at === 'waiting') this.deployment(entry.place.owner, entry.place.dseq);
  }

  /**
   * A deployment was made or updated: a manifest for this provider may stand sealed on the chain. Nobody waits for the look:
   * while hundreds of leases come at once those that stand are confirmed.
   */
  deployment(owner: string, dseq: bigint): void {
    if (this.#of({ owner, dseq }).length === 0) return;
    const at = this.#nextLook;
    this.#nextLook = (at + 1) % maxLooks;
    this.#looks[at] = (this.#looks[at] as Promise<void>).then(() => this.#takeSealed(owner, dseq));
  }

  async #takeSealed(owner: string, dseq: bigint): Promise<void> {
    try {
      const record = await this.#options.takeSealed(owner, dseq);
      if (record === undefined) return;
      this.#options.log.info({ owner, dseq: dseq.toString() }, 'took the manifest that is sealed on the chain');
      this.manifest(record);
    } catch (error) {
      // Its user may still hand it over; until then the lease waits, and its provider may leave for want of it.
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warn(
        { owner, dseq: dseq.toString(), reason },
        'the sealed manifest on the chain is not usable',
      );
    }
  }

  /** A manifest has come, or what some infrastructure here still needed of it. */
  manifest(record: ManifestRecord): void {
    for (const entry of this.#entries.values()) {
      const { owner, dseq, infrastructure } = entry.place;
      if (entry.isOver) continue;
      if (owner !== record.owner || dseq !== record.dseq || !record.infrastructures.includes(infrastructure)) continue;
      const from = this.#options.manifestFrom?.(record) ?? [];
      this.#options.observer?.received(entry.place.lease, record.revision, from);
      this.#play(entry, { type: 'manifest', revision: record.revision });
    }
  }

  /** A block: confirms what is due, reports what is due. */
  async height(height: bigint): Promise<void> {
    this.#height = height;
    this.#ends.height(height);
    const { runner, usage } = this.#options;
    await this.#whereverPossible(() => runner.poll());
    const due: Entry[] = [];
    for (const entry of this.#entries.values()) {
      this.#tryAgain(entry);
      // A report beyond its end would be refused, and what it carries lost; the last one comes with its end.
      if (entry.isOver) continue;
      const effects = this.#play(entry, { type: 'height', height });
      if (effects.some(({ type }) => type === 'confirm')) due.push(entry);
      await this.#whereverPossible(() => usage.tick(entry.life.lease, height));
    }
    for (let at = 0; at < due.length; at += maxConfirmations) this.#confirm(due.slice(at, at + maxConfirmations));
    await this.#finishEnded();
  }

  /** Usage waits for the next block; the leases are confirmed all the same, else a full disk would lose them. */
  async #whereverPossible(count: () => Promise<void>): Promise<void> {
    try {
      await count();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warn({ reason }, 'usage cannot be counted now, it will be counted later');
    }
  }

  /**
   * Ends and erases what is left of leases that ended, or ran out of funds, while the daemon was away: workloads, and
   * manifests of deployments of which no lease lives here any more. Only when all live leases are known.
   */
  async sweep(): Promise<void> {
    const { runner, usage } = this.#options;
    for (const entry of this.#entries.values()) {
      const { work, lease } = entry.life;
      if (work.at === 'paused' && !entry.isOver) this.#enqueue(entry, { type: 'pause', lease });
    }
    await runner.sweep((lease) => this.#isOver(lease), new Set(usage.owing()));
    await this.#ends.sweep();
  }

  /** All leases that are known here, and those of some others that live all the same: a list may have left them out. */
  async living(numbers: Iterable<bigint>): Promise<ReadonlySet<bigint>> {
    const live = new Set(this.#entries.keys());
    for (const number of numbers) if (!(await this.#isOver(number))) live.add(number);
    return live;
  }

  async #isOver(number: bigint): Promise<boolean> {
    return (await this.#endOf(number)) !== undefined;
  }

  /** Nothing is ended for want of a lease in a list: the record itself is asked for, since only that is proved. */
  async #endOf(number: bigint): Promise<{ readonly lease: Lease | undefined } | undefined> {
    if (this.#entries.has(number)) return undefined;
    const { client, provider } = this.#options;
    const lease = (await unlessMissing(client.market.lease({ number })))?.lease;
    if (lease?.provider !== provider) return { lease: undefined };
    return isLive(lease) ? undefined : { lease };
  }

  /** Leases of a deployment that live here. */
  #of({ owner, dseq }: { readonly owner: string; readonly dseq: bigint }): Entry[] {
    return [...this.#entries.values()].filter(({ place }) => place.owner === owner && place.dseq === dseq);
  }

  /** Waits until what is under way has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#looks);
    await Promise.all([...this.#entries.values()].map(({ turn }) => turn));
    await this.#ends.settled();
  }

  #play(entry: Entry, event: LeaseEvent): readonly LeaseEffect[] {
    const before = entry.life;
    const [life, effects] = step(before, event, this.#options.rules);
    if (life !== undefined) {
      entry.life = life;
      if (before.work.at === 'paused' && life.work.at === 'starting') reach('lease.resuming');
      this.#options.observer?.stepped(entry.place.lease, { before, event, after: life });
    } else entry.isOver = true;
    for (const effect of effects) {
      if (effect.type !== 'confirm') this.#enqueue(entry, effect);
    }
    return effects;
  }

  #enqueue(entry: Entry, effect: StandingEffect): void {
    entry.turn = entry.turn.then(async () => {
      try {
        await this.#carryOut(entry, effect);
      } catch (error) {
        // The engine or the data plane is away, or the disk is full: neither ends the daemon, nor what comes after.
        const reason = error instanceof Error ? error.message : String(error);
        const { lease } = entry.place;
        this.#options.log.warn({ lease: lease.toString(), effect: effect.type, reason }, 'it is tried again');
        entry.unfinished = effect;
      }
    });
  }

  /** Carries out what could not be, unless it has been overtaken: nothing is paused that was started again. */
  #tryAgain(entry: Entry): void {
    const effect = entry.unfinished;
    entry.unfinished = undefined;
    if (effect === undefined) return;
    if (effect.type === 'stop' || entry.life.work.at === 'paused') this.#enqueue(entry, effect);
  }

  async #carryOut(entry: Entry, effect: StandingEffect): Promise<void> {
    const { lease } = entry.place;
    // What was to start when the lease ended must not come up behind its end.
    if (entry.isOver && effect.type !== 'stop') return;
    if (effect.type === 'start') await this.#start(entry, effect.revision);
    else if (effect.type === 'pause') {
      reach('lease.pausing');
      await this.#options.runner.stop(lease);
      reach('lease.paused');
    } else await this.#end(entry, effect.lease);
  }

  async #start(entry: Entry, revision: bigint): Promise<void> {
    const { runner, journal, log } = this.#options;
    const { lease, owner, dseq } = entry.place;
    entry.applying = revision;
    try {
      reach('lease.starting');
      const endpoints = await runner.start(entry.place, entry.life.lease, { revision, height: this.#height });
      reach('lease.noting');
      journal.leases.put(lease, { lease, owner, dseq, revision, endpoints });
      reach('lease.noted');
      log.info({ lease: lease.toString(), revision: revision.toString(), endpoints }, 'workloads run');
      if (entry.isOver) return;
      this.#play(entry, { type: 'started', revision, endpoints });
      entry.applying = undefined;
      this.#ends.outdated(entry.place);
      // After a restart what ran runs first; a newer manifest that has come since is an update.
      this.#startHeld(entry);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ lease: lease.toString(), reason }, 'workloads cannot be started');
      this.#play(entry, { type: 'start-failed', revision, reason, isAway: isAway(error) });
    } finally {
      entry.applying = undefined;
    }
  }

  async #end(entry: Entry, lease: Lease): Promise<void> {
    const { runner, journal, usage, log, onEnd } = this.#options;
    reach('end.begun');
    await runner.stop(lease.number);
    reach('end.stopped');
    await usage.finish(lease);
    reach('end.reported');
    await runner.erase(entry.place);
    reach('end.erased');
    this.#entries.delete(lease.number);
    this.#ends.ended(entry.place, lease);
    reach('end.forgotten');
    journal.leases.delete(lease.number);
    onEnd(lease.number);
    log.info({ lease: lease.number.toString(), state: lease.state, reason: lease.closeReason }, 'lease is over');
  }

  /**
   * What is on the disk for a lease is started without anybody's doing: after a restart, where what ran before comes first,
   * and when the manifest was there before the lease.
   */
  #startHeld(entry: Entry): void {
    const { owner, dseq, infrastructure, lease } = entry.place;
    const held = this.#options.manifests
      .list()
      .filter((one) => one.owner === owner && one.dseq === dseq && one.infrastructures.includes(infrastructure))
      .map(({ revision }) => revision)
      .sort((a, b) => (a < b ? 1 : -1));
    const ran = this.#options.journal.leases.get(lease);
    if (ran !== undefined && held.includes(ran.revision))
      this.#play(entry, { type: 'resume', revision: ran.revision, endpoints: ran.endpoints });
    if (held[0] !== undefined && entry.life.work.at !== 'starting')
      this.#play(entry, { type: 'manifest', revision: held[0] });
  }

  /** Leases that ended while the daemon was away and still owe a report. */
  async #finishEnded(): Promise<void> {
    for (const number of this.#options.usage.owing()) {
      if (this.#entries.has(number)) continue;
      const { lease } = await this.#options.client.market.lease({ number });
      if (lease !== undefined && lease.closedHeight > 0n) await this.#options.usage.settle(lease);
    }
  }

  #confirm(entries: readonly Entry[]): void {
    const { sender, log } = this.#options;
    const confirmations = entries.map((entry) => confirmationOf(entry.life));
    const [only] = confirmations;
    const message =
      confirmations.length === 1
        ? toEncodeObject(MsgSubmitLeaseConfirmation, { sender: sender.address, confirmation: only })
        : toEncodeObject(MsgSubmitLeaseConfirmations, { sender: sender.address, confirmations });
    reach('confirmation.sending');
    sender
      .sendAndWait([message])
      .then((tx) => {
        reach('confirmation.committed');
        const failed = failedOf(tx.data);
        for (const entry of entries) {
          const type = failed.has(entry.place.lease)
            ? ({ type: 'confirm-failed' } as const)
            : ({ type: 'confirmed', height: BigInt(tx.height) } as const);
          this.#play(entry, type);
        }
        log.info({ leases: entries.map(({ place }) => place.lease.toString()), height: tx.height }, 'leases confirmed');
      })
      .catch((error: unknown) => {
        log.warn(
          { reason: error instanceof Error ? error.message : String(error) },
          'confirmation failed, it will be sent again',
        );
        for (const entry of entries) this.#play(entry, { type: 'confirm-failed' });
      });
  }

  async #placeOf(lease: Lease): Promise<LeasePlace> {
    const { owner = '', dseq = 0n, infrastructure = 0, round = 0 } = lease.order ?? {};
    // The order says it for good: in the deployment another infrastructure may have taken the index since.
    const { order } = await this.#options.client.market.order({ owner, dseq, infrastructure, round });
    return { lease: lease.number, owner, dseq, infrastructure: order?.spec?.name ?? '' };
  }
}

/** Nobody answered who could have started anything. */
function isAway(error: unknown): boolean {
  return error instanceof PlaneGone || (error instanceof EngineError && error.gone);
}

function endpointsOf(work: Work): readonly string[] {
  if (work.at === 'updating') return work.running.endpoints;
  return work.at === 'running' || work.at === 'starting' ? work.endpoints : [];
}

/** The revision that serves; 0 for none. */
function servedRevision(work: Work): bigint {
  if (work.at === 'updating') return work.running.revision;
  return work.at === 'running' || (work.at === 'starting' && work.endpoints.length > 0) ? work.revision : 0n;
}

/** What runs, and what is to run when it can. */
function revisionsOf(work: Work): readonly bigint[] {
  if (work.at === 'waiting') return [];
  if (work.at === 'updating') return [work.revision, work.running.revision];
  const isRefused = work.at === 'running' && work.refused?.retryAt !== undefined;
  return isRefused ? [work.revision, work.refused?.revision ?? 0n] : [work.revision];
}

function confirmationOf({ lease, work }: LeaseLife): Confirmation {
  const served = servedRevision(work);
  const wanted = wantedRevision({ work });
  const received = wanted > 0n ? ManifestState.MANIFEST_STATE_RECEIVED : ManifestState.MANIFEST_STATE_WAITING;
  return {
    lease: lease.number,
    endpoints: [...endpointsOf(work)],
    manifestState: served > 0n ? ManifestState.MANIFEST_STATE_RUNNING : received,
    manifestRevision: served > 0n ? served : wanted,
  };
}

/** Leases of a batch whose confirmation the chain refused. */
function failedOf(data: Uint8Array): Set<bigint> {
  const [response] = TxMsgData.decode(data).msgResponses;
  if (response?.typeUrl !== `/${MsgSubmitLeaseConfirmationsResponse.$type}`) return new Set();
  const { results } = MsgSubmitLeaseConfirmationsResponse.decode(response.value);
  return new Set(results.filter(({ code }) => code !== 0).map(({ lease }) => lease));
}
