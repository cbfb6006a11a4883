/**
 * What runs a workload (design §7). One interface for every way of running: WASI functions in sandbox processes, and
 * containers; test/workloads/driver-compliance.ts holds each driver to it.
 *
 * Life of a workload: `start` checks the spec whole and makes it ready to answer, or takes over what runs of it already →
 * `update`, which leaves the old version in place where the new one does not come up → `stop`. What outlives the daemon
 * is told by `found`, and ended by `remove` when no lease wants it. Whatever a workload does, it never takes more memory
 * than it leased, time past its limit, or a path of the host.
 */

/** What keeps workloads apart on one provider. */
export interface WorkloadName {
  /** The lease's number, as text. */
  readonly deployment: string;
  /** Name of the service in its stack. */
  readonly service: string;
}

interface CommonSpec extends WorkloadName {
  /** Limit in bytes; of each instance. */
  readonly memoryBytes: number;
  /** The stack's own environment; the caller's variables stand above it. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A WASI function: an instance of it answers one call at a time. */
export interface FunctionSpec extends CommonSpec {
  readonly artifact: { readonly kind: 'wasm'; readonly bytes: Uint8Array };
  /** Longest running time of one call; 30 s where it is left out. */
  readonly timeoutMs?: number;
}

/** Where an image comes from. */
export type ImageSource =
  /** From its registry, `name@sha256:…`; the credentials are the tenant's. */
  | {
      readonly from: 'registry';
      readonly reference: string;
      readonly credentials?: { readonly username: string; readonly password: string };
    }
  /** An OCI or Docker archive on this machine, which came with the manifest. */
  | { readonly from: 'archive'; readonly path: string; readonly name: string };

export interface ContainerPort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** A disk of fixed size that survives restarts and updates; each instance has its own. */
export interface VolumeSpec {
  readonly name: string;
  /** Where it is mounted: absolute. */
  readonly path: string;
  readonly bytes: number;
}

/** A file of the manifest that stands, read-only, in each instance. */
export interface MountedFile {
  /** Where it is mounted: absolute. */
  readonly path: string;
  /** On this machine, verified; another one for each version, though its content is the same. */
  readonly source: string;
  /** Of its content, hex. */
  readonly sha256: string;
}

/** Containers of one image: long-running programs with ports. */
export interface ContainerSpec extends CommonSpec {
  readonly artifact: { readonly kind: 'image'; readonly image: ImageSource };
  /** Thousandths of a core; of each instance. */
  readonly cpu: number;
  readonly count: number;
  /** Instead of the image's own command. */
  readonly command?: readonly string[];
  /** `uid[:gid]`, not 0; the image's own where it is numeric and not 0, else nobody's. */
  readonly user?: string;
  readonly ports: readonly ContainerPort[];
  readonly egress: 'none' | 'public';
  readonly volumes: readonly VolumeSpec[];
  readonly files?: readonly MountedFile[];
  /** Of each instance, for it alone, all from equal ones; empty names match any. */
  readonly gpu?: { readonly count: number; readonly vendor: string; readonly model: string };
  /** An instance is healthy while it answers 2xx or 3xx here; without one, while it runs. */
  readonly health?: { readonly path: string; readonly port: number; readonly intervalMs: number };
  /** Names that the instances can resolve beside their own, by our resolver: `db` → `db.mu.internal`. */
  readonly peers?: readonly string[];
}

/** One service of one lease, as its manifest describes it. */
export type WorkloadSpec = FunctionSpec | ContainerSpec;
export type Artifact = WorkloadSpec['artifact'];

/** One call of a function. The body is complete: CGI states its length before it begins. */
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
  /** Bytes sent to public addresses; 0 where a workload has no way out. */
  readonly egressBytes: bigint;
}

/** How an instance stands: `ready` ones are given work. */
export type InstanceState = 'starting' | 'ready' | 'unhealthy' | 'backing_off' | 'ended';

export interface InstanceStatus {
  /** From 0. */
  readonly index: number;
  readonly state: InstanceState;
  /** How often it ended by itself and was started again, under this spec. */
  readonly restarts: number;
  /** Why it ended last: `exit code 3`, `killed at its memory limit`, … */
  readonly lastEnd?: string;
  /** Where it is reached from this machine; a function's has none. */
  readonly address?: string;
  /** What is to be known beside: `the container engine has not answered since …`. */
  readonly note?: string;
}

/** What an instance takes now. */
export interface InstanceMetrics {
  readonly index: number;
  /** Since its start, in µs. */
  readonly cpuMicros: bigint;
  readonly memoryBytes: bigint;
  readonly receivedBytes: bigint;
  readonly sentBytes: bigint;
  /** On its volumes. */
  readonly diskBytes: bigint;
}

