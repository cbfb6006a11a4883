/** When manifests go: with the last lease of their deployment here, or some blocks after it, so that peers may take them. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import { DeploymentState } from '@mu/proto/deployment';
import { CloseReason, type Lease, LeaseState } from '@mu/proto/market';
import type { Logger } from 'pino';
import type { Journal } from '../journal/journal.ts';
import type { ManifestRecord, ManifestStore } from '../manifests/manifest-store.ts';

type DeploymentName = Pick<ManifestRecord, 'owner' | 'dseq'>;

export interface ManifestEndsOptions {
  readonly client: ChainClient;
  readonly journal: Pick<Journal, 'leases'>;
  readonly manifests: Pick<ManifestStore, 'list' | 'remove' | 'keepUntil' | 'inGrace'>;
  /** Blocks; 0: manifests go at once. */
  readonly graceBlocks: bigint;
  /** Whether a lease of the deployment lives here. */
  readonly serves: (deployment: DeploymentName) => boolean;
  /** What became of a lease: undefined while it lives here; its record where the chain has one of this provider. */
  readonly endOf: (lease: bigint) => Promise<{ readonly lease: Lease | undefined } | undefined>;
  readonly log: Logger;
}

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
    if (serves(deployment)) return;
    for (const record of manifests.list()) if (isOf(record, deployment)) this.#letGo(record, lease);
  }

  /** A block: erases those whose time is over. */
  height(height: bigint): void {
    for (const record of this.#options.manifests.inGrace()) {
      if (record.eraseAt !== undefined && height >= record.eraseAt && !this.#options.serves(record))
        this.#erase(record);
    }
  }

  /**
   * After a restart: a manifest goes when each lease that was started from it is over; one of which nothing was started may
   * still be for a lease to come, and goes with its deployment.
   */
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
      if (own.length === 0 && !(await this.#isClosed(record))) continue;
      this.#letGo(record, lastOf(own.map(({ lease }) => over.get(lease))));
    }
    for (const lease of over.keys()) journal.leases.delete(lease);
  }

  #letGo(record: ManifestRecord, lease: Lease | undefined): void {
    const eraseAt = lease === undefined ? undefined : eraseHeight(lease, this.#options.graceBlocks);
    if (eraseAt === undefined) this.#erase(record);
    else this.#options.manifests.keepUntil(record, eraseAt);
  }

  #erase(record: ManifestRecord): void {
    const { manifests, log } = this.#options;
    manifests.remove(record);
    const { owner, dseq, revision } = record;
    const of = { owner, dseq: dseq.toString(), revision: revision.toString() };
    log.info(of, 'manifest erased, its leases are over');
  }

  async #isClosed({ owner, dseq }: DeploymentName): Promise<boolean> {
    const found = await unlessMissing(this.#options.client.deployment.deployment({ owner, dseq }));
    return found?.deployment?.state !== DeploymentState.DEPLOYMENT_STATE_ACTIVE;
  }
}

function isOf(one: DeploymentName, other: DeploymentName): boolean {
  return one.owner === other.owner && one.dseq === other.dseq;
}

function lastOf(leases: readonly (Lease | undefined)[]): Lease | undefined {
  return leases.reduce(
    (last, one) => ((one?.closedHeight ?? 0n) >= (last?.closedHeight ?? 0n) ? (one ?? last) : last),
    undefined,
  );
}
