/** How instances have ended by themselves, from how they stand now and stood before. Pure. */
import { memoryEnd } from '../api/instance-watch.ts';
import type { InstanceStatus } from '../workloads/driver.ts';

export interface Ends {
  readonly restarts: number;
  /** among them, at their memory limit */
  readonly memoryKills: number;
}

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
