/** The workloads of one lease under one driver: brought to what is wished all together, or left as they are. */
import { isDeepStrictEqual } from 'node:util';
import type { Workload, WorkloadDriver, WorkloadSpec, WorkloadUsage } from './driver.ts';

interface Running<S, W> {
  readonly spec: S;
  readonly workload: W;
}

/** What a service used. */
export interface ServiceUsage {
  readonly service: string;
  readonly used: WorkloadUsage;
}

export class WorkloadSet<S extends WorkloadSpec, W extends Workload> {
  readonly #driver: WorkloadDriver<S, W>;
  readonly #onStart: (workload: W) => void;
  #running = new Map<string, Running<S, W>>();
  /** No longer wished, and not ended yet: what cannot be ended now is ended by the next `prune`. */
  readonly #ending = new Map<string, Running<S, W>>();
  /** Used by workloads that have stopped, not yet taken. */
  #left: ServiceUsage[] = [];

  /** @param onStart told of each workload as it is there, before the next one starts */
  constructor(driver: WorkloadDriver<S, W>, onStart: (workload: W) => void = () => {}) {
    this.#driver = driver;
    this.#onStart = onStart;
  }

  /** By their services' names; while `apply` is under way, those that have started so far are among them. */
  workloads(): ReadonlyMap<string, W> {
    return new Map([...this.#running].map(([name, { workload }]) => [name, workload]));
  }

  /**
   * Starts, updates and keeps workloads until they are as wished; those no longer wished run on until `prune`.
   * @throws WorkloadError where one does not start: then all are again as they were
   */
  async apply(specs: readonly S[]): Promise<void> {
    const before = this.#running;
    this.#running = new Map(before);
    try {
      for (const spec of specs) {
        const known = before.get(spec.service);
        if (known !== undefined && isDeepStrictEqual(known.spec, spec)) continue;
        const workload = await this.#driver.start(spec);
        this.#running.set(spec.service, { spec, workload });
        this.#wishAgain(spec.service, workload);
        this.#onStart(workload);
      }
    } catch (error) {
      const reached = this.#running;
      this.#running = before;
      await this.#restore(before, reached);
      throw error;
    }
  }

  /** Stops what is not among the wished. @throws WorkloadError where one cannot be stopped now: call it again */
  async prune(specs: readonly S[]): Promise<void> {
    const wished = new Set(specs.map(({ service }) => service));
    for (const [service, running] of [...this.#running]) {
      if (wished.has(service)) continue;
      this.#running.delete(service);
      this.#ending.set(service, running);
    }
    for (const service of [...this.#ending.keys()]) await this.#end(service);
  }

  /** What was used since the last call. */
  takeUsage(): ServiceUsage[] {
    const left = this.#left;
    this.#left = [];
    const running = [...this.#running].map(([service, { workload }]) => ({ service, used: workload.takeUsage() }));
    return [...left, ...running];
  }

  /** All of them are tried: one that cannot be brought back now keeps no other from it. */
  async #restore(
    before: ReadonlyMap<string, Running<S, W>>,
    reached: ReadonlyMap<string, Running<S, W>>,
  ): Promise<void> {
    for (const [service, running] of reached) {
      const old = before.get(service);
      if (old === running) continue;
      if (old === undefined) this.#ending.set(service, running);
      // What was wrong is told by what failed first; the next `apply` and `prune` make up for this.
      await (old === undefined ? this.#end(service) : this.#driver.start(old.spec)).catch(() => {});
    }
  }

  async #end(service: string): Promise<void> {
    const running = this.#ending.get(service);
    if (running === undefined) return;
    await running.workload.stop();
    this.#ending.delete(service);
    this.#left.push({ service, used: running.workload.takeUsage() });
  }

  /** The driver has ended what was left of a service before it started it anew. */
  #wishAgain(service: string, workload: W): void {
    const ending = this.#ending.get(service);
    this.#ending.delete(service);
    if (ending !== undefined && ending.workload !== workload)
      this.#left.push({ service, used: ending.workload.takeUsage() });
  }
}
