/** The instances of workloads, as the data plane is told of them. */

import type { Plane, ServedWorkload } from '../data-plane/plane.ts';
import type { UpstreamInstance } from '../gateway/upstreams.ts';
import type { InstanceStatus, OnLeave, ServingWorkload } from '../workloads/driver.ts';

/** By their services' names. */
export function servedWorkloads(containers: ReadonlyMap<string, ServingWorkload>): ServedWorkload[] {
  return [...containers].map(([service, workload]) => ({ service, instances: upstreamsOf(workload.status()) }));
}

/**
 * Has the data plane turn to those that stay, and waits until those that go have answered what they are asked.
 * @param onTrouble told where the data plane could not be asked: what leaves then leaves at once
 */
export function drainedBy(
  plane: Pick<Plane, 'place' | 'drain'>,
  onTrouble: (lease: bigint, error: unknown) => void,
): OnLeave {
  return async ({ deployment, service }, { staying, leaving }) => {
    try {
      if (staying.length > 0) await plane.place(deployment, [{ service, instances: upstreamsOf(staying) }]);
      await plane.drain(deployment, leaving);
    } catch (error) {
      onTrouble(BigInt(deployment), error);
    }
  };
}

const upstreamsOf = (status: readonly InstanceStatus[]): UpstreamInstance[] =>
  status.flatMap(({ address, state }) => (address === undefined ? [] : [{ address, ready: state === 'ready' }]));
