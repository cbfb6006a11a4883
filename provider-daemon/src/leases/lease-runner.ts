/** Runs what a lease's manifest describes: containers here, functions and doors at the data plane. */
import { filesFor } from '@mu/client/manifest/bundle';
import { openSection } from '@mu/client/manifest/sections';
import type { Lease } from '@mu/proto/market';
import type { Plane, ServedWays } from '../data-plane/plane.ts';
import { reach } from '../faults/fault-points.ts';
import type { HeldFile, ManifestKey, ManifestStore, StoredManifest } from '../manifests/manifest-store.ts';
import { Troubles } from '../troubles.ts';
import type { Quantity } from '../usage/counters.ts';
import { type ContainerSpec, type ServingWorkload, WorkloadError } from '../workloads/driver.ts';
import { WorkloadSet } from '../workloads/workload-set.ts';
import type { Containers } from './container-host.ts';
import type { Databases } from './databases.ts';
import { Doors, type DoorsOptions, type OpenDoors } from './doors.ts';
import { bothOf, noFarConnections } from './far-connections.ts';
import { servedWorkloads } from './instances.ts';
import { LeaseUsage } from './lease-usage.ts';
import type { LinkKeeper } from './link-keeper.ts';
import { checkRoom, type LeasePlace, type LeasePlan, planOf } from './plan.ts';
import { containerWays } from './ways.ts';

export type { LeasePlace } from './plan.ts';

export interface LeaseRunnerOptions extends DoorsOptions {
  readonly plane: Plane;
  /** Undefined where no containers are offered. */
  readonly containers: Pick<Containers, 'host' | 'here'> | undefined;
  /** Volumes are kept so long after their lease, in milliseconds. */
  readonly volumeRetentionMs: number;
  readonly manifests: ManifestStore;
  readonly databases: Databases;
  /** Links with other infrastructures; without it there are none. */
  readonly links?: Pick<LinkKeeper, 'started' | 'stopped'>;
  /** Told of the containers of a lease whenever one of their instances comes, goes, or changes how it stands. */
  readonly onInstances?: (lease: bigint, containers: ReadonlyMap<string, ServingWorkload>) => void;
  /** Something that is tried again later did not work. */
  readonly onTrouble: (lease: bigint, error: unknown) => void;
}

/** What runs for a lease, or is about to. */
export interface RunningView {
  readonly plan: LeasePlan;
  /** By their services' names. */
  readonly containers: ReadonlyMap<string, ServingWorkload>;
}

interface Running {
  readonly place: LeasePlace;
  readonly plan: LeasePlan;
  readonly containers: WorkloadSet<ContainerSpec, ServingWorkload> | undefined;
}

export class LeaseRunner {
  readonly #options: LeaseRunnerOptions;
  readonly #doors: Doors;
  readonly #usage: LeaseUsage;
  readonly #running = new Map<bigint, Running>();
  /** First starts that are under way. */
  readonly #starting = new Map<bigint, Pick<Running, 'plan' | 'containers'>>();

  constructor(options: LeaseRunnerOptions) {
    this.#options = options;
    this.#doors = new Doors(options);
    this.#usage = new LeaseUsage(options);
  }

  /**
   * Starts a revision; what ran before for the lease is replaced only when all of it has started.
   * @returns the addresses at which it answers
   * @throws WorkloadError, ManifestError or Refusal: what ran before runs on then
   */
  async start(
    place: LeasePlace,
    lease: Pick<Lease, 'resources'>,
    at: { readonly revision: bigint; readonly height: bigint },
  ): Promise<readonly string[]> {
    const plan = await this.#planOf(place, at.revision);
    checkRoom(plan.containers, lease);
    const doors = this.#doors.of(place.lease, plan);
    const before = this.#running.get(place.lease);
    const containers = before?.containers ?? this.#containerSet(place.lease, plan);
    if (before !== undefined) reach('update.begun');
    if (before === undefined) this.#starting.set(place.lease, { plan, containers });
    try {
      return await this.#bringUp(place, { plan, containers, before, doors, height: at.height });
    } finally {
      this.#starting.delete(place.lease);
    }
  }

