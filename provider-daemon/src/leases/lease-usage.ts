/** What leases use: as the data plane has counted it, what containers have sent, and the bytes that databases store by block. */
import type { Plane } from '../data-plane/plane.ts';
import type { Quantity } from '../usage/counters.ts';
import type { ContainerSpec, ServingWorkload } from '../workloads/driver.ts';
import type { WorkloadSet } from '../workloads/workload-set.ts';
import type { Databases } from './databases.ts';

export interface LeaseUsageOptions {
  readonly plane: Pick<Plane, 'totals' | 'forget'>;
  readonly databases: Pick<Databases, 'storedBytes'>;
}

/** Containers of a lease; undefined where it has none. */
export type CountedContainers = Pick<WorkloadSet<ContainerSpec, ServingWorkload>, 'takeUsage'> | undefined;

/** What of a running lease is counted here. */
export interface CountedWork {
  readonly containers: CountedContainers;
  /** Its databases, by their services' names. */
  readonly databases: readonly string[];
}

export class LeaseUsage {
  readonly #options: LeaseUsageOptions;
  /** of workloads that have stopped, and not yet taken */
  readonly #left = new Map<bigint, Quantity[]>();
  /** of leases that run: the last block whose stored bytes are counted */
  readonly #countedTo = new Map<bigint, bigint>();
  /** Totals of the data plane, as it told them last. */
  #totals = new Map<string, readonly Quantity[]>();

  constructor(options: LeaseUsageOptions) {
    this.#options = options;
  }

  /** Stored bytes count from the block of this height on. */
  started(lease: bigint, height: bigint): void {
    this.#countedTo.set(lease, height);
  }

  /** What its containers have used stays to be taken. */
  stopped(lease: bigint, containers: CountedContainers): void {
    this.#countedTo.delete(lease);
    this.#left.set(lease, [...(this.#left.get(lease) ?? []), ...containerUsage(containers)]);
  }

  /** Asks the data plane for its totals: what `totals` tells from now on. */
  async poll(): Promise<void> {
    const all = await this.#options.plane.totals();
    this.#totals = new Map(
      all.map(({ lease, totals }) => [
        lease,
        totals.map(({ service, metric, total }) => ({ service, metric, quantity: BigInt(total) })),
      ]),
    );
  }

  /** What the data plane counted for a lease since it was first served, as of the last `poll`. */
  totals(lease: bigint): readonly Quantity[] {
    return this.#totals.get(lease.toString()) ?? [];
  }

  /** Leases with totals as of the last `poll`. */
  counted(): string[] {
    return [...this.#totals.keys()];
  }

  /**
   * What else a lease used since the last call, up to the block of this height.
   * @param running undefined where nothing runs for it
   */
  take(lease: bigint, height: bigint, running: CountedWork | undefined): Quantity[] {
    const left = this.#left.get(lease) ?? [];
    this.#left.delete(lease);
    if (running === undefined) return left;
    return [...left, ...containerUsage(running.containers), ...this.#stored(lease, height, running.databases)];
  }

  /** Erases what the data plane has counted for a lease that is over. */
  async forget(lease: bigint): Promise<void> {
    await this.#options.plane.forget(lease.toString());
    this.#totals.delete(lease.toString());
  }

  #stored(lease: bigint, height: bigint, databases: readonly string[]): Quantity[] {
    const countedTo = this.#countedTo.get(lease) ?? height;
    const blocks = height > countedTo ? height - countedTo : 0n;
    this.#countedTo.set(lease, countedTo + blocks);
    return databases.map((service) => {
      const bytes = this.#options.databases.storedBytes(lease, service);
      return { service, metric: 'database-byte-blocks', quantity: bytes * blocks };
    });
  }
}

function containerUsage(containers: CountedContainers): Quantity[] {
  return (containers?.takeUsage() ?? []).map(({ service, used }) => ({
    service,
    metric: 'egress-bytes',
    quantity: used.egressBytes,
  }));
}
