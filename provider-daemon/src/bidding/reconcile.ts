/** Compares what the leases say should run with what the drivers find running. Pure. */
import type { WorkloadName } from '../workloads/driver.ts';

/** A lease that lives here. */
export interface ExpectedLease {
  readonly lease: bigint;
  /** false while its manifest is waited for, or it is out of funds: then nothing of it has to run, though it may */
  readonly runs: boolean;
  /** services that its manifest names, where they are known; without them any workload of the lease counts */
  readonly services?: readonly string[];
}

export interface Difference {
  /** `stray`: runs without a lease. `missing`: should run and does not. */
  readonly kind: 'stray' | 'missing';
  readonly lease: string;
  readonly service: string;
  /** in words */
  readonly text: string;
}

/** What differs, strays first; none: all is as it should be. @param running of all drivers */
export function reconcile(leases: readonly ExpectedLease[], running: readonly WorkloadName[]): Difference[] {
  const known = new Map(leases.map((one) => [`${one.lease}`, one]));
  const strays = running.flatMap(({ deployment, service }): Difference[] => {
    const own = known.get(deployment);
    if (own === undefined) {
      const text = `${service} of lease ${deployment} runs, but no such lease lives here`;
      return [{ kind: 'stray', lease: deployment, service, text }];
    }
    if (own.services === undefined || own.services.includes(service)) return [];
    const text = `${service} of lease ${deployment} runs, but its manifest names no such service`;
    return [{ kind: 'stray', lease: deployment, service, text }];
  });
  return [...strays, ...leases.flatMap((lease) => missingOf(lease, running))];
}

function missingOf({ lease, runs, services }: ExpectedLease, running: readonly WorkloadName[]): Difference[] {
  if (!runs) return [];
  const found = running.filter(({ deployment }) => deployment === `${lease}`).map(({ service }) => service);
  if (services === undefined) {
    if (found.length > 0) return [];
    return [{ kind: 'missing', lease: `${lease}`, service: '', text: `nothing of lease ${lease} runs` }];
  }
  return services
    .filter((service) => !found.includes(service))
    .map((service) => ({
      kind: 'missing',
      lease: `${lease}`,
      service,
      text: `${service} of lease ${lease} should run and does not`,
    }));
}
