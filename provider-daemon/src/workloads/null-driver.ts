/** A driver without a sandbox: calls run a given function in this process. For tests of what stands above drivers. */
import {
  type CallableWorkload,
  defaultTimeoutMs,
  type FunctionSpec,
  type InstanceMetrics,
  type InstanceStatus,
  type Invocation,
  type InvocationResult,
  type OutputSink,
  type WorkloadDriver,
  WorkloadError,
  type WorkloadLog,
  type WorkloadName,
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

export type NullHandler = (spec: FunctionSpec, invocation: Invocation) => NullAnswer | Promise<NullAnswer>;

/** Says hello to whoever calls. */
const greet: NullHandler = () => ({ stdout: 'content-type: text/plain\n\nhello\n' });

export class NullDriver implements WorkloadDriver<FunctionSpec, CallableWorkload> {
  readonly name = 'null';
  readonly artifacts = ['wasm'] as const;
  readonly #handler: NullHandler;
  readonly #log: WorkloadLog;
  readonly #workloads = new Map<string, NullWorkload>();
  #closed = false;

  constructor(handler: NullHandler = greet, log: WorkloadLog = () => {}) {
    this.#handler = handler;
    this.#log = log;
  }

  check(spec: FunctionSpec): void {
    checked(spec);
  }

  async start(spec: FunctionSpec): Promise<CallableWorkload> {
    this.check(spec);
    if (this.#closed) throw new WorkloadError('failed', 'the driver is closed');
    const running = this.#workloads.get(keyOf(spec));
    if (running !== undefined) {
      await running.update(spec);
      return running;
    }
    const workload = new NullWorkload(spec, {
      handler: this.#handler,
      log: this.#log,
      onStop: () => this.#workloads.delete(keyOf(spec)),
    });
    this.#workloads.set(keyOf(spec), workload);
    return workload;
  }

  /** None: what runs here ends with this process. */
  async found(): Promise<WorkloadName[]> {
    return [];
  }

  async remove(name: WorkloadName): Promise<void> {
    await this.#workloads.get(keyOf(name))?.stop();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#workloads.values()].map((workload) => workload.stop()));
  }
}

const keyOf = ({ deployment, service }: WorkloadName): string => `${deployment}/${service}`;

/** @throws WorkloadError `invalid` */
function checked(spec: FunctionSpec): FunctionSpec {
  if (spec.artifact.bytes.length === 0) throw new WorkloadError('invalid', 'the artifact is empty');
  return spec;
}

class NullWorkload implements CallableWorkload {
  spec: FunctionSpec;
  readonly #handler: NullHandler;
  readonly #log: WorkloadLog;
  readonly #onStop: () => void;
  readonly #meter = new UsageMeter();
  readonly #stop = Promise.withResolvers<never>();
  #stopped = false;

  constructor(spec: FunctionSpec, options: { handler: NullHandler; log: WorkloadLog; onStop: () => void }) {
    this.spec = spec;
    this.#handler = options.handler;
    this.#log = options.log;
    this.#onStop = options.onStop;
    this.#stop.promise.catch(() => {});
  }

  async invoke(invocation: Invocation, output: OutputSink): Promise<InvocationResult> {
    if (this.#stopped) throw new WorkloadError('stopped', 'the workload has been stopped');
    if (invocation.signal?.aborted === true) throw new WorkloadError('canceled', 'the caller is gone');
    const { spec } = this;
    const limit = spec.timeoutMs ?? defaultTimeoutMs;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new WorkloadError('time_limit', `ran past ${limit} ms`)), limit);
    let runMicros = 1000;
    try {
      const env = { ...spec.env, ...invocation.env };
      const running = Promise.resolve(this.#handler(spec, { ...invocation, env }));
      const answer = await Promise.race([running, late.promise, this.#stop.promise]);
      runMicros = answer.runMicros ?? runMicros;
      for (const line of answer.stderr?.split('\n') ?? []) this.#log(spec, 'stderr', line);
      if (answer.stdout !== undefined) await output(Buffer.from(answer.stdout));
      return { exitCode: answer.exitCode ?? 0, runMicros };
    } finally {
      clearTimeout(timer);
      this.#meter.add(runMicros, spec.memoryBytes);
    }
  }

  async update(spec: FunctionSpec): Promise<void> {
    if (this.#stopped) throw new WorkloadError('stopped', 'the workload has been stopped');
    this.spec = checked(spec);
  }

  status(): InstanceStatus[] {
    return this.#stopped ? [] : [{ index: 0, state: 'ready', restarts: 0 }];
  }

  async metrics(): Promise<InstanceMetrics[]> {
    return [];
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
    this.#onStop();
    this.#stop.reject(new WorkloadError('stopped', 'the workload has been stopped'));
  }
}
