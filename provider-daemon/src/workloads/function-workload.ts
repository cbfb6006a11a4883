/** One function: its instances, each a sandbox process that runs one call at a time, and the calls that wait for one. */
import { isCgiName } from './cgi-names.ts';
import {
  type CallableWorkload,
  defaultTimeoutMs,
  type FunctionSpec,
  type InstanceMetrics,
  type InstanceStatus,
  type Invocation,
  type InvocationResult,
  type OutputSink,
  WorkloadError,
  type WorkloadLog,
  type WorkloadUsage,
} from './driver.ts';
import { LineSplitter } from './line-splitter.ts';
import { processMetrics } from './process-metrics.ts';
import type { SandboxPool } from './sandbox-pool.ts';
import type { CallOutcome, SandboxProcess } from './sandbox-process.ts';
import { UsageMeter } from './usage-meter.ts';

export interface FunctionLimits {
  /** Processes of one function at most. */
  readonly maxInstances: number;
  /** Calls that wait at most; one more is `busy`. */
  readonly maxQueued: number;
  /** A call that has waited so long is `busy`. */
  readonly maxQueuedMs: number;
  /** An instance that had nothing to do for so long is ended; the next call takes a warm process again. */
  readonly idleMs: number;
  /** An instance is replaced after so many calls: the engine keeps some 150 KB of each. */
  readonly maxCalls: number;
}

/** A function as it stands after a start or an update. */
export interface FunctionVersion {
  readonly spec: FunctionSpec;
  /** The spec's, its memory limited. */
  readonly module: Uint8Array;
}

interface Instance {
  readonly process: SandboxProcess;
  readonly version: FunctionVersion;
  busy: boolean;
  calls: number;
  /** `leaving`: another is made ready in its place; `retired`: that one serves. */
  state: 'serving' | 'leaving' | 'retired';
  idleTimer: NodeJS.Timeout | undefined;
}

interface Waiting {
  readonly invocation: Invocation;
  readonly output: OutputSink;
  readonly settle: PromiseWithResolvers<InvocationResult>;
  /** Takes away its timer and its listener. */
  readonly leave: () => void;
}

const stopped = () => new WorkloadError('stopped', 'the function has been stopped');

export interface FunctionOptions {
  readonly pool: SandboxPool;
  readonly limits: FunctionLimits;
  readonly log: WorkloadLog;
  /** Checks a spec and limits its module. @throws WorkloadError `invalid` */
  readonly versionOf: (spec: FunctionSpec) => FunctionVersion;
  readonly onStop: () => void;
}

export class FunctionWorkload implements CallableWorkload {
  #version: FunctionVersion;
  readonly #versionOf: FunctionOptions['versionOf'];
  readonly #pool: SandboxPool;
  readonly #limits: FunctionLimits;
  readonly #log: WorkloadLog;
  readonly #onStop: () => void;
  readonly #meter = new UsageMeter();
  readonly #instances = new Set<Instance>();
  readonly #queue: Waiting[] = [];
  #starting = 0;
  #stopped = false;

  /** @throws WorkloadError `invalid` */
  constructor(spec: FunctionSpec, options: FunctionOptions) {
    this.#version = options.versionOf(spec);
    this.#versionOf = options.versionOf;
    this.#pool = options.pool;
    this.#limits = options.limits;
    this.#log = options.log;
    this.#onStop = options.onStop;
  }

  get spec(): FunctionSpec {
    return this.#version.spec;
  }

  /** Makes the first instance ready. @throws WorkloadError */
  async start(): Promise<void> {
    await this.#addInstance(this.#version);
  }

