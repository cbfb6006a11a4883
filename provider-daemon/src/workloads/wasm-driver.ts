/** WASI functions in sandbox processes of their own (design §7). */
import { isDeepStrictEqual } from 'node:util';
import { limitModule, ModuleError } from '@mu/client/wasm-module';
import {
  type CallableWorkload,
  type FunctionSpec,
  type WorkloadDriver,
  WorkloadError,
  type WorkloadLog,
  type WorkloadName,
} from './driver.ts';
import { type FunctionLimits, type FunctionVersion, FunctionWorkload } from './function-workload.ts';
import { detectIsolation, type Isolation, type SandboxCode, sandboxCode } from './isolation.ts';
import { SandboxPool } from './sandbox-pool.ts';

/** The longest that a function may be allowed to run. */
const maxTimeoutMs = 300_000;

export interface WasmDriverOptions extends Partial<FunctionLimits> {
  /** Warm processes that belong to no function yet; 1. Each takes about 120 MB. */
  readonly spares?: number;
  readonly log?: WorkloadLog;
  /** Lines about the driver itself: what isolation holds. */
  readonly logger?: (line: string) => void;
}

const defaults: FunctionLimits = {
  maxInstances: 2,
  maxQueued: 64,
  // With what passes around it, a refusal is with its caller within 100 ms.
  patienceMs: 40,
  soonMs: 1_000,
  maxQueuedMs: 10_000,
  idleMs: 60_000,
  maxCalls: 1000,
};

export class WasmDriver implements WorkloadDriver<FunctionSpec, CallableWorkload> {
  readonly name = 'wasm';
  readonly artifacts = ['wasm'] as const;
  readonly isolation: Isolation;
  readonly #code: SandboxCode;
  readonly #pool: SandboxPool;
  readonly #limits: FunctionLimits;
  readonly #log: WorkloadLog;
  readonly #workloads = new Set<FunctionWorkload>();
  #closed = false;

  /** Use `WasmDriver.create`. */
  private constructor(
    parts: { isolation: Isolation; code: SandboxCode; pool: SandboxPool },
    options: WasmDriverOptions,
  ) {
    this.isolation = parts.isolation;
    this.#code = parts.code;
    this.#pool = parts.pool;
    const { spares: _spares, log, logger: _logger, ...limits } = options;
    this.#limits = { ...defaults, ...limits };
    this.#log = log ?? (() => {});
  }

  /**
   * Finds out what isolation the system gives and makes the first sandbox warm.
   * @throws WorkloadError `failed` where no sandbox process can be started
   */
  static async create(options: WasmDriverOptions = {}): Promise<WasmDriver> {
    const isolation = await detectIsolation();
    const code = await sandboxCode(isolation.uid);
    const pool = new SandboxPool({ isolation, code }, options.spares ?? 1);
    try {
      await pool.warmUp();
    } catch (error) {
      await pool.close();
      await code.remove();
      throw error;
    }
    options.logger?.(`functions run isolated by: ${isolation.description}`);
    return new WasmDriver({ isolation, code, pool }, options);
  }

  check(spec: FunctionSpec): void {
    moduleOf(spec);
  }

  async start(spec: FunctionSpec): Promise<CallableWorkload> {
    if (this.#closed) throw closed();
    const running = [...this.#workloads].find(({ spec: own }) => isSame(own, spec));
    if (running !== undefined) {
      if (!isDeepStrictEqual(running.spec, spec)) await running.update(spec);
      return running;
    }
    const workload: FunctionWorkload = new FunctionWorkload(spec, {
      pool: this.#pool,
      limits: this.#limits,
      log: this.#log,
      versionOf,
      onStop: () => this.#workloads.delete(workload),
    });
    this.#workloads.add(workload);
    return workload;
  }

  /** None: a sandbox process ends with the process that started it. */
  async found(): Promise<WorkloadName[]> {
    return [];
  }

  async remove(name: WorkloadName): Promise<void> {
    for (const workload of [...this.#workloads]) if (isSame(workload.spec, name)) await workload.stop();
  }

  /** Live sandbox processes, spares included. */
  get processCount(): number {
    return this.#pool.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#workloads].map((workload) => workload.stop()));
    this.#workloads.clear();
    await this.#pool.close();
    await this.#code.remove();
  }
}

const isSame = (a: WorkloadName, b: WorkloadName): boolean => a.deployment === b.deployment && a.service === b.service;

const closed = () => new WorkloadError('failed', 'the driver is closed');

/** Checked whole, its code too; it is run in sandboxes alone. @throws WorkloadError `invalid` */
function versionOf(spec: FunctionSpec): FunctionVersion {
  moduleOf(spec);
  return { spec, module: () => moduleOf(spec) };
}

/** @throws WorkloadError `invalid` */
function moduleOf(spec: FunctionSpec): Uint8Array {
  const { timeoutMs } = spec;
  if (timeoutMs !== undefined && !(timeoutMs >= 1 && timeoutMs <= maxTimeoutMs)) {
    throw new WorkloadError('invalid', `a time limit of ${timeoutMs} ms, it must be from 1 to ${maxTimeoutMs}`);
  }
  try {
    return limitModule(spec.artifact.bytes, spec.memoryBytes);
  } catch (error) {
    if (error instanceof ModuleError) throw new WorkloadError('invalid', `${spec.service}: ${error.message}`);
    throw error;
  }
}
