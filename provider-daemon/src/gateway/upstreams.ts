/** Where the instances of a workload answer; the port is the route's. */

/** One instance. */
export interface UpstreamInstance {
  /** IP address that this process can reach. */
  readonly address: string;
  /** Only ready ones are given requests. */
  readonly ready: boolean;
}

/** The instances of one workload. They are read at each request: whoever steers the gateway changes them as they change. */
export interface UpstreamPool {
  readonly instances: readonly UpstreamInstance[];
}
