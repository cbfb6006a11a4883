/**
 * When manifests go: with the last lease of their deployment here, or some blocks after it, so that peers may take them; and
 * old revisions as soon as nothing here runs them.
 */

import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import { allItems } from '@mu/client/chain/pages';
import { messageOf } from '@mu/lib/error-message';
import { DeploymentState } from '@mu/proto/deployment';
import { CloseReason, type Lease, LeaseState } from '@mu/proto/market';
import type { Logger } from 'pino';
import type { Journal } from '../journal/journal.ts';
import { textOf } from '../manifests/grace.ts';
import type { ManifestRecord, ManifestStore } from '../manifests/manifest-store.ts';
import { isLive } from './lease-machine.ts';

type DeploymentName = Pick<ManifestRecord, 'owner' | 'dseq'>;

export interface ManifestEndsOptions {
  readonly client: ChainClient;
  /** this provider, by its owner */
  readonly provider: string;
  readonly journal: Pick<Journal, 'leases'>;
  readonly manifests: Pick<ManifestStore, 'list' | 'remove' | 'keepUntil' | 'inGrace'>;
  /** Blocks; 0: manifests go at once. */
  readonly graceBlocks: bigint;
  /** Whether a lease of the deployment lives here. */
  readonly serves: (deployment: DeploymentName) => boolean;
  /** Revisions that leases of the deployment here run, start, or are to run when they can. */
  readonly inUse: (deployment: DeploymentName) => Iterable<bigint>;
  /** What became of a lease: undefined while it lives here; its record where the chain has one of this provider. */
  readonly endOf: (lease: bigint) => Promise<{ readonly lease: Lease | undefined } | undefined>;
  readonly log: Logger;
}

/** Manifests that no lease here serves are looked for on the chain so often, in blocks. */
export const strayBlocks = 20n;

/** What was wrong was the manifest, or there is nobody left who could want it. */
const atOnce: ReadonlySet<CloseReason> = new Set([
  CloseReason.CLOSE_REASON_MANIFEST_MISSING,
  CloseReason.CLOSE_REASON_MANIFEST_INVALID,
  CloseReason.CLOSE_REASON_DEPLOYMENT_CANCELED,
]);

/**
 * The height at which a manifest is erased whose last lease here has ended so (design §6: a lease that has ended normally);
 * undefined: at once.
 */
export function eraseHeight({ state, closeReason, closedHeight }: Lease, graceBlocks: bigint): bigint | undefined {
  const isNormal = state === LeaseState.LEASE_STATE_CLOSED && !atOnce.has(closeReason);
  return isNormal && graceBlocks > 0n ? closedHeight + graceBlocks : undefined;
}

export class ManifestEnds {
  readonly #options: ManifestEndsOptions;
  #height = 0n;
  #lookedAt = 0n;
  #look: Promise<void> | undefined;
  /** Manifests without a lease at the last look: one that was delivered a moment ago may be for a lease of the next block. */
  #unserved = new Set<string>();

  constructor(options: ManifestEndsOptions) {
    this.#options = options;
  }

  /** There is a lease of the deployment here again. */
  wanted(deployment: DeploymentName): void {
    const { manifests } = this.#options;
    for (const record of manifests.inGrace()) if (isOf(record, deployment)) manifests.keepUntil(record, undefined);
  }

  /** A lease of the deployment has ended here; a manifest is kept as long as any other lives. */
  ended(deployment: DeploymentName, lease: Lease): void {
    const { manifests, serves } = this.#options;
    if (serves(deployment)) this.outdated(deployment);
    else for (const record of manifests.list()) if (isOf(record, deployment)) this.#letGo(record, lease);
  }

  /**
   * Something of the deployment was started, or ended: of its revisions the newest that is held and the one before stay, for
   * those who follow later, and what is in use here. The others go, their secrets too.
   */
  outdated(deployment: DeploymentName): void {
    const { manifests, journal, inUse } = this.#options;
    const held = manifests.list().filter((record) => isOf(record, deployment));
    const newest = held.reduce((most, { revision }) => (revision > most ? revision : most), 0n);
    const old = held.filter(({ revision, eraseAt }) => revision + 1n < newest && eraseAt === undefined);
    if (old.length === 0) return;
    // By the journal also what ran before a restart and has not been taken up yet.
    const ran = journal.leases.all().flatMap((one) => (isOf(one, deployment) ? [one.revision] : []));
    const kept = new Set([...inUse(deployment), ...ran]);
    for (const record of old) if (!kept.has(record.revision)) this.#erase(record, 'nothing here runs it any more');
  }

