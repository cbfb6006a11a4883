/** What the parts of the container driver share. */
import type { Networks } from '../../network/networks.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import type { OnLeave, WorkloadLog } from '../driver.ts';
import type { Clock } from './clock.ts';
import type { Devices } from './devices.ts';
import type { Engine } from './engine.ts';
import type { Probe } from './health.ts';
import type { Images } from './images.ts';
import type { Marks } from './marks.ts';
import type { MountedFiles } from './mounted-files.ts';
import type { ResolverFiles } from './resolver-files.ts';

/** How long a version may take, in ms. */
export interface Patience {
  /** Until a new instance must be ready. */
  readonly readyMs: number;
  /** Without a health check: so long it must run to count as one that came up. */
  readonly settleMs: number;
  /** Instances that end so often while they start have not come up. */
  readonly maxEnds: number;
}

export const defaultPatience: Patience = { readyMs: 60_000, settleMs: 2_000, maxEnds: 3 };

export interface ContainerParts {
  readonly engine: Engine;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly images: Images;
  readonly devices: Devices;
  readonly marks: Marks;
  readonly resolverFiles: ResolverFiles;
  readonly mountedFiles: MountedFiles;
  readonly clock: Clock;
  readonly probe: Probe;
  readonly log: WorkloadLog;
  readonly onLeave: OnLeave;
  /** This provider among those that share the engine. */
  readonly provider: string;
  /** Commands of tenants, of all workloads. */
  readonly execs: { running: number };
  readonly patience: Patience;
  /** The kernel knows IPv6. */
  readonly hasIpv6: boolean;
  /** Since when the engine has not answered, in ms since 1970. */
  readonly engineGoneSinceMs: () => number | undefined;
}
