/**
 * From one version or number of instances to the next, one instance at a time: a new one is started beside the old one,
 * which goes when the new one is up. Where a version does not come up, what was made for it goes and the old one stays.
 */

import { reach } from '../../faults/fault-points.ts';
import { type ContainerSpec, WorkloadError } from '../driver.ts';
import { restrictions } from './create-options.ts';
import { type Fleet, type FoundContainer, fits, type MakeOptions, type Target } from './fleet.ts';
import { Instance } from './instance.ts';
import type { ContainerParts } from './parts.ts';

/** What is taken over is given so long to answer its first check. */
const adoptionMs = 2_000;

export interface RolloutOptions {
  readonly parts: ContainerParts;
  readonly fleet: Fleet;
  readonly spec: ContainerSpec;
  /** The status may be another. */
  readonly changed: () => void;
  /** Somebody removed an instance’s container. */
  readonly vanished: (instance: Instance) => void;
}

/** Instances of one workload. Its methods are called one after the other. */
export class Rollout {
  readonly instances = new Map<number, Instance>();
  /** Started, but not yet in the place of those that they are to replace. */
  readonly candidates = new Set<Instance>();
  /** As it runs: after a version that failed still the old one. */
  spec: ContainerSpec;
  /** All is about to end: nothing is brought back. */
  isStopping = false;
  /** The daemon goes; what it was about is left as it is, for the next one. */
  isLetGo = false;
  readonly #options: RolloutOptions;
  readonly #parts: ContainerParts;
  readonly #fleet: Fleet;
  /** What it runs; undefined until the first version stands. */
  #target: Target | undefined;

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.#parts = options.parts;
    this.#fleet = options.fleet;
    this.spec = options.spec;
  }

  /** Makes what runs what the spec says; where that fails, what it was. @param isFirst nothing of it is here yet */
  async converge(spec: ContainerSpec, isFirst = false): Promise<void> {
    const target = await this.#fleet.prepare(spec, isFirst);
    const found = isFirst ? [] : await this.#fleet.find();
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
          const instance = await this.#place(target, index, { same, here: isFirst ? created : undefined });
          (same === undefined ? created : adopted).push(instance);
          if (same === undefined && this.#target !== undefined) reach('scale.up');
          await instance.start();
        }
      }
      await Promise.all(created.map((instance) => this.#mustComeUp(instance)));
      // What is taken over serves already, as far as is known: nobody is told that it does not before it was asked.
      const asked = Promise.all(adopted.map((instance) => instance.comeUp().catch(() => {})));
      await Promise.race([asked, this.#parts.clock.wait(adoptionMs)]);
    } catch (error) {
      if (this.isLetGo) throw error;
      await this.#undo(created, replaced).catch((undoError: Error) => {
        this.#tell(`the old version could not be brought back whole: ${undoError.message}`);
      });
      throw error;
    }
    const extras = found.filter(({ place }) => place.instance >= spec.count);
    if (extras.length > 0) reach('scale.down');
    const leaving = [...this.instances.values()].filter(({ place }) => place.instance >= spec.count);
    for (const { place } of leaving) this.instances.delete(place.instance);
    await this.#leave(extras);
    await Promise.all(extras.map((extra) => this.#end(extra, leaving)));
    this.spec = spec;
    this.#target = target;
    await this.#parts.images.release(spec, target.image.name);
    await this.#parts.mountedFiles.release(spec, spec.files);
    this.#options.changed();
  }

  /** An instance of the target in its place: the one that is there, or a new one; not started. */
  async #place(
    target: Target,
    index: number,
    { same, here }: { same?: FoundContainer | undefined } & Pick<MakeOptions, 'here'> = {},
  ): Promise<Instance> {
    const known = this.instances.get(index);
    if (known !== undefined && known.containerId === same?.id) {
      await this.#fleet.mount(target, index);
      if (JSON.stringify(known.health) !== JSON.stringify(target.spec.health)) known.setHealth(target.spec.health);
      return known;
    }
    if (same !== undefined) await this.#fleet.mount(target, index);
    const container = same ?? (await this.#fleet.make(target, index, { here }));
    // Only now: as long as there is no other one the next look finds again that it is gone.
    await known?.detach();
    const instance = this.#attach(container, target.spec);
    this.instances.set(index, instance);
    return instance;
  }

  /**
   * Puts a new instance in the place of others. It is started beside the old one, or after it: where it has volumes, since
   * two programs on one volume would destroy it, and where it needs devices and none are free but the old one’s.
   */
  async #switch(
    target: Target,
    { index, same, others }: { index: number; same: FoundContainer | undefined; others: readonly FoundContainer[] },
  ): Promise<void> {
    // A container of this version that is not in the network as it is now holds the name.
    const stale = others.filter(({ place }) => place.specHash === target.specHash);
    for (const container of stale) await this.discard(container);
    const old = others.filter((container) => !stale.includes(container));
    const before = this.instances.get(index);
    const mustWait = target.spec.volumes.length > 0 || shareDevices(same, old);
    const beside = mustWait ? undefined : (same ?? (await this.#makeBeside(target, index)));
    const isExclusive = beside === undefined;
    if (isExclusive) {
      this.instances.delete(index);
      await this.#leave(old);
      for (const container of old) await this.#halt(container, before);
    }
    let next: Instance | undefined;
    try {
      if (same !== undefined) await this.#fleet.mount(target, index);
      next = this.#attach(beside ?? same ?? (await this.#fleet.make(target, index, { yielding: old })), target.spec);
      this.candidates.add(next);
      await next.start();
      await this.#mustComeUp(next);
      reach('update.ready');
    } catch (error) {
      if (this.isLetGo) throw error;
      await next?.remove();
      if (isExclusive && !this.isStopping) await this.#resume(index, old);
      throw error;
    } finally {
      if (next !== undefined) this.candidates.delete(next);
    }
    this.instances.set(index, next);
    if (isExclusive) this.#options.changed();
    else await this.#leave(old);
    reach('update.served');
    this.#tell(`instance ${index} runs the new version`);
    for (const container of old) await this.#end(container, before === undefined ? [] : [before]);
    reach('update.replaced');
  }

  /** A container beside the old one; undefined where no devices are free for it. */
  async #makeBeside(target: Target, index: number): Promise<FoundContainer | undefined> {
    try {
      return await this.#fleet.make(target, index);
    } catch (error) {
      if (error instanceof WorkloadError && error.reason === 'busy') return undefined;
      throw error;
    }
  }

  /** The old containers of an instance run again. */
  async #resume(index: number, old: readonly FoundContainer[]): Promise<void> {
    const [container] = old;
    if (container === undefined) return;
    const instance = this.#attach(container, this.spec);
    this.instances.set(index, instance);
    await instance.start();
    this.#options.changed();
  }

  /** What was made for a version that did not come up goes; what it has replaced comes back. */
  async #undo(created: readonly Instance[], replaced: readonly number[]): Promise<void> {
    for (const instance of created) {
      if (this.instances.get(instance.place.instance) === instance) this.instances.delete(instance.place.instance);
      await instance.remove();
    }
    this.#options.changed();
    if (this.#target === undefined || this.isStopping) return;
    // Its network too: the new version may have wished another way out.
    const target = await this.#fleet.prepare(this.spec, false);
    await this.#parts.images.release(this.spec, target.image.name);
    const found = await this.#fleet.find();
    for (const index of replaced.filter((place) => place < target.spec.count)) {
      const others = found.filter(({ place }) => place.instance === index);
      await this.#switch(target, { index, same: undefined, others });
    }
    await this.#parts.mountedFiles.release(this.spec, this.spec.files);
    this.#tell('the old version runs on');
  }

  /** @throws WorkloadError `unhealthy` with the last lines that the instance wrote */
  async #mustComeUp(instance: Instance): Promise<void> {
    try {
      await instance.comeUp();
      reach('container.ready');
    } catch (error) {
      if (!(error instanceof WorkloadError) || error.reason !== 'unhealthy') throw error;
      await instance.halt();
      const lines = instance.logTail();
      const said = lines.length === 0 ? 'it wrote nothing' : `its last lines:\n${lines.join('\n')}`;
      throw new WorkloadError('unhealthy', `${this.spec.service}: ${error.message}; ${said}`);
    }
  }

  #attach({ id, place, address }: FoundContainer, { health }: ContainerSpec): Instance {
    const instance: Instance = new Instance({
      parts: this.#parts,
      workload: this.spec,
      place,
      containerId: id,
      address,
      health,
      onChange: () => this.#options.changed(),
      onVanished: () => this.#options.vanished(instance),
    });
    return instance;
  }

  /** Makes an instance anew whose container somebody has removed. */
  async replace(gone: Instance): Promise<void> {
    const index = gone.place.instance;
    if (this.isStopping || this.#target === undefined || this.instances.get(index) !== gone || !gone.isGone) return;
    this.#tell(`instance ${index} was removed from outside; it is made anew`);
    const next = await this.#place(this.#target, index);
    await next.start();
  }

  /** Ends all of it. */
  async clear(): Promise<void> {
    const found = await this.#fleet.find();
    await this.#leave(found, []);
    await Promise.all(found.map((container) => this.discard(container)));
  }

  async discard(container: FoundContainer): Promise<void> {
    await this.#end(container, [...this.instances.values()]);
  }

  /** What goes gets no more work; what it has begun it may end. */
  async #leave(
    containers: readonly FoundContainer[],
    staying: readonly Instance[] = [...this.instances.values()],
  ): Promise<void> {
    this.#options.changed();
    if (containers.length === 0) return;
    const leaving = containers.map(({ address }) => address);
    await this.#parts.onLeave(this.spec, { staying: staying.map((instance) => instance.status()), leaving });
  }

  /** @param known instances of which one may be the container's */
  async #end(container: FoundContainer, known: readonly Instance[]): Promise<void> {
    const instance = known.find(({ containerId }) => containerId === container.id);
    if (instance === undefined) await this.#fleet.discard(container);
    else await instance.remove();
  }

  async #halt(container: FoundContainer, known: Instance | undefined): Promise<void> {
    if (known?.containerId === container.id) await known.halt();
    else await this.#parts.engine.stop(container.id, restrictions.stopSeconds);
  }

  #tell(line: string): void {
    this.#parts.log(this.spec, 'system', line);
  }
}

/** A daemon before this one has begun to put the one in the place of the others. */
function shareDevices(next: FoundContainer | undefined, old: readonly FoundContainer[]): boolean {
  return next !== undefined && old.some(({ devices }) => devices.some((device) => next.devices.includes(device)));
}
