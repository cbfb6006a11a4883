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
import { restrictions } from './create-options.ts';
import { EgressMeter } from './egress-meter.ts';
import type { EngineEvent } from './engine.ts';
import { execLimits, startExec } from './exec.ts';
import { Fleet, type FoundContainer, fits, type Target } from './fleet.ts';
import { Instance } from './instance.ts';
import type { ContainerParts } from './parts.ts';
import { checkSpec } from './spec-check.ts';

/** What is taken over is given so long to answer its first check. */
const adoptionMs = 2_000;

export class ContainerWorkload implements ServingWorkload {
  readonly #parts: ContainerParts;
  readonly #fleet: Fleet;
  readonly #egress: EgressMeter;
  readonly #onStop: () => void;
  readonly #instances = new Map<number, Instance>();
  /** Started, but not yet in the place of those that they are to replace. */
  readonly #candidates = new Set<Instance>();
  readonly #listeners = new Set<() => void>();
  readonly #sessions = new Set<ExecSession>();
  #spec: ContainerSpec;
  /** What it runs; undefined until the first version stands. */
  #target: Target | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #stopping = false;
  /** The daemon goes; what it was about is left as it is, for the next one. */
  #letGo = false;
  #stopped = false;
  #lastStatus = '';

  constructor(parts: ContainerParts, spec: ContainerSpec, onStop: () => void) {
    this.#parts = parts;
    this.#spec = spec;
    this.#onStop = onStop;
    this.#fleet = new Fleet(parts, spec);
    this.#egress = new EgressMeter(parts.networks, parts.marks, spec);
  }

  get spec(): ContainerSpec {
    return this.#spec;
  }