  async #bringUp(
    place: LeasePlace,
    of: Pick<Running, 'plan' | 'containers'> & {
      readonly before: Running | undefined;
      readonly doors: OpenDoors;
      readonly height: bigint;
    },
  ): Promise<readonly string[]> {
    const { plan, containers, before, doors, height } = of;
    try {
      await this.#apply(place, { plan, containers, before, doors });
    } catch (error) {
      if (before === undefined) await this.#options.links?.started(place, noFarConnections);
      else await this.#openAgain(before);
      throw error;
    }
    for (const service of plan.databases) this.#options.databases.table(place.lease, service);
    this.#running.set(place.lease, { place, plan, containers });
    this.#usage.started(place.lease, height);
    await containers?.prune(plan.containers);
    // What only the plan before it was linked with is cut now.
    if (before !== undefined) await this.#options.links?.started(place, plan);
    this.#doors.settle(place.lease, plan);
    return doors.endpoints;
  }

  /** Ways, containers, and then whatever calls them; where one fails, the containers are as before. */
  async #apply(
    place: LeasePlace,
    of: Pick<Running, 'plan' | 'containers'> & { readonly before: Running | undefined; readonly doors: OpenDoors },
  ): Promise<void> {
    const { plan, containers, before, doors } = of;
    const { relays, names } = await this.#ways(plan);
    const ways = { relays: [...relays, ...doors.relays], names };
    reach('plane.opening');
    await this.#options.plane.open(place.lease.toString(), ways);
    reach('plane.opened');
    await this.#options.links?.started(place, before === undefined ? plan : bothOf(plan, before.plan));
    await containers?.apply(plan.containers);
    try {
      await this.#serve(place, plan, { containers, ways });
      reach('plane.served');
    } catch (error) {
      await containers?.apply(before?.plan.containers ?? []);
      await containers?.prune(before?.plan.containers ?? []);
      throw error;
    }
  }

  /** What runs on after an update that failed may call whom it could call before: the update's ways have replaced its own. */
  async #openAgain({ place, plan }: Running): Promise<void> {
    try {
      await this.#options.plane.open(place.lease.toString(), await this.#ways(plan));
    } catch (error) {
      this.#options.onTrouble(place.lease, error);
    }
    await this.#options.links?.started(place, plan);
  }

  /**
   * Stops a lease's workloads, also those that a daemon before this one has left. What they used stays to be taken; volumes
   * and databases stay.
   */
  async stop(lease: bigint): Promise<void> {
    this.#options.links?.stopped(lease);
    const running = this.#running.get(lease);
    if (running === undefined) return this.#clear(lease.toString());
    this.#running.delete(lease);
    await this.#options.plane.withdraw(lease.toString());
    await running.containers?.prune([]);
    this.#usage.stopped(lease, running.containers);
    await this.poll();
  }

  /** Erases what a lease that is over has stored, its volumes after a while, and what was counted for it. */
  async erase(place: LeasePlace): Promise<void> {
    await this.#options.databases.erase(place.lease);
    await this.#options.containers?.here?.volumes.retire(place.lease.toString(), this.#options.volumeRetentionMs);
    this.#doors.free(place.lease);
    await this.#usage.forget(place.lease);
  }

  /**
   * Ends what runs for leases that are over: what a crash, or a lease that ended while the daemon was away, has left.
   * @param isOver asked for each lease of which something is found here
   * @param owing leases with usage that has yet to be reported: what was counted for them stays
   * @throws the first trouble, once all else is done
   */
  async sweep(isOver: (lease: bigint) => Promise<boolean>, owing: ReadonlySet<bigint>): Promise<void> {
    const { plane, containers, databases, volumeRetentionMs } = this.#options;
    const host = containers?.here;
    const served = await plane.served();
    const found = (await host?.driver.found()) ?? [];
    const volumes = (await host?.volumes.list()) ?? [];
    const counted = this.#usage.counted();
    const reachable = this.#doors.leases().map(String);
    const storing = databases.leases().map(String);
    const over = new Set<string>();
    const containing = found.map(({ deployment }) => deployment);
    for (const lease of new Set([...served, ...counted, ...containing, ...volumes, ...reachable, ...storing])) {
      if (await isOver(BigInt(lease))) over.add(lease);
    }
    const isLeft = (lease: string): boolean => over.has(lease);
    const troubles = new Troubles();
    for (const lease of served.filter(isLeft)) await troubles.keep(plane.withdraw(lease));
    for (const lease of counted.filter(isLeft))
      if (!owing.has(BigInt(lease))) await troubles.keep(this.#usage.forget(BigInt(lease)));
    for (const name of found) if (isLeft(name.deployment)) await troubles.keep(host?.driver.remove(name));
    for (const lease of volumes.filter(isLeft)) await troubles.keep(host?.volumes.retire(lease, volumeRetentionMs));
    for (const lease of storing.filter(isLeft)) await troubles.keep(databases.erase(BigInt(lease)));
    for (const lease of reachable.filter(isLeft)) this.#doors.free(BigInt(lease));
    await troubles.keep(host?.volumes.sweep());
    troubles.raise();
  }

  /** What runs for a lease, or is about to; undefined where nothing does. */
  view(lease: bigint): RunningView | undefined {
    const found = this.#running.get(lease) ?? this.#starting.get(lease);
    return found === undefined
      ? undefined
      : { plan: found.plan, containers: found.containers?.workloads() ?? new Map<string, ServingWorkload>() };
  }

  /** Asks the data plane for its totals: what `totals` tells from now on. */
  poll(): Promise<void> {
    return this.#usage.poll();
  }

  /** What the data plane counted for a lease since it was first served, as of the last `poll`. */
  totals(lease: bigint): readonly Quantity[] {
    return this.#usage.totals(lease);
  }

  /** What else a lease used since the last call, up to the block of this height. */
  takeUsage(lease: bigint, height: bigint): Quantity[] {
    const running = this.#running.get(lease);
    const work = running && { containers: running.containers, databases: running.plan.databases };
    return this.#usage.take(lease, height, work);
  }

  async #clear(lease: string): Promise<void> {
    const { plane, containers } = this.#options;
    await plane.withdraw(lease);
    const driver = containers?.here?.driver;
    for (const name of (await driver?.found()) ?? []) if (name.deployment === lease) await driver?.remove(name);
  }

  /** The files that the plan names are right: they were read whole, or nobody has written to them since they were. */
  async #planOf(place: LeasePlace, revision: bigint): Promise<LeasePlan> {
    const key: ManifestKey = { owner: place.owner, dseq: place.dseq, revision };
    const manifest = this.#options.manifests.load(key);
    if (manifest === undefined) throw new Error(`the manifest of revision ${revision} is not held`);
    const secrets = secretsOf(manifest, place.infrastructure);
    const files = new Map<string, HeldFile>();
    for (const { path } of filesFor(manifest.head, [place.infrastructure]))
      files.set(path, await manifest.fileOf(path));
    return planOf({ place, head: manifest.head, secrets, fileOf: (path) => files.get(path) as HeldFile });
  }

  #containerSet(lease: bigint, { containers }: LeasePlan): WorkloadSet<ContainerSpec, ServingWorkload> | undefined {
    if (containers.length === 0) return undefined;
    const host = this.#options.containers?.host();
    if (host === undefined) throw new WorkloadError('invalid', 'this provider runs no containers');
    const watched = new WeakSet<ServingWorkload>();
    const set = new WorkloadSet<ContainerSpec, ServingWorkload>(host.driver, (workload) => {
      this.#tell(lease, set);
      if (!watched.has(workload)) workload.onChange(() => this.#tell(lease, set));
      watched.add(workload);
    });
    return set;
  }

  /** Tells the data plane of every instance that comes, goes, or changes its health. */
  #tell(lease: bigint, containers: WorkloadSet<ContainerSpec, ServingWorkload>): void {
    this.#options.onInstances?.(lease, containers.workloads());
    this.#options.plane
      .place(lease.toString(), servedWorkloads(containers.workloads()))
      .catch((error: unknown) => this.#options.onTrouble(lease, error));
  }

  async #ways(plan: LeasePlan): Promise<ServedWays> {
    const host = plan.containers.length === 0 ? undefined : this.#options.containers?.host();
    return host === undefined ? { relays: [], names: [] } : containerWays(plan, host.networks);
  }

  async #serve(
    place: LeasePlace,
    plan: LeasePlan,
    { containers, ways }: { containers: Running['containers']; ways: ServedWays },
  ): Promise<void> {
    await this.#options.plane.serve({
      lease: place.lease.toString(),
      deployment: `${place.owner}/${place.dseq}`,
      functions: plan.functions,
      gateways: plan.gateways,
      workloads: servedWorkloads(containers?.workloads() ?? new Map()),
      ...ways,
    });
  }
}

function secretsOf(manifest: StoredManifest, infrastructure: string) {
  const key = manifest.keys.get(infrastructure);
  return key === undefined ? { env: {} } : openSection(manifest.head, infrastructure, key);
}
