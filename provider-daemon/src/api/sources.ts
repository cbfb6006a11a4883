/** What the API is given: narrow views of the daemon, so that it can be tried without one. */
import type { TenantScope } from '@mu/client/tenant/delegation';
import type { ManifestRecord } from '../journal/journal.ts';
import type { ManifestStore } from '../manifests/manifest-store.ts';
import type { DeploymentFacts } from '../manifests/verify-delivery.ts';
import type { Quantity } from '../usage/counters.ts';
import type { ExecRequest, ExecSession, InstanceMetrics, InstanceStatus, LogStream } from '../workloads/driver.ts';
import type { LeaseEvent } from './lease-events.ts';

/** A lease of this provider as the chain has it. */
export interface LeaseFact {
  readonly lease: bigint;
  readonly owner: string;
  readonly dseq: bigint;
  /** Name of the infrastructure. */
  readonly infrastructure: string;
  /** It is not over. */
  readonly live: boolean;
}

/** A key that acts like the owner of a deployment towards providers. */
export interface AccessKeyFact {
  /** Compressed P-256 point, 33 bytes. */
  readonly publicKey: Uint8Array;
  readonly scopes: readonly TenantScope[];
  /** The last block at which it holds; 0 for no end. */
  readonly expiresHeight: bigint;
}

/** What the chain says. Fails when the chain cannot be asked. */
export interface LeaseFacts {
  /** Undefined where the deployment does not exist; `held` is empty where this provider has no live lease of it. */
  deployment(owner: string, dseq: bigint): Promise<DeploymentFacts | undefined>;
  /** Undefined where the lease is not this provider's. */
  lease(number: bigint): Promise<LeaseFact | undefined>;
  /** Of a deployment; none where it does not exist. */
  accessKeys(owner: string, dseq: bigint): Promise<readonly AccessKeyFact[]>;
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
  /** Providers that gave something of this revision's manifest; none: its user gave all. Absent where that is not known. */
  readonly manifestFrom?: readonly string[];
  readonly endpoints: readonly string[];
}

/** What the provider says about a start or an update that goes on, or about the last one. */
export interface ProgressLine {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly service: string;
  readonly line: string;
}

export type ServiceKind = 'container' | 'function' | 'gateway' | 'database';

/** A service of a lease, and how its instances stand. */
export interface ServiceStatus {
  readonly service: string;
  readonly kind: ServiceKind;
  /** Of functions one, while they are served; of gateways and databases none. */
  readonly instances: readonly Omit<InstanceStatus, 'address'>[];
}

export interface ServiceMetrics {
  readonly service: string;
  readonly kind: ServiceKind;
  /** Thousandths of a core that an instance may take; absent where nothing bounds it by itself. */
  readonly cpuMillis?: number;
  /** Of an instance. */
  readonly memoryLimitBytes?: number;
  /** Of all volumes of an instance. */
  readonly diskLimitBytes?: number;
  readonly instances: readonly InstanceMetrics[];
}

/** What was counted for the bill and is not on the chain yet. */
export interface LeaseUsage {
  /** The last block that reports on the chain cover. */
  readonly reportedTo: bigint;
  readonly unreported: readonly Quantity[];
}

/** What runs for a lease. */
export interface LeaseInside {
  services(lease: bigint): readonly ServiceStatus[];
  /** @throws WorkloadError where the machine cannot tell */
  metrics(lease: bigint): Promise<readonly ServiceMetrics[]>;
  usage(lease: bigint): LeaseUsage | undefined;
  /** @throws WorkloadError `invalid` where there is nothing to run a command in, `busy` beyond the limits */
  exec(lease: bigint, service: string, request: ExecRequest): Promise<ExecSession>;
}

/** A line of a lease's log. */
export interface LogLine {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly service: string;
  /** What the workload wrote itself, or (`system`) what the provider says about it, or (`request`) a request at the gateway. */
  readonly stream: LogStream;
  readonly line: string;
}

/** Numbered in the order of writing, over restarts of the provider too; a gap where lines were lost. */
export type NumberedLine = LogLine & { readonly seq: number };

export interface LogRead {
  /** The last so many of those that match; all that are kept where absent. */
  readonly tail?: number;
  /** Lines behind this number. */
  readonly after?: number;
  /** Lines from this time on, in milliseconds since 1970. */
  readonly sinceMs?: number;
  /** Of this service alone. */
  readonly service?: string;
  /** Of these streams alone. */
  readonly streams?: readonly LogStream[];
  /** Go on with every new one, until the signal or the end of the lease. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

export interface LogSource {
  read(lease: bigint, options: LogRead): AsyncIterable<NumberedLine>;
}

export interface TimedEvent {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly event: LeaseEvent;
}

export type NumberedEvent = TimedEvent & { readonly seq: number };

export interface EventRead {
  /** Events behind this number; 0 for all that are kept. */
  readonly after: number;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

export interface EventSource {
  read(lease: bigint, options: EventRead): AsyncIterable<NumberedEvent>;
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
  readonly events: EventSource;
  readonly inside: LeaseInside;
  /** The lines of the last start or update. */
  readonly progress: (lease: bigint) => readonly ProgressLine[];
  readonly status: () => PublicStatus;
  /** Undefined where the daemon does not know the lease yet. */
  readonly leaseStatus: (lease: bigint) => LeaseStatus | undefined;
  /** Called after a manifest has been stored, before the user is told so. */
  readonly onManifest: (record: ManifestRecord) => void;
}