  /** The first version: takes over what runs of it. What was made for it and does not come up is removed. */
  async open(): Promise<void> {
    await this.#inTurn(async () => {
      const before = await this.#fleet.find();
      try {
        await this.#converge(this.#spec);
      } catch (error) {
        await this.#detach();
        // Where it is the engine that fails, what is left is found later.
        if (before.length === 0 && !this.#letGo) await this.#clear().catch(() => {});
        throw error;
      }
    });
    await this.poll();
  }

  status(): readonly InstanceStatus[] {
    const goneSince = this.#parts.engineGoneSinceMs();
    const note =
      goneSince === undefined
        ? {}
        : {
            note: `the container engine has not answered since ${new Date(goneSince).toISOString()}; so it stood then`,
          };
    return [...this.#instances.values()]
      .sort((a, b) => a.place.instance - b.place.instance)
      .map((instance) => ({ ...instance.status(), ...(this.#stopped ? { state: 'ended' as const } : {}), ...note }));
  }

  async metrics(): Promise<readonly InstanceMetrics[]> {
    const running = [...this.#instances.values()].filter(({ isRunning }) => isRunning);
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
    if (spec.deployment !== this.#spec.deployment || spec.service !== this.#spec.service) {
      throw new WorkloadError('invalid', `${spec.service}: an update cannot change the name of a workload`);
    }
    await this.#inTurn(async () => {
      if (this.#stopping) throw new WorkloadError('stopped', 'the workload has been stopped');
      await this.#converge(spec);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const session of this.#sessions) session.close();
    // An update that waits for its new instances ends at once.
    await Promise.all([...this.#candidates].map((candidate) => candidate.detach()));
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
    const instance = this.#instances.get(request.instance);
    if (instance === undefined || !instance.isRunning) {
      throw new WorkloadError('invalid', `${this.#spec.service}: instance ${request.instance} does not run`);
    }
    if (this.#sessions.size >= execLimits.maxPerWorkload) {
      throw new WorkloadError('busy', `${execLimits.maxPerWorkload} commands run in ${this.#spec.service} already`);
    }
    const { engine, clock, execs } = this.#parts;
    if (execs.running >= execLimits.maxSessions) {
      throw new WorkloadError('busy', `${execLimits.maxSessions} commands run on this provider already`);
    }
    execs.running += 1;
    try {
      const session = await startExec({ engine, clock, containerId: instance.containerId }, request);
      this.#sessions.add(session);
      const over = (): void => {
        this.#sessions.delete(session);
        execs.running -= 1;
      };
      session.exitCode.then(over, over);
      return session;
    } catch (error) {
      execs.running -= 1;
      throw error;
    }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onEvent(event: EngineEvent): void {
    for (const instance of [...this.#instances.values(), ...this.#candidates]) {
      if (instance.containerId === event.id) instance.onEvent(event);
    }
  }

  /** Reads how everything stands, and makes anew what somebody has removed. @throws EngineError */
  async review(): Promise<void> {
    await Promise.all([...this.#instances.values(), ...this.#candidates].map((instance) => instance.refresh()));
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
    this.#letGo = true;
    await this.#detach();
  }

  async #detach(): Promise<void> {
    for (const session of this.#sessions) session.close();
    await Promise.all([...this.#instances.values(), ...this.#candidates].map((instance) => instance.detach()));
  }

  /** Makes what runs what the spec says; where that fails, what it was. */
  async #converge(spec: ContainerSpec): Promise<void> {
    const target = await this.#fleet.prepare(spec);
    const found = await this.#fleet.find();
    const created: Instance[] = [];
    const adopted: Instance[] = [];
    const replaced: number[] = [];
    try {
      for (let index = 0; index < spec.count; index++) {
        const here = found.filter(({ place }) => place.instance === index);
        const same = here.find((container) => fits(target, container));
        const others = here.filter((container) => container !== same);
        if (others.length > 0) {
          await this.#switch(target, { index, same, others });
          replaced.push(index);
        } else {
          const instance = await this.#place(target, index, same);
          (same === undefined ? created : adopted).push(instance);
          await instance.start();
        }
      }
      await Promise.all(created.map((instance) => this.#mustComeUp(instance)));
      // What is taken over serves already, as far as is known: nobody is told that it does not before it was asked.
      const asked = Promise.all(adopted.map((instance) => instance.comeUp().catch(() => {})));
      await Promise.race([asked, this.#parts.clock.wait(adoptionMs)]);
    } catch (error) {
      if (this.#letGo) throw error;
      await this.#undo(created, replaced).catch((undoError: Error) => {
        this.#tell(`the old version could not be brought back whole: ${undoError.message}`);
      });
      throw error;
    }
    await Promise.all(found.filter(({ place }) => place.instance >= spec.count).map((extra) => this.#discard(extra)));
    for (const index of [...this.#instances.keys()]) if (index >= spec.count) this.#instances.delete(index);
    this.#spec = spec;
    this.#target = target;
    await this.#parts.images.release(spec, target.image.name);
    this.#changed();
  }

  /** An instance of the target in its place: the one that is there, or a new one; not started. */
  async #place(target: Target, index: number, same: FoundContainer | undefined): Promise<Instance> {
    const known = this.#instances.get(index);
    if (known !== undefined && known.containerId === same?.id) {
      await this.#fleet.mount(target, index);
      if (JSON.stringify(known.health) !== JSON.stringify(target.spec.health)) known.setHealth(target.spec.health);
      return known;
    }
    await known?.detach();
    if (same !== undefined) await this.#fleet.mount(target, index);
    const instance = this.#attach(same ?? (await this.#fleet.make(target, index)), target.spec);
    this.#instances.set(index, instance);
    return instance;
  }

  /**
   * Puts a new instance in the place of others. It is started beside the old one; where it has volumes, after it, since two
   * programs on one volume would destroy it.
   */
  async #switch(
    target: Target,
    { index, same, others }: { index: number; same: FoundContainer | undefined; others: readonly FoundContainer[] },
  ): Promise<void> {
    const isExclusive = target.spec.volumes.length > 0;
    // A container of this version that is not in the network as it is now holds the name.
    const stale = others.filter(({ place }) => place.specHash === target.specHash);
    for (const container of stale) await this.#discard(container);
    const old = others.filter((container) => !stale.includes(container));
    if (isExclusive) for (const container of old) await this.#halt(container);
    let next: Instance | undefined;
    try {
      if (same !== undefined) await this.#fleet.mount(target, index);
      next = this.#attach(same ?? (await this.#fleet.make(target, index)), target.spec);
      this.#candidates.add(next);
      await next.start();
      await this.#mustComeUp(next);
    } catch (error) {
      if (this.#letGo) throw error;
      await next?.remove();
      if (isExclusive && !this.#stopping) await this.#resume(index, old);
      throw error;
    } finally {
      if (next !== undefined) this.#candidates.delete(next);
    }
    const before = this.#instances.get(index);
    this.#instances.set(index, next);
    this.#changed();
    this.#tell(`instance ${index} runs the new version`);
    for (const container of old) {
      if (before?.containerId === container.id) await before.remove();
      else await this.#fleet.discard(container);
    }
  }

  /** The old containers of an instance run again. */
  async #resume(index: number, old: readonly FoundContainer[]): Promise<void> {
    const [container] = old;
    if (container === undefined) return;
    const instance = this.#attach(container, this.#spec);
    this.#instances.set(index, instance);
    await instance.start();
    this.#changed();
  }

  /** What was made for a version that did not come up goes; what it has replaced comes back. */
  async #undo(created: readonly Instance[], replaced: readonly number[]): Promise<void> {
    for (const instance of created) {
      if (this.#instances.get(instance.place.instance) === instance) this.#instances.delete(instance.place.instance);
      await instance.remove();
    }
    this.#changed();
    if (this.#target === undefined || this.#stopping) return;
    // Its network too: the new version may have wished another way out.
    const target = await this.#fleet.prepare(this.#spec);
    await this.#parts.images.release(this.#spec, target.image.name);
    const found = await this.#fleet.find();
    for (const index of replaced.filter((place) => place < target.spec.count)) {
      const others = found.filter(({ place }) => place.instance === index);
      await this.#switch(target, { index, same: undefined, others });
    }
    this.#tell('the old version runs on');
  }

  /** @throws WorkloadError `unhealthy` with the last lines that the instance wrote */
  async #mustComeUp(instance: Instance): Promise<void> {
    try {
      await instance.comeUp();
    } catch (error) {
      if (!(error instanceof WorkloadError) || error.reason !== 'unhealthy') throw error;
      await instance.halt();
      const lines = instance.logTail();
      const said = lines.length === 0 ? 'it wrote nothing' : `its last lines:\n${lines.join('\n')}`;
      throw new WorkloadError('unhealthy', `${this.#spec.service}: ${error.message}; ${said}`);
    }
  }

  #attach({ id, place, address }: FoundContainer, { health }: ContainerSpec): Instance {
    const instance: Instance = new Instance({
      parts: this.#parts,
      workload: this.#spec,
      place,
      containerId: id,
      address,
      health,
      onChange: () => this.#changed(),
      onVanished: () => this.#heal(instance),
    });
    return instance;
  }

  /** Somebody has removed a container that is wanted. */
  #heal(instance: Instance): void {
    const index = instance.place.instance;
    this.#inTurn(async () => {
      if (this.#stopping || this.#target === undefined || this.#instances.get(index) !== instance) return;
      if (!instance.isGone) return;
      this.#tell(`instance ${index} was removed from outside; it is made anew`);
      const next = await this.#place(this.#target, index, undefined);
      await next.start();
    }).catch((error: Error) => this.#tell(`instance ${index} could not be made anew: ${error.message}`));
  }

  async #halt(container: FoundContainer): Promise<void> {
    const instance = this.#instances.get(container.place.instance);
    if (instance?.containerId === container.id) await instance.halt();
    else await this.#parts.engine.stop(container.id, restrictions.stopSeconds);
  }

  async #discard(container: FoundContainer): Promise<void> {
    const instance = this.#instances.get(container.place.instance);
    if (instance?.containerId === container.id) await instance.remove();
    else await this.#fleet.discard(container);
  }

  /** All containers, the network, and the images that only this workload used. */
  async #clear(): Promise<void> {
    await Promise.all((await this.#fleet.find()).map((container) => this.#discard(container)));
    await this.poll();
    await this.#parts.networks.remove(this.#spec);
    await this.#parts.images.release(this.#spec);
  }

  async #metricsOf({ containerId, place }: Instance): Promise<InstanceMetrics> {
    const { engine, volumes } = this.#parts;
    const stats = await engine.stats(containerId);
    const { deployment, service } = this.#spec;
    const used = await Promise.all(
      this.#spec.volumes.map(({ name }) => volumes.usedBytes({ deployment, service, instance: place.instance, name })),
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

  #tell(line: string): void {
    this.#parts.log(this.#spec, 'system', line);
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
