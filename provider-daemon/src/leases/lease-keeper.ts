/**
 * Keeps the leases: has an actor for each, tells them of manifests and blocks, and ends what is left of those that ended
 * while nobody looked.
 */

import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import type { Sender } from '@mu/client/chain/sender';
import { messageOf } from '@mu/lib/error-message';
import type { Lease } from '@mu/proto/market';
import type { Logger } from 'pino';
import type { LeaseStatus } from '../api/sources.ts';
import { reach } from '../faults/fault-points.ts';
import type { Journal } from '../journal/journal.ts';
import type { ManifestRecord, ManifestStore } from '../manifests/manifest-store.ts';
import type { UsageReporter } from '../usage/usage-reporter.ts';
import { Confirmations } from './confirmations.ts';
import { LeaseActor, type LeaseActorOptions, type LeaseObserver } from './lease-actor.ts';
import { isLive, type LeaseRules, step } from './lease-machine.ts';
import type { LeasePlace, LeaseRunner } from './lease-runner.ts';
import { ManifestEnds } from './manifest-ends.ts';
import { SealedLooks, type SealedLooksOptions } from './sealed-looks.ts';

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
  readonly takeSealed: SealedLooksOptions['takeSealed'];
  /** Told of every step, and of every manifest that has come. */
  readonly observer?: LeaseObserver;
  readonly log: Logger;
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #ends: ManifestEnds;
  readonly #confirmations: Confirmations;
  readonly #sealed: SealedLooks;
  readonly #forActors: LeaseActorOptions;
  readonly #actors = new Map<bigint, LeaseActor>();
  #height = 0n;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    const { client, provider, sender, journal, manifests, serveGraceBlocks: graceBlocks, takeSealed, log } = options;
    this.#ends = new ManifestEnds({
      ...{ client, provider, journal, manifests, graceBlocks, log },
      endOf: (lease) => this.#endOf(lease),
      serves: (of) => this.#of(of).length > 0,
      inUse: (of) => this.#of(of).flatMap(({ revisions }) => revisions),
    });
    this.#confirmations = new Confirmations({ sender, log });
    this.#sealed = new SealedLooks({ takeSealed, onTaken: (record) => this.manifest(record), log });
    this.#forActors = {
      ...options,
      height: () => this.#height,
      onStarted: (place) => this.#ends.outdated(place),
      forget: (place, lease) => {
        this.#actors.delete(lease.number);
        this.#ends.ended(place, lease);
      },
    };
  }

  leases(): Lease[] {
    return [...this.#actors.values()].map(({ life }) => life.lease);
  }

  place(lease: bigint): LeasePlace | undefined {
    return this.#actors.get(lease)?.place;
  }

  status(lease: bigint): LeaseStatus | undefined {
    return this.#actors.get(lease)?.status();
  }

  /** A lease as the chain has it. */
  async lease(lease: Lease): Promise<void> {
    const known = this.#actors.get(lease.number);
    if (known !== undefined) {
      if (!known.isOver) known.play({ type: 'lease', lease });
      return;
    }
    const [life] = step(undefined, { type: 'lease', lease }, this.#options.rules);
    if (life === undefined) return;
    const actor = new LeaseActor(this.#forActors, await this.#placeOf(lease), life);
    this.#actors.set(lease.number, actor);
    this.#ends.wanted(actor.place);
    reach('lease.heard');
    this.#options.log.info(
      { lease: lease.number.toString(), owner: lease.order?.owner, dseq: lease.order?.dseq.toString() },
      'lease',
    );
    actor.startHeld();
    if (actor.life.work.at === 'waiting') this.deployment(actor.place.owner, actor.place.dseq);
  }

  /**
   * A deployment was made or updated: a manifest for this provider may stand sealed on the chain. Nobody waits for the look:
   * while hundreds of leases come at once those that stand are confirmed.
   */
  deployment(owner: string, dseq: bigint): void {
    if (this.#of({ owner, dseq }).length > 0) this.#sealed.look(owner, dseq);
  }

  /** A manifest has come, or what some infrastructure here still needed of it. */
  manifest(record: ManifestRecord): void {
    for (const actor of this.#of(record)) {
      const { lease, infrastructure } = actor.place;
      if (actor.isOver || !record.infrastructures.includes(infrastructure)) continue;
      this.#options.observer?.received(lease, record.revision, record.from ?? []);
      actor.play({ type: 'manifest', revision: record.revision });
    }
  }

  /** A block: confirms what is due, reports what is due. */
  async height(height: bigint): Promise<void> {
    this.#height = height;
    this.#ends.height(height);
    const { runner, usage } = this.#options;
    await this.#whereverPossible(() => runner.poll());
    const due: LeaseActor[] = [];
    for (const actor of this.#actors.values()) {
      actor.tryAgain();
      // A report beyond its end would be refused, and what it carries lost; the last one comes with its end.
      if (actor.isOver) continue;
      if (actor.play({ type: 'height', height })) due.push(actor);
      await this.#whereverPossible(() => usage.tick(actor.life.lease, height));
    }
    this.#confirmations.send(due);
    await this.#finishEnded();
  }

  /** Usage waits for the next block; the leases are confirmed all the same, else a full disk would lose them. */
  async #whereverPossible(count: () => Promise<void>): Promise<void> {
    try {
      await count();
    } catch (error) {
      const reason = messageOf(error);
      this.#options.log.warn({ reason }, 'usage cannot be counted now, it will be counted later');
    }
  }

  /**
   * Ends and erases what is left of leases that ended, or ran out of funds, while the daemon was away: workloads, and
   * manifests of deployments of which no lease lives here any more. Only when all live leases are known.
   */
  async sweep(): Promise<void> {
    const { runner, usage } = this.#options;
    for (const actor of this.#actors.values()) actor.stopPaused();
    await runner.sweep((lease) => this.#isOver(lease), new Set(usage.owing()));
    await this.#ends.sweep();
  }

  /** All leases that are known here, and those of some others that live all the same: a list may have left them out. */
  async living(numbers: Iterable<bigint>): Promise<ReadonlySet<bigint>> {
    const live = new Set(this.#actors.keys());
    for (const number of numbers) if (!(await this.#isOver(number))) live.add(number);
    return live;
  }

  /** Waits until what is under way has ended. */
  async settled(): Promise<void> {
    await this.#sealed.settled();
    await Promise.all([...this.#actors.values()].map((actor) => actor.settled()));
    await this.#ends.settled();
  }

  async #isOver(number: bigint): Promise<boolean> {
    return (await this.#endOf(number)) !== undefined;
  }

  /** Nothing is ended for want of a lease in a list: the record itself is asked for, since only that is proved. */
  async #endOf(number: bigint): Promise<{ readonly lease: Lease | undefined } | undefined> {
    if (this.#actors.has(number)) return undefined;
    const { client, provider } = this.#options;
    const lease = (await unlessMissing(client.market.lease({ number })))?.lease;
    if (lease?.provider !== provider) return { lease: undefined };
    return isLive(lease) ? undefined : { lease };
  }

  /** Leases of a deployment that live here. */
  #of({ owner, dseq }: { readonly owner: string; readonly dseq: bigint }): LeaseActor[] {
    return [...this.#actors.values()].filter(({ place }) => place.owner === owner && place.dseq === dseq);
  }

  /** Leases that ended while the daemon was away and still owe a report. */
  async #finishEnded(): Promise<void> {
    for (const number of this.#options.usage.owing()) {
      if (this.#actors.has(number)) continue;
      const { lease } = await this.#options.client.market.lease({ number });
      if (lease !== undefined && lease.closedHeight > 0n) await this.#options.usage.settle(lease);
    }
  }

  async #placeOf(lease: Lease): Promise<LeasePlace> {
    const { owner = '', dseq = 0n, infrastructure = 0, round = 0 } = lease.order ?? {};
    // The order says it for good: in the deployment another infrastructure may have taken the index since.
    const { order } = await this.#options.client.market.order({ owner, dseq, infrastructure, round });
    return { lease: lease.number, owner, dseq, infrastructure: order?.spec?.name ?? '' };
  }
}
