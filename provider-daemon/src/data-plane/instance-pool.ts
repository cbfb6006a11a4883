/** The instances of one workload, as the daemon told them last. */
import type { UpstreamInstance, UpstreamPool } from '../gateway/upstreams.ts';

export class InstancePool implements UpstreamPool {
  instances: readonly UpstreamInstance[] = [];
}
