/** Containers of one service: its instances, their number, and the change from one version to the next. */
import {
  type ContainerSpec,
  type ExecRequest,
  type ExecSession,
  type InstanceMetrics,
  type InstanceStatus,
  type ServingWorkload,
  WorkloadError,
  type WorkloadUsage,
} from '../driver.ts';
import { Commands } from './commands.ts';
import { EgressMeter } from './egress-meter.ts';
import type { EngineEvent } from './engine.ts';
import { Fleet } from './fleet.ts';
import type { Instance } from './instance.ts';
import type { ContainerParts } from './parts.ts';
import { Rollout } from './rollout.ts';
import { checkSpec } from './spec-check.ts';

export class ContainerWorkload implements ServingWorkload {
  readonly #parts: ContainerParts;
  readonly #fleet: Fleet;
  readonly #egress: EgressMeter;
  readonly #onStop: () => void;
  readonly #rollout: Rollout;
  readonly #listeners = new Set<() => void>();
  readonly #commands: Commands;
  #turn: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #lastStatus = '';

  constructor(parts: ContainerParts, spec: ContainerSpec, onStop: () => void) {
    this.#parts = parts;
    this.#onStop = onStop;
    this.#fleet = new Fleet(parts, spec);
    this.#rollout = new Rollout({
      parts,
      fleet: this.#fleet,
      spec,
      changed: () => this.#changed(),
      vanished: (instance) => this.#heal(instance),
    });
    this.#commands = new Commands(parts);
    this.#egress = new EgressMeter(parts.networks, parts.marks, spec);
  }

  get spec(): ContainerSpec {
    return this.#rollout.spec;
  }

  /** It was to end, and takes no updates any more, also where its end failed half way. */
  get isEnding(): boolean {
    return this.#rollout.isStopping;
  }

  /** The first version: takes over what runs of it. What was made for it and does not come up is removed. */
  async open(): Promise<void> {
    let isFirst = false;
    await this.#inTurn(async () => {
      const before = await this.#fleet.find();
      isFirst = before.length === 0;
      try {
        await this.#rollout.converge(this.spec, isFirst);
      } catch (error) {
        await this.#detach();
        // Where it is the engine that fails, what is left is found later.
        if (isFirst && !this.#rollout.isLetGo) await this.#clear().catch(() => {});
        throw error;
      }
    });
    // Where it cannot be read now, the driver tells so at its next turn.
    if (!isFirst) await this.poll().catch(() => {});
  }

  status(): readonly InstanceStatus[] {
    const goneSince = this.#parts.engineGoneSinceMs();
    const note =
      goneSince === undefined
        ? {}
        : {
            note: `the container engine has not answered since ${new Date(goneSince).toISOString()}; so it stood then`,
          };
    return [...this.#rollout.instances.values()]
      .sort((a, b) => a.place.instance - b.place.instance)
      .map((instance) => ({ ...instance.status(), ...(this.#stopped ? { state: 'ended' as const } : {}), ...note }));
  }

  async metrics(): Promise<readonly InstanceMetrics[]> {
    const running = [...this.#rollout.instances.values()].filter(({ isRunning }) => isRunning);
    return Promise.all(running.map((instance) => this.#metricsOf(instance)));
  }

  usage(): WorkloadUsage {
    return { invocations: 0n, megabyteMilliseconds: 0n, egressBytes: this.#egress.total() };
  }

  takeUsage(): WorkloadUsage {
    return { invocations: 0n, megabyteMilliseconds: 0n, egressBytes: this.#egress.take() };
  }

  async update(spec: ContainerSpec): Promise<void> {
    checkSpec(spec);
    if (spec.deployment !== this.spec.deployment || spec.service !== this.spec.service) {
      throw new WorkloadError('invalid', `${spec.service}: an update cannot change the name of a workload`);
    }
    await this.#inTurn(async () => {
      if (this.#rollout.isStopping) throw new WorkloadError('stopped', 'the workload has been stopped');
      await this.#rollout.converge(spec);
    });
  }

  async stop(): Promise<void> {
    this.#rollout.isStopping = true;
    this.#commands.close();
    // An update that waits for its new instances ends at once.
    await Promise.all([...this.#rollout.candidates].map((candidate) => candidate.detach()));
    await this.#inTurn(async () => {
      if (this.#stopped) return;
      await this.#clear();
      this.#stopped = true;
      this.#egress.close();
      this.#onStop();
      this.#changed();
    });
  }

  async exec(request: ExecRequest): Promise<ExecSession> {
    const instance = this.#rollout.instances.get(request.instance);
    if (instance === undefined || !instance.isRunning) {
      throw new WorkloadError('invalid', `${this.spec.service}: instance ${request.instance} does not run`);
    }
    return this.#commands.start(instance.containerId, request);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onEvent(event: EngineEvent): void {
    for (const instance of this.#all()) {
      if (instance.containerId === event.id) instance.onEvent(event);
    }
  }

  /** Reads how everything stands, and makes anew what somebody has removed. @throws EngineError */
  async review(): Promise<void> {
    await Promise.all(this.#all().map((instance) => instance.refresh()));
    this.#changed();
  }

  /** The engine went away (with why), or is back: its status says so. */
  engineChanged(why: string | undefined): void {
    this.#tell(why === undefined ? 'the container engine is back' : 'the container engine is away; what runs, runs on');
    this.#changed();
  }

  /** Reads what has been used. */
  async poll(): Promise<void> {
    if (!this.#stopped) await this.#egress.poll();
  }

  /** Lets go of containers, which run on; a change that is under way is left to the next daemon. */
  async release(): Promise<void> {
    this.#rollout.isLetGo = true;
    await this.#detach();
  }

  async #detach(): Promise<void> {
    this.#commands.close();
    await Promise.all(this.#all().map((instance) => instance.detach()));
  }

  /** All containers, the network, and the images and files that only this workload used. */
  async #clear(): Promise<void> {
    await this.#rollout.clear();
    await this.poll();
    await this.#parts.networks.remove(this.spec);
    await this.#parts.images.release(this.spec);
    await this.#parts.mountedFiles.release(this.spec);
  }

  async #metricsOf({ containerId, place }: Instance): Promise<InstanceMetrics> {
    const { engine, volumes } = this.#parts;
    const stats = await engine.stats(containerId);
    const { deployment, service } = this.spec;
    const used = await Promise.all(
      this.spec.volumes.map(({ name }) => volumes.usedBytes({ deployment, service, instance: place.instance, name })),
    );
    return {
      index: place.instance,
      cpuMicros: BigInt(Math.round(stats.cpuNanos / 1000)),
      memoryBytes: BigInt(stats.memoryBytes),
      receivedBytes: BigInt(stats.receivedBytes),
      sentBytes: BigInt(stats.sentBytes),
      diskBytes: used.reduce((sum, bytes) => sum + bytes, 0n),
    };
  }

  #all(): Instance[] {
    return [...this.#rollout.instances.values(), ...this.#rollout.candidates];
  }

  #heal(instance: Instance): void {
    this.#inTurn(() => this.#rollout.replace(instance)).catch((error: Error) => {
      this.#tell(`instance ${instance.place.instance} could not be made anew: ${error.message}`);
    });
  }

  #tell(line: string): void {
    this.#parts.log(this.spec, 'system', line);
  }

  #changed(): void {
    const status = JSON.stringify(this.status());
    if (status === this.#lastStatus) return;
    this.#lastStatus = status;
    for (const listener of this.#listeners) listener();
  }

  /** One change at a time, in the order in which they are asked for. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act);
    this.#turn = result.catch(() => {});
    return result;
  }
}
