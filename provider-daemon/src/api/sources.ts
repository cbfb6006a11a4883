/** What the API is given: narrow views of the daemon, so that it can be tried without one. */
import type { ManifestRecord } from '../journal/journal.ts';
import type { ManifestStore } from '../manifests/manifest-store.ts';
import type { DeploymentFacts } from '../manifests/verify-delivery.ts';

/** A lease of this provider as the chain has it. */
export interface LeaseFact {
  readonly lease: bigint;
  readonly owner: string;
  readonly dseq: bigint;
  /** Name of the infrastructure. */
  readonly infrastructure: string;
}

/** What the chain says. Fails when the chain cannot be asked. */
export interface LeaseFacts {
  /** Undefined where the deployment does not exist; `held` is empty where this provider has no live lease of it. */
  deployment(owner: string, dseq: bigint): Promise<DeploymentFacts | undefined>;
  /** Undefined where the lease is not this provider's. */
  lease(number: bigint): Promise<LeaseFact | undefined>;
}

/** What a tenant may know of its lease here. */
export interface LeaseStatus {
  /** Where its workloads stand. */
  readonly work: 'waiting' | 'starting' | 'running' | 'updating' | 'failed' | 'paused';
  /** Revision of the manifest that this is about; 0 before one came. */
  readonly revision: bigint;
  /** Why the last start failed, and of which revision: the one before may run still. */
  readonly reason?: string;
  readonly failedRevision?: bigint;
  readonly endpoints: readonly string[];
}

/** A line of a lease's log. */
export interface LogLine {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly service: string;
  /** What the workload wrote itself, or (`system`) what the provider says about it, or (`request`) a request at the gateway. */
  readonly stream: 'stdout' | 'stderr' | 'system' | 'request';
  readonly line: string;
}

export interface LogSource {
  /** The last `tail` lines; with `follow`, then every new one until the signal. */
  read(
    lease: bigint,
    options: { readonly tail: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<LogLine>;
}

/** What everybody may know. */
export interface PublicStatus {
  readonly height: bigint;
  readonly leases: number;
  readonly services: readonly string[];
  readonly regions: readonly string[];
}

export interface ApiSources {
  readonly facts: LeaseFacts;
  readonly manifests: Pick<ManifestStore, 'begin'>;
  readonly logs: LogSource;
  readonly status: () => PublicStatus;
  /** Undefined where the daemon does not know the lease yet. */
  readonly leaseStatus: (lease: bigint) => LeaseStatus | undefined;
  /** Called after a manifest has been stored, before the user is told so. */
  readonly onManifest: (record: ManifestRecord) => void;
}
