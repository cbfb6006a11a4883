/** One function: its instances, each a sandbox process that runs one call at a time, and the calls that wait for one. */
import { messageOf } from '@mu/lib/error-message';
import { CallPace, CallQueue, type Outlook, type QueueLimits, type WaitingCall } from './call-queue.ts';
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

export interface FunctionLimits extends QueueLimits {
  /** Processes of one function at most. */
  readonly maxInstances: number;
  /** An instance that had nothing to do for so long is ended; the next call takes a warm process again. */
  readonly idleMs: number;
  /** An instance is replaced after so many calls: the engine keeps some 150 KB of each. */
  readonly maxCalls: number;
}

/** A function as it stands after a start or an update. */
export interface FunctionVersion {
  readonly spec: FunctionSpec;
  /** The spec's, its memory limited: made when a process takes it, so that it is not held twice. */
  readonly module: () => Uint8Array;
}

interface Instance {
  readonly process: SandboxProcess;
  readonly version: FunctionVersion;
  busy: boolean;
  /** When its call began, by `performance.now()`. */
  since: number;
  calls: number;
  /** `leaving`: another is made ready in its place; `retired`: that one serves. */
  state: 'serving' | 'leaving' | 'retired';
  idleTimer: NodeJS.Timeout | undefined;
}

const stopped = () => new WorkloadError('stopped', 'the function has been stopped');

export interface FunctionOptions {
  readonly pool: SandboxPool;
  readonly limits: FunctionLimits;
  readonly log: WorkloadLog;
  /** Checks a spec whole, its code too. @throws WorkloadError `invalid` */
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
  readonly #queue: CallQueue;
  readonly #pace: CallPace;
  #starting = 0;
  /** An instance was lost in its work, and no call has ended well since. */
  #isTroubled = false;
  #stopped = false;

  /** Ready to be called; the first call takes a process. @throws WorkloadError `invalid` */
  constructor(spec: FunctionSpec, options: FunctionOptions) {
    this.#version = options.versionOf(spec);
    this.#versionOf = options.versionOf;
    this.#pool = options.pool;
    this.#limits = options.limits;
    this.#log = options.log;
    this.#onStop = options.onStop;
    this.#pace = new CallPace(options.limits.patienceMs);
    this.#queue = new CallQueue(options.limits, () => this.#outlook());
  }

  get spec(): FunctionSpec {
    return this.#version.spec;
  }

  /** Calls under way end in the old version; from the first instance of the new one on, all others go there. */
  async update(spec: FunctionSpec): Promise<void> {
    if (this.#stopped) throw stopped();
    const version = this.#versionOf(spec);
    try {
      // One that is called is not made to wait for the new version.
      if (this.#instances.size > 0) await this.#addInstance(version, true);
    } catch (error) {
      const why = messageOf(error);
      throw new WorkloadError('unhealthy', `the new version of ${spec.service} does not start: ${why}`);
    }
    this.#version = version;
    for (const instance of this.#instances) if (instance.version !== version) this.#retire(instance);
  }

  /** Without a process it is as ready as with one. */
  status(): InstanceStatus[] {
    if (this.#stopped) return [];
    const serving = [...this.#instances].filter(({ state }) => state !== 'retired').length;
    return Array.from({ length: Math.max(serving, 1) }, (_, index) => ({ index, state: 'ready', restarts: 0 }));
  }

  async metrics(): Promise<InstanceMetrics[]> {
    const found = await Promise.all([...this.#instances].map(({ process }) => processMetrics(process.pid)));
    return found.flatMap((metrics, index) => (metrics === undefined ? [] : [{ index, ...metrics }]));
  }

  invoke(invocation: Invocation, output: OutputSink): Promise<InvocationResult> {
    if (this.#stopped) return Promise.reject(stopped());
    const result = this.#queue.add(invocation, output);
    this.#pump();
    return result;
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
    this.#queue.reject(stopped());
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
    for (let instance = this.#idle(); instance !== undefined; instance = this.#idle()) {
      const waiting = this.#queue.next();
      if (waiting === undefined) return;
      void this.#run(instance, waiting);
    }
    const room = this.#limits.maxInstances - this.#instances.size - this.#starting;
    const wanted = Math.min(this.#queue.size - this.#starting, room);
    for (let i = 0; i < wanted; i++) this.#grow();
  }

  #outlook(): Outlook {
    const now = performance.now();
    const serving = [...this.#instances].filter(({ state }) => state !== 'retired');
    const running = serving.map(({ busy, since }) => (busy ? now - since : 0));
    const { maxInstances, soonMs } = this.#limits;
    return {
      starting: this.#starting,
      isFresh: serving.length === 0 && this.#starting > 0 && !this.#isTroubled,
      rate: this.#pace.rate(running),
      isStuck: serving.length >= maxInstances && running.every((ms) => this.#pace.isOverdue(ms, soonMs)),
    };
  }

  #grow(): void {
    this.#addInstance(this.#version).catch((error: WorkloadError) => {
      if (this.#stopped) return;
      this.#log(this.spec, 'system', `an instance could not be started: ${error.message}`);
      if (this.#instances.size === 0 && this.#starting === 0) this.#queue.reject(error);
    });
  }

  /** @param isUpdate it is the first of a version to come */
  async #addInstance(version: FunctionVersion, isUpdate = false): Promise<void> {
    const process = this.#pool.take();
    this.#starting += 1;
    const instance: Instance = {
      ...{ process, version, busy: false, since: 0, calls: 0, state: 'serving', idleTimer: undefined },
    };
    try {
      await process.load(version.module());
      if (this.#stopped) throw stopped();
    } catch (error) {
      process.kill(stopped());
      throw error;
    } finally {
      this.#starting -= 1;
    }
    // An update that was over while it started: from then on only the new version serves.
    if (!isUpdate && version !== this.#version) process.kill(stopped());
    else this.#join(instance);
    this.#pump();
  }

  #join(instance: Instance): void {
    this.#instances.add(instance);
    void instance.process.exited().then(() => this.#lost(instance));
    this.#rest(instance);
  }

  async #run(instance: Instance, { invocation, output, settle }: WaitingCall): Promise<void> {
    instance.busy = true;
    instance.since = performance.now();
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
    this.#pace.ended(performance.now() - instance.since);
    this.#isTroubled = !instance.process.alive;
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
    const idle = instance.state === 'retired' && this.#queue.size === 0;
    if (!idle && this.#instances.size + this.#starting === 0) this.#grow();
    else this.#pump();
  }
}

/** The stack's own environment, which never says what CGI says. */
function stackEnv({ env }: FunctionSpec): Record<string, string> {
  return Object.fromEntries(Object.entries(env ?? {}).filter(([name]) => !isCgiName(name)));
}

function nameOf({ reason, message }: WorkloadError): string {
  if (reason === 'trap') return `a trap: ${message}`;
  if (reason === 'memory') return `its memory limit: ${message}`;
  return message;
}
