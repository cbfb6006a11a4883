/** What the daemon shows its operator: narrow views of its parts, so that reports can be tried without one. */
import type { Lease } from '@mu/proto/market';
import type { LeaseStatus } from '../api/sources.ts';
import type { Inventory, Resources } from '../bidding/inventory.ts';
import type { ProviderConfig } from '../config/schema.ts';
import type { Identity } from '../identity/identity.ts';
import type { RunningView } from '../leases/lease-runner.ts';
import type { LinkReport } from '../leases/link-keeper.ts';
import type { PeerFigures } from '../peers/figures.ts';
import type { Quantity } from '../usage/counters.ts';
import type { UsageState } from '../usage/report.ts';
import type { WorkloadName } from '../workloads/driver.ts';
import type { FactsKeeper } from './facts.ts';
import type { Tallies } from './tallies.ts';

/** The last block of which the watch has told everything. */
export interface SeenBlock {
  /** 0 before the first */
  readonly height: bigint;
}

export interface OperatorSources {
  readonly config: ProviderConfig;
  readonly identity: () => Identity;
  /** of the account that bids and reports */
  readonly operator: string;
  readonly hostPort: number;
  readonly startedMs: number;
  /** milliseconds since 1970 */
  readonly now: () => number;
  readonly seen: SeenBlock;
  readonly facts: Pick<FactsKeeper, 'get' | 'trouble' | 'toldMs'>;
  readonly tallies: Tallies;
  readonly leases: () => readonly Lease[];
  readonly leaseStatus: (lease: bigint) => LeaseStatus | undefined;
  /** name of the infrastructure of a lease; undefined where the lease is not known */
  readonly infrastructure: (lease: bigint) => string | undefined;
  /** usage on the disk; undefined where there is none */
  readonly usage: (lease: bigint) => UsageState | undefined;
  /** reports that are signed and not known to be taken */
  readonly pendingReports: () => number;
  /** what the data plane counted for a lease since it was first served */
  readonly totals: (lease: bigint) => readonly Quantity[];
  readonly machine: Resources;
  readonly inventory: () => Inventory;
  /** what runs for a lease, or is about to */
  readonly running: (lease: bigint) => RunningView | undefined;
  /** with workloads of other infrastructures, as the data plane was told */
  readonly links: (lease: bigint) => readonly LinkReport[];
  /** leases that the data plane serves. @throws Error while it is away */
  readonly served: () => Promise<readonly string[]>;
  /** what the container driver finds on the machine; none where no containers are offered. @throws WorkloadError */
  readonly foundContainers: () => Promise<readonly WorkloadName[]>;
  /** last block up to which the deployment's leases are funded. @throws ChainError */
  readonly fundedTo: (lease: Lease) => Promise<bigint>;
  /** manifests among participants */
  readonly peers: () => PeerFigures;
  readonly isDraining: () => boolean;
}
