/**
 * What runs a workload (design §7). One interface for every way of running: WASI functions in sandbox processes, and
 * later containers; test/workloads/driver-compliance.ts holds each driver to it.
 *
 * Life of a workload: `start` checks the spec whole and makes it ready to answer → `invoke`, many times and at once →
 * `stop`. Whatever a workload does, it never takes more memory than it leased, time past its limit, or a path of the host.
 */

/** What a workload is made from. */
export type Artifact = { readonly kind: 'wasm'; readonly bytes: Uint8Array };

/** One service of one deployment, as its manifest describes it. */
export interface WorkloadSpec {
  /** What keeps deployments apart, unique on this provider: the deployment's label. */
  readonly deployment: string;
  /** Name of the service in its stack. */
  readonly service: string;
  readonly artifact: Artifact;
  /** Limit in bytes. */
  readonly memoryBytes: number;
  /** Longest running time of one call; 30 s where it is left out. */
  readonly timeoutMs?: number;
  /** The stack's own environment; the caller's variables stand above it. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Whose log line or usage it is. */
export type WorkloadName = Pick<WorkloadSpec, 'deployment' | 'service'>;

/** One call. The body is complete: CGI states its length before it begins. */
export interface Invocation {
  /** The first is the program's own name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** The caller is gone: a call that still waits is dropped, one that runs is finished and billed. */
  readonly signal?: AbortSignal;
}

/** Receives stdout as it comes. A promise holds the workload back until it resolves. */
export type OutputSink = (chunk: Uint8Array) => Promise<void> | undefined;

export interface InvocationResult {
  readonly exitCode: number;
  /** Time that the workload ran, waiting for its turn not included. */
  readonly runMicros: number;
}

/** What was used; never falls while the workload lives. */
export interface WorkloadUsage {
  readonly invocations: bigint;
  /** Σ over calls of ⌈memory limit in MiB × running time in ms⌉, the time measured in µs. */
  readonly megabyteMilliseconds: bigint;
}

/** A workload that can be called. */
export interface Workload {
  readonly spec: WorkloadSpec;
  /** @throws WorkloadError when the call did not run to its end */
  invoke(invocation: Invocation, output: OutputSink): Promise<InvocationResult>;
  /** All of it since the start. */
  usage(): WorkloadUsage;
  /** What was used since the last call of this method: nothing is given twice or lost between two. */
  takeUsage(): WorkloadUsage;
  /** Ends running calls with `stopped`; what they used is counted. May be called again. */
  stop(): Promise<void>;
}

export interface WorkloadDriver {
  /** Of this driver, for logs. */
  readonly name: string;
  /** Kinds of artifact that it runs. */
  readonly artifacts: readonly Artifact['kind'][];
  /**
   * Checks a spec without running anything.
   * @throws WorkloadError `invalid` with what is wrong
   */
  check(spec: WorkloadSpec): void;
  /** @throws WorkloadError `invalid`, or `failed` where the host could not start it */
  start(spec: WorkloadSpec): Promise<Workload>;
  /** Stops every workload and leaves no process behind. */
  close(): Promise<void>;
}

export type LogStream = 'stderr' | 'system' | 'request';

/** A line of a service's log: what it wrote itself, what the provider says about it (`system`), or a request it answered. */
export type WorkloadLog = (workload: WorkloadName, stream: LogStream, line: string) => void;

/**
 * `invalid`: cannot run as it is. `busy`: no room now, try again. `time_limit`, `memory`, `trap`: the call's own doing.
 * `stopped`: the workload ended meanwhile. `canceled`: the caller went before it ran. `failed`: the host's doing.
 */
export type WorkloadFailure = 'invalid' | 'busy' | 'time_limit' | 'memory' | 'trap' | 'stopped' | 'canceled' | 'failed';

export class WorkloadError extends Error {
  readonly reason: WorkloadFailure;

  constructor(reason: WorkloadFailure, message: string) {
    super(message);
    this.name = 'WorkloadError';
    this.reason = reason;
  }
}

/** Running time of a call where a spec does not say. */
export const defaultTimeoutMs = 30_000;
