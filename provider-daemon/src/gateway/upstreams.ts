/** Where the instances of a workload answer. */

/** One instance's port. */
export interface UpstreamInstance {
  /** IP address that this process can reach. */
  readonly address: string;
  readonly port: number;
  /** Only ready ones are given requests. */
  readonly ready: boolean;
}

/** The instances of one workload. They are read at each request: whoever steers the gateway changes them as they change. */
export interface UpstreamPool {
  readonly instances: readonly UpstreamInstance[];
}
