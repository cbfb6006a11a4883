/** The containers' side of the machine with a look at the workloads that were started: their instances, and how these end. */
import type { ContainerHost, Containers } from '../leases/container-host.ts';
import type { InstanceStatus, ServingWorkload, WorkloadName } from '../workloads/driver.ts';
import { watchCalls } from './watch-calls.ts';

/** How instances have ended by themselves. */
export interface Ends {
  readonly restarts: number;
  /** among them, at their memory limit */
  readonly memoryKills: number;
}

/** What drivers say of an instance that was killed at its limit (InstanceStatus.lastEnd). */
const memoryEnd = 'killed at its memory limit';

/** Restarts between two looks. An instance that was replaced begins at 0 again: that is no restart. */
export function endsBetween(before: readonly InstanceStatus[], after: readonly InstanceStatus[]): Ends {
  const known = new Map(before.map(({ index, restarts }) => [index, restarts]));
  let [restarts, memoryKills] = [0, 0];
  for (const one of after) {
    const more = Math.max(0, one.restarts - (known.get(one.index) ?? 0));
    restarts += more;
    // Of several ends between two looks only the last one is told.
    if (more > 0 && one.lastEnd === memoryEnd) memoryKills += 1;
  }
  return { restarts, memoryKills };
}

interface Watched {
  readonly name: WorkloadName;
  readonly workload: ServingWorkload;
  status: readonly InstanceStatus[];
  stopListening: () => void;
}

export class WatchedContainers implements Pick<Containers, 'host' | 'here'> {
  readonly #containers: Pick<Containers, 'host' | 'here'>;
  readonly #onEnds: (ends: Ends) => void;
  readonly #hosts = new WeakSet<ContainerHost>();
  readonly #workloads = new Map<string, Watched>();

  constructor(containers: Pick<Containers, 'host' | 'here'>, onEnds: (ends: Ends) => void) {
    this.#containers = containers;
    this.#onEnds = onEnds;
  }

  host(): ContainerHost {
    return this.#watched(this.#containers.host());
  }

  get here(): ContainerHost | undefined {
    const host = this.#containers.here;
    return host && this.#watched(host);
  }

  /** Workloads that were started here and have not ended, by lease. */
  workloads(): ReadonlyMap<string, readonly ServingWorkload[]> {
    const byLease = new Map<string, ServingWorkload[]>();
    for (const [key, { name, workload }] of this.#workloads) {
      if (isOver(workload.status())) {
        this.#forget(key);
        continue;
      }
      byLease.set(name.deployment, [...(byLease.get(name.deployment) ?? []), workload]);
    }
    return byLease;
  }

  #watched(host: ContainerHost): ContainerHost {
    if (this.#hosts.has(host)) return host;
    this.#hosts.add(host);
    watchCalls(host.driver, 'start', { done: (workload) => this.#watch(workload) });
    return host;
  }

  #watch(workload: ServingWorkload): void {
    const { deployment, service } = workload.spec;
    const key = `${deployment}/${service}`;
    const known = this.#workloads.get(key);
    if (known?.workload === workload) return;
    known?.stopListening();
    const watched: Watched = {
      name: { deployment, service },
      workload,
      // What ended before it was taken over is not counted again after a restart of the daemon.
      status: workload.status(),
      stopListening: workload.onChange(() => this.#changed(watched)),
    };
    this.#workloads.set(key, watched);
  }

  #changed(watched: Watched): void {
    const now = watched.workload.status();
    const ends = endsBetween(watched.status, now);
    watched.status = now;
    if (ends.restarts > 0) this.#onEnds(ends);
  }

  #forget(key: string): void {
    this.#workloads.get(key)?.stopListening();
    this.#workloads.delete(key);
  }
}

/** A stopped workload has no instances, or only ended ones. One that has just begun may have none yet: it is not known here. */
function isOver(status: readonly InstanceStatus[]): boolean {
  return status.every(({ state }) => state === 'ended');
}
