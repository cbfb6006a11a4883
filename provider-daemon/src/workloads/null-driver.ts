/** A driver without a sandbox: calls run a given function in this process. For tests of what stands above drivers. */
import {
  defaultTimeoutMs,
  type Invocation,
  type InvocationResult,
  type OutputSink,
  type Workload,
  type WorkloadDriver,
  WorkloadError,
  type WorkloadLog,
  type WorkloadSpec,
  type WorkloadUsage,
} from './driver.ts';
import { UsageMeter } from './usage-meter.ts';

/** What the handler gives for a call; `runMicros` defaults to 1000. */
export interface NullAnswer {
  readonly stdout?: string | Uint8Array;
  readonly stderr?: string;
  readonly exitCode?: number;
  readonly runMicros?: number;
}

export type NullHandler = (spec: WorkloadSpec, invocation: Invocation) => NullAnswer | Promise<NullAnswer>;

/** Says hello to whoever calls. */
const greet: NullHandler = () => ({ stdout: 'content-type: text/plain\n\nhello\n' });

export class NullDriver implements WorkloadDriver {
  readonly name = 'null';
  readonly artifacts = ['wasm'] as const;
  readonly #handler: NullHandler;
  readonly #log: WorkloadLog;
  readonly #workloads = new Set<NullWorkload>();
  #closed = false;

  constructor(handler: NullHandler = greet, log: WorkloadLog = () => {}) {
    this.#handler = handler;
    this.#log = log;
  }

  check(spec: WorkloadSpec): void {
    if (spec.artifact.bytes.length === 0) throw new WorkloadError('invalid', 'the artifact is empty');
  }

  async start(spec: WorkloadSpec): Promise<Workload> {
    this.check(spec);
    if (this.#closed) throw new WorkloadError('failed', 'the driver is closed');
    const workload = new NullWorkload(spec, this.#handler, this.#log);
    this.#workloads.add(workload);
    return workload;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#workloads].map((workload) => workload.stop()));
    this.#workloads.clear();
  }
}

class NullWorkload implements Workload {
  readonly spec: WorkloadSpec;
  readonly #handler: NullHandler;
  readonly #log: WorkloadLog;
  readonly #meter: UsageMeter;
  readonly #stop = Promise.withResolvers<never>();
  #stopped = false;

  constructor(spec: WorkloadSpec, handler: NullHandler, log: WorkloadLog) {
    this.spec = spec;
    this.#handler = handler;
    this.#log = log;
    this.#meter = new UsageMeter(spec.memoryBytes);
    this.#stop.promise.catch(() => {});
  }

  async invoke(invocation: Invocation, output: OutputSink): Promise<InvocationResult> {
    if (this.#stopped) throw new WorkloadError('stopped', 'the workload has been stopped');
    if (invocation.signal?.aborted === true) throw new WorkloadError('canceled', 'the caller is gone');
    const limit = this.spec.timeoutMs ?? defaultTimeoutMs;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new WorkloadError('time_limit', `ran past ${limit} ms`)), limit);
    let runMicros = 1000;
    try {
      const env = { ...this.spec.env, ...invocation.env };
      const running = Promise.resolve(this.#handler(this.spec, { ...invocation, env }));
      const answer = await Promise.race([running, late.promise, this.#stop.promise]);
      runMicros = answer.runMicros ?? runMicros;
      for (const line of answer.stderr?.split('\n') ?? []) this.#log(this.spec, 'stderr', line);
      if (answer.stdout !== undefined) await output(Buffer.from(answer.stdout));
      return { exitCode: answer.exitCode ?? 0, runMicros };
    } finally {
      clearTimeout(timer);
      this.#meter.add(runMicros);
    }
  }

  usage(): WorkloadUsage {
    return this.#meter.total();
  }

  takeUsage(): WorkloadUsage {
    return this.#meter.take();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stop.reject(new WorkloadError('stopped', 'the workload has been stopped'));
  }
}