  /** Calls under way end in the old version; from the first instance of the new one on, all others go there. */
  async update(spec: FunctionSpec): Promise<void> {
    if (this.#stopped) throw stopped();
    const version = this.#versionOf(spec);
    const before = [...this.#instances];
    try {
      await this.#addInstance(version);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new WorkloadError('unhealthy', `the new version of ${spec.service} does not start: ${why}`);
    }
    this.#version = version;
    for (const instance of before) this.#retire(instance);
  }

  status(): InstanceStatus[] {
    const instances = [...this.#instances].filter(({ state }) => state !== 'retired');
    return instances.map((_instance, index) => ({ index, state: 'ready', restarts: 0 }));
  }

  async metrics(): Promise<InstanceMetrics[]> {
    const found = await Promise.all([...this.#instances].map(({ process }) => processMetrics(process.pid)));
    return found.flatMap((metrics, index) => (metrics === undefined ? [] : [{ index, ...metrics }]));
  }

  invoke(invocation: Invocation, output: OutputSink): Promise<InvocationResult> {
    if (this.#stopped) return Promise.reject(stopped());
    if (invocation.signal?.aborted === true) return Promise.reject(canceled());
    const hasRoom = this.#queue.length < this.#limits.maxQueued || this.#idle() !== undefined;
    if (!hasRoom) {
      return Promise.reject(new WorkloadError('busy', `${this.#queue.length} calls are waiting already`));
    }
    const settle = Promise.withResolvers<InvocationResult>();
    const drop = (error: WorkloadError) => {
      const at = this.#queue.findIndex((other) => other.settle === settle);
      if (at < 0) return;
      this.#queue.splice(at, 1)[0]!.leave();
      settle.reject(error);
    };
    const onAbort = () => drop(canceled());
    const timer = setTimeout(() => {
      drop(new WorkloadError('busy', `no instance was free for ${this.#limits.maxQueuedMs} ms`));
    }, this.#limits.maxQueuedMs);
    invocation.signal?.addEventListener('abort', onAbort, { once: true });
    const leave = () => {
      clearTimeout(timer);
      invocation.signal?.removeEventListener('abort', onAbort);
    };
    this.#queue.push({ invocation, output, settle, leave });
    this.#pump();
    return settle.promise;
  }

  usage(): WorkloadUsage {
    return this.#meter.total();
  }

  takeUsage(): WorkloadUsage {
    return this.#meter.take();
  }

  /** Of its instances. */
  get processIds(): number[] {
    return [...this.#instances].flatMap(({ process }) => process.pid ?? []);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#onStop();
    this.#rejectQueue(stopped());
    const processes = [...this.#instances].map(({ process }) => process);
    for (const process of processes) process.kill(stopped());
    await Promise.all(processes.map((process) => process.exited()));
  }

  #idle(): Instance | undefined {
    for (const instance of this.#instances) {
      if (!instance.busy && instance.state !== 'retired' && instance.process.alive) return instance;
    }
    return undefined;
  }

  /** Gives waiting calls to free instances, and asks for more instances where calls still wait. */
  #pump(): void {
    while (this.#queue.length > 0) {
      const instance = this.#idle();
      if (instance === undefined) break;
      const waiting = this.#queue.shift()!;
      waiting.leave();
      void this.#run(instance, waiting);
    }
    const room = this.#limits.maxInstances - this.#instances.size - this.#starting;
    const wanted = Math.min(this.#queue.length - this.#starting, room);
    for (let i = 0; i < wanted; i++) this.#grow();
  }

  #grow(): void {
    this.#addInstance(this.#version).catch((error: WorkloadError) => {
      if (this.#stopped) return;
      this.#log(this.spec, 'system', `an instance could not be started: ${error.message}`);
      if (this.#instances.size === 0 && this.#starting === 0) this.#rejectQueue(error);
    });
  }

  async #addInstance(version: FunctionVersion): Promise<void> {
    this.#starting += 1;
    const process = this.#pool.take();
    const instance: Instance = { process, version, busy: false, calls: 0, state: 'serving', idleTimer: undefined };
    try {
      await process.load(version.module);
      if (this.#stopped) throw stopped();
    } catch (error) {
      process.kill(stopped());
      throw error;
    } finally {
      this.#starting -= 1;
    }
    this.#instances.add(instance);
    void process.exited().then(() => this.#lost(instance));
    this.#rest(instance);
    this.#pump();
  }

  async #run(instance: Instance, { invocation, output, settle }: Waiting): Promise<void> {
    instance.busy = true;
    clearTimeout(instance.idleTimer);
    const { spec } = instance.version;
    const lines = new LineSplitter((line) => this.#log(spec, 'stderr', line));
    // The caller's variables stand above the stack's.
    const env = { ...stackEnv(spec), ...invocation.env };
    const outcome = await instance.process.call(
      { ...invocation, env },
      { stdout: output, stderr: (chunk) => lines.push(chunk), timeoutMs: spec.timeoutMs ?? defaultTimeoutMs },
    );
    lines.flush();
    this.#meter.add(outcome.runMicros, spec.memoryBytes);
    this.#settle(outcome, settle);
    instance.busy = false;
    instance.calls += 1;
    if (instance.calls >= this.#limits.maxCalls) this.#replace(instance);
    this.#rest(instance);
    this.#pump();
  }

  #settle({ error, exitCode, runMicros }: CallOutcome, settle: PromiseWithResolvers<InvocationResult>): void {
    if (error === undefined) {
      settle.resolve({ exitCode: exitCode ?? 0, runMicros });
      return;
    }
    this.#log(this.spec, 'system', `call ended after ${Math.round(runMicros / 1000)} ms by ${nameOf(error)}`);
    settle.reject(error);
  }

  /** It goes on serving until the one in its place is ready, so that no call waits for the change. */
  #replace(instance: Instance): void {
    if (instance.state === 'retired') instance.process.kill(stopped());
    if (instance.state !== 'serving' || this.#stopped) return;
    instance.state = 'leaving';
    this.#addInstance(this.#version).then(
      () => this.#retire(instance),
      (error: WorkloadError) => {
        instance.state = 'serving';
        if (!this.#stopped) this.#log(this.spec, 'system', `an instance could not be replaced: ${error.message}`);
      },
    );
  }

  /** It gets no more calls, and ends with the one that it runs. */
  #retire(instance: Instance): void {
    instance.state = 'retired';
    if (!instance.busy) instance.process.kill(stopped());
  }

  /** Ends an instance that nobody needs for long. */
  #rest(instance: Instance): void {
    clearTimeout(instance.idleTimer);
    if (!instance.process.alive) return;
    instance.idleTimer = setTimeout(() => {
      this.#retire(instance);
    }, this.#limits.idleMs).unref();
  }

  /** After a call past its limit, a crash, or idleness. One that was lost in its work is replaced at once. */
  #lost(instance: Instance): void {
    clearTimeout(instance.idleTimer);
    this.#instances.delete(instance);
    if (this.#stopped) return;
    const idle = instance.state === 'retired' && this.#queue.length === 0;
    if (!idle && this.#instances.size + this.#starting === 0) this.#grow();
    else this.#pump();
  }

  #rejectQueue(error: WorkloadError): void {
    for (const { settle, leave } of this.#queue.splice(0)) {
      leave();
      settle.reject(error);
    }
  }
}

/** The stack's own environment, which never says what CGI says. */
function stackEnv({ env }: FunctionSpec): Record<string, string> {
  return Object.fromEntries(Object.entries(env ?? {}).filter(([name]) => !isCgiName(name)));
}

function canceled(): WorkloadError {
  return new WorkloadError('canceled', 'the caller is gone');
}

function nameOf({ reason, message }: WorkloadError): string {
  if (reason === 'trap') return `a trap: ${message}`;
  if (reason === 'memory') return `its memory limit: ${message}`;
  return message;
}
