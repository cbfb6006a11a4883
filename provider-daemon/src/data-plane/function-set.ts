/** The functions of one lease: brought to what is wished all together, or left as they are. */
import { readFile } from 'node:fs/promises';
import { toHex } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import type { Quantity } from '../usage/counters.ts';
import {
  type CallableWorkload,
  type FunctionSpec,
  type WorkloadDriver,
  WorkloadError,
  type WorkloadUsage,
} from '../workloads/driver.ts';
import type { ServedFunction } from './plane.ts';

interface Running {
  readonly wish: ServedFunction;
  readonly spec: FunctionSpec;
  readonly workload: CallableWorkload;
}

export class FunctionSet {
  readonly #lease: string;
  readonly #driver: WorkloadDriver<FunctionSpec, CallableWorkload>;
  #running = new Map<string, Running>();
  /** Used by functions that have stopped, not yet taken. */
  #left: Quantity[] = [];

  constructor(lease: string, driver: WorkloadDriver<FunctionSpec, CallableWorkload>) {
    this.#lease = lease;
    this.#driver = driver;
  }

  /** By their names. */
  workloads(): ReadonlyMap<string, CallableWorkload> {
    return new Map([...this.#running].map(([name, { workload }]) => [name, workload]));
  }

  /**
   * Starts, updates and keeps functions until they are as wished; those no longer wished run on until `prune`.
   * @throws WorkloadError where one does not start: then all are again as they were
   */
  async apply(wishes: readonly ServedFunction[]): Promise<void> {
    const before = this.#running;
    const next = new Map(before);
    try {
      for (const wish of wishes) {
        const known = before.get(wish.service);
        if (known !== undefined && isSame(known.wish, wish)) continue;
        const spec = await this.#specOf(wish);
        next.set(wish.service, { wish, spec, workload: await this.#driver.start(spec) });
      }
      this.#running = next;
    } catch (error) {
      await this.#restore(before, next);
      throw error;
    }
  }

  /** Stops what is not among the wished. */
  async prune(wishes: readonly ServedFunction[]): Promise<void> {
    const wished = new Set(wishes.map(({ service }) => service));
    for (const [name, { workload }] of [...this.#running]) {
      if (wished.has(name)) continue;
      this.#running.delete(name);
      await workload.stop();
      this.#left.push(...quantitiesOf(name, workload.takeUsage()));
    }
  }

  /** What was used since the last call. */
  takeUsage(): Quantity[] {
    const left = this.#left;
    this.#left = [];
    return [...left, ...[...this.#running].flatMap(([name, { workload }]) => quantitiesOf(name, workload.takeUsage()))];
  }

  async #restore(before: ReadonlyMap<string, Running>, next: ReadonlyMap<string, Running>): Promise<void> {
    for (const [name, running] of next) {
      const old = before.get(name);
      if (old === running) continue;
      if (old !== undefined) await this.#driver.start(old.spec);
      else {
        await running.workload.stop();
        this.#left.push(...quantitiesOf(name, running.workload.takeUsage()));
      }
    }
  }

  async #specOf({ service, file, sha256: hash, memoryBytes, timeoutMs, env }: ServedFunction): Promise<FunctionSpec> {
    const bytes = new Uint8Array(await readFile(file));
    if (toHex(sha256(bytes)) !== hash)
      throw new WorkloadError('failed', `the module of ${service} is not the one that was checked`);
    return { deployment: this.#lease, service, artifact: { kind: 'wasm', bytes }, memoryBytes, timeoutMs, env };
  }
}

/** The hash stands for the module wherever it lies: another revision's file with the same bytes is the same function. */
function isSame({ file: _a, ...a }: ServedFunction, { file: _b, ...b }: ServedFunction): boolean {
  const order = (wish: typeof a) => JSON.stringify({ ...wish, env: Object.entries(wish.env).sort() });
  return order(a) === order(b);
}

function quantitiesOf(service: string, used: WorkloadUsage): Quantity[] {
  return [
    { service, metric: 'function-invocations', quantity: used.invocations },
    { service, metric: 'function-megabyte-milliseconds', quantity: used.megabyteMilliseconds },
  ];
}
