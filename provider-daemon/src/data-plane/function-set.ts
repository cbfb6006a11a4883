/** The functions of one lease, from files on this machine. */
import { readFile } from 'node:fs/promises';
import { toHex } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import type { Quantity } from '../usage/counters.ts';
import { type CallableWorkload, type FunctionSpec, type WorkloadDriver, WorkloadError } from '../workloads/driver.ts';
import { WorkloadSet } from '../workloads/workload-set.ts';
import type { ServedFunction } from './plane.ts';

export class FunctionSet {
  readonly #lease: string;
  readonly #set: WorkloadSet<FunctionSpec, CallableWorkload>;
  #specs: readonly FunctionSpec[] = [];

  constructor(lease: string, driver: WorkloadDriver<FunctionSpec, CallableWorkload>) {
    this.#lease = lease;
    this.#set = new WorkloadSet(driver);
  }

  /** By their names. */
  workloads(): ReadonlyMap<string, CallableWorkload> {
    return this.#set.workloads();
  }

  /**
   * Starts, updates and keeps functions until they are as wished; those no longer wished run on until `prune`.
   * @throws WorkloadError where one does not start: then all are again as they were
   */
  async apply(wishes: readonly ServedFunction[]): Promise<void> {
    const specs: FunctionSpec[] = [];
    for (const wish of wishes) specs.push(await this.#specOf(wish));
    await this.#set.apply(specs);
    this.#specs = specs;
  }

  /** Stops what the last `apply` did not wish. */
  prune(): Promise<void> {
    return this.#set.prune(this.#specs);
  }

  async stop(): Promise<void> {
    await this.#set.prune([]);
  }

  /** What was used since the last call. */
  takeUsage(): Quantity[] {
    return this.#set.takeUsage().flatMap(({ service, used }) => [
      { service, metric: 'function-invocations', quantity: used.invocations },
      { service, metric: 'function-megabyte-milliseconds', quantity: used.megabyteMilliseconds },
    ]);
  }

  async #specOf({ service, file, sha256: hash, memoryBytes, timeoutMs, env }: ServedFunction): Promise<FunctionSpec> {
    const bytes = new Uint8Array(await readFile(file));
    if (toHex(sha256(bytes)) !== hash)
      throw new WorkloadError('failed', `the module of ${service} is not the one that was checked`);
    return { deployment: this.#lease, service, artifact: { kind: 'wasm', bytes }, memoryBytes, timeoutMs, env };
  }
}