  /** A block: erases those whose time is over, and now and then looks for those that nobody serves. */
  height(height: bigint): void {
    this.#height = height;
    const { manifests, serves } = this.#options;
    for (const record of manifests.inGrace()) {
      if (record.eraseAt === undefined || height < record.eraseAt) continue;
      if (!serves(record)) this.#erase(record, leasesAreOver);
      else {
        // An old revision that could not be erased.
        manifests.keepUntil(record, undefined);
        this.outdated(record);
      }
    }
    if (height - this.#lookedAt < strayBlocks || this.#look !== undefined) return;
    this.#lookedAt = height;
    this.#look = this.#strays().finally(() => {
      this.#look = undefined;
    });
  }

  /** Waits for a look that is under way. */
  async settled(): Promise<void> {
    await this.#look;
  }

  /** After a restart: a manifest goes when each lease that was started from it is over, or had its last one end unseen. */
  async sweep(): Promise<void> {
    const { manifests, journal, serves, endOf } = this.#options;
    const started = journal.leases.all();
    const over = new Map<bigint, Lease | undefined>();
    for (const { lease } of started) {
      const end = await endOf(lease);
      if (end !== undefined) over.set(lease, end.lease);
    }
    for (const record of manifests.list()) {
      if (record.eraseAt !== undefined || serves(record)) continue;
      const own = started.filter((one) => isOf(one, record));
      if (own.some(({ lease }) => !over.has(lease))) continue;
      if (own.length === 0) await this.#stray(record);
      else this.#letGo(record, lastOf(own.map(({ lease }) => over.get(lease))));
    }
    for (const lease of over.keys()) journal.leases.delete(lease);
    this.#allOutdated();
  }

  /** Of every deployment, those too of which nothing was started since. */
  #allOutdated(): void {
    const records = this.#options.manifests.list();
    for (const one of new Map(records.map((record) => [`${record.owner}/${record.dseq}`, record])).values())
      this.outdated(one);
  }

  /** Deliveries that came whole when their lease had ended, and whatever else was never heard of as over. */
  async #strays(): Promise<void> {
    const { manifests, journal, serves, log } = this.#options;
    try {
      this.#allOutdated();
      const started = journal.leases.all();
      const strays = manifests
        .list()
        .filter((record) => record.eraseAt === undefined && !serves(record))
        .filter((record) => !started.some((one) => isOf(one, record)));
      const before = this.#unserved;
      this.#unserved = new Set(strays.map(textOf));
      for (const record of strays) if (before.has(textOf(record))) await this.#stray(record);
    } catch (error) {
      const reason = messageOf(error);
      log.warn({ reason }, 'manifests without a lease cannot be looked for now, they are looked for later');
    }
  }

  /** Nothing was started from it: it goes as its last lease here has ended, or with its deployment. */
  async #stray(record: ManifestRecord): Promise<void> {
    const leases = await this.#leasesOf(record);
    // One that lives is heard of soon. What the list has left out lives on in the worst case.
    if (leases.some(isLive)) return;
    const isOver = leases.length > 0 || (await this.#isClosed(record));
    // Meanwhile a lease may have come.
    if (isOver && !this.#options.serves(record)) this.#letGo(record, lastOf(leases));
  }

  /** This provider's leases of a deployment: a list says which, each is proved. */
  async #leasesOf({ owner, dseq }: DeploymentName): Promise<Lease[]> {
    const { provider } = this.#options;
    const { market } = this.#options.client;
    const listed = await allItems(
      (pagination) => market.leases({ owner, dseq, provider, pagination }),
      ({ leases }) => leases,
    );
    const found = await Promise.all(listed.map(({ number }) => unlessMissing(market.lease({ number }))));
    return found.flatMap((one) => {
      const { lease } = one ?? {};
      return lease?.provider === provider && lease.order?.owner === owner && lease.order.dseq === dseq ? [lease] : [];
    });
  }

  #letGo(record: ManifestRecord, lease: Lease | undefined): void {
    const eraseAt = lease === undefined ? undefined : eraseHeight(lease, this.#options.graceBlocks);
    if (eraseAt === undefined || eraseAt <= this.#height) this.#erase(record, leasesAreOver);
    else this.#options.manifests.keepUntil(record, eraseAt);
  }

  #erase(record: ManifestRecord, why: string): void {
    const { manifests, log } = this.#options;
    const { owner, dseq, revision } = record;
    const of = { owner, dseq: dseq.toString(), revision: revision.toString() };
    try {
      manifests.remove(record);
      log.info(of, `manifest erased, ${why}`);
    } catch (error) {
      const reason = messageOf(error);
      log.error({ ...of, reason }, 'the manifest cannot be erased now, it is tried again with each block');
      manifests.keepUntil(record, this.#height);
    }
  }

  async #isClosed({ owner, dseq }: DeploymentName): Promise<boolean> {
    const found = await unlessMissing(this.#options.client.deployment.deployment({ owner, dseq }));
    return found?.deployment?.state !== DeploymentState.DEPLOYMENT_STATE_ACTIVE;
  }
}

const leasesAreOver = 'its leases are over';

function isOf(one: DeploymentName, other: DeploymentName): boolean {
  return one.owner === other.owner && one.dseq === other.dseq;
}

function lastOf(leases: readonly (Lease | undefined)[]): Lease | undefined {
  return leases.reduce(
    (last, one) => ((one?.closedHeight ?? 0n) >= (last?.closedHeight ?? 0n) ? (one ?? last) : last),
    undefined,
  );
}