/** A workload that has been started. */
export interface Workload {
  /** As it runs: after an update that failed still the old one. */
  readonly spec: WorkloadSpec;
  status(): readonly InstanceStatus[];
  metrics(): Promise<readonly InstanceMetrics[]>;
  /** All of it since the start. */
  usage(): WorkloadUsage;
  /** What was used since the last call of this method: nothing is given twice or lost between two. */
  takeUsage(): WorkloadUsage;
  /**
   * Runs another version, or another number of instances, in place: each instance is replaced once the new one is ready.
   * @throws WorkloadError `invalid`, or `unhealthy` where the new version did not come up; then the old one runs on
   */
  update(spec: WorkloadSpec): Promise<void>;
  /** Ends running calls with `stopped`; what they used is counted. Volumes stay. May be called again. */
  stop(): Promise<void>;
}

/** A workload that is called: a function. */
export interface CallableWorkload extends Workload {
  /** @throws WorkloadError when the call did not run to its end */
  invoke(invocation: Invocation, output: OutputSink): Promise<InvocationResult>;
}

/** A terminal, or a command with plain pipes, inside an instance. */
export interface ExecRequest {
  readonly instance: number;
  readonly command: readonly string[];
  readonly tty: boolean;
}

export interface ExecSession {
  /** What the command writes; with a terminal all of it is `stdout`. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly chunk: Uint8Array }>;
  write(chunk: Uint8Array): Promise<void>;
  /** No more input. */
  end(): void;
  resize(columns: number, rows: number): Promise<void>;
  readonly exitCode: Promise<number>;
  /** Ends the command. */
  close(): void;
}

/** A workload with ports of its own: containers. */
export interface ServingWorkload extends Workload {
  /** @throws WorkloadError `invalid` where the instance or the command does not exist, `busy` beyond the sessions' limit */
  exec(request: ExecRequest): Promise<ExecSession>;
  /** Called at each change of `status()`. Returns how to stop listening. */
  onChange(listener: () => void): () => void;
}

export interface WorkloadDriver<S extends WorkloadSpec = WorkloadSpec, W extends Workload = Workload> {
  /** Of this driver, for logs. */
  readonly name: string;
  /** Kinds of artifact that it runs. */
  readonly artifacts: readonly Artifact['kind'][];
  /**
   * Checks a spec without running anything.
   * @throws WorkloadError `invalid` with what is wrong
   */
  check(spec: S): void;
  /**
   * Starts a workload. One that runs under this name already is taken over where its spec is the same, else updated.
   * @throws WorkloadError `invalid`, `unhealthy` where it does not come up, or `failed` where the host could not start it
   */
  start(spec: S): Promise<W>;
  /** What this driver finds on the machine from before, whoever started it: after a restart of the daemon. */
  found(): Promise<readonly WorkloadName[]>;
  /** Ends and removes what `found` tells and no lease wants; volumes stay. */
  remove(name: WorkloadName): Promise<void>;
  /** Lets go. What can outlive the daemon runs on; the rest is stopped, and no process of it is left. */
  close(): Promise<void>;
}

/**
 * Instances of a workload are about to be ended: others stand in their place, or fewer are wished. They end when it resolves.
 * @param of `staying`: how the others stand; `leaving`: addresses of those that go
 */
export type OnLeave = (
  workload: WorkloadName,
  of: { readonly staying: readonly InstanceStatus[]; readonly leaving: readonly string[] },
) => Promise<void>;

export type LogStream = 'stdout' | 'stderr' | 'system' | 'request';

/** A line of a service's log: what it wrote itself, what the provider says about it (`system`), or a request it answered. */
export type WorkloadLog = (workload: WorkloadName, stream: LogStream, line: string, event?: WorkloadEvent) => void;

/** What a line of `system` says, for programs: an image that had to be fetched or loaded is here. */
export interface WorkloadEvent {
  readonly type: 'image-pulled';
  readonly image: string;
}

/**
 * `invalid`: cannot run as it is. `image`: the image cannot be had, or is too large. `unhealthy`: started, but does not
 * come up. `busy`: no room now, try again. `time_limit`, `memory`, `trap`: the call's own doing. `stopped`: the workload
 * ended meanwhile. `canceled`: the caller went before it ran. `failed`: the host's doing.
 */
export type WorkloadFailure =
  | 'invalid'
  | 'image'
  | 'unhealthy'
  | 'busy'
  | 'time_limit'
  | 'memory'
  | 'trap'
  | 'stopped'
  | 'canceled'
  | 'failed';

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
