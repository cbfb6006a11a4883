/** Containers on the Docker Engine (design §7). They outlive the daemon: `start` takes over what runs already. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Networks } from '../../network/networks.ts';
import { Turns } from '../../turns.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import {
  type ContainerSpec,
  type OnLeave,
  type ServingWorkload,
  type WorkloadDriver,
  WorkloadError,
  type WorkloadLog,
  type WorkloadName,
} from '../driver.ts';
import { type Clock, realClock } from './clock.ts';
import { type DevicePool, Devices } from './devices.ts';
import { DockerEngine } from './docker-engine.ts';
import { forgetEgress } from './egress-meter.ts';
import type { Engine, EngineEvent } from './engine.ts';
import { EngineWatch } from './engine-watch.ts';
import { Fleet } from './fleet.ts';
import { httpProbe, type Probe } from './health.ts';
import { Images } from './images.ts';
import { FolderMarks } from './marks.ts';
import { MountedFiles } from './mounted-files.ts';
import { keyOf, labelFilters, placeOf } from './names.ts';
import { type ContainerParts, defaultPatience, type Patience } from './parts.ts';
import { freeBytesAt } from './pull.ts';
import { ResolverFiles } from './resolver-files.ts';
import { checkSpec } from './spec-check.ts';
import { ContainerWorkload } from './workload.ts';

const gibibyte = 1024 ** 3;
/** Egress is read this often; what is billed is what was read. */
const pollEveryMs = 5_000;

export interface ContainerDriverOptions {
  /** Which provider, among those that may share the engine: its address. */
  readonly provider: string;
  /** For marks; kept over restarts. Beside it, on the file system of the manifests, are the files that containers mount. */
  readonly stateFolder: string;
  readonly networks: Networks;
  readonly volumes: Volumes;
  /** The engine's socket; `/var/run/docker.sock` where left out. */
  readonly socket?: string;
  readonly log?: WorkloadLog;
  /** Instances end at once where it is left out. */
  readonly onLeave?: OnLeave;
  /** Lines about the driver itself: the engine, and when it is away. */
  readonly logger?: (line: string) => void;
  /** Compressed; 4 GiB. */
  readonly maxImageBytes?: number;
  /** On the disk; 10 GiB. */
  readonly maxUnpackedImageBytes?: number;
  /** Stays free on the engine's disk while images are fetched; 1 GiB. */
  readonly reserveDiskBytes?: number;
  /** Registries in private networks too; for local networks only. */
  readonly allowPrivateRegistries?: boolean;
  /** Devices for containers whose spec asks for graphics processors; none where it is left out. */
  readonly gpus?: readonly DevicePool[];
  readonly patience?: Partial<Patience>;
  readonly clock?: Clock;
  readonly probe?: Probe;
  /** In place of the engine at `socket`, for tests. */
  readonly engine?: Engine;
}

export class ContainerDriver implements WorkloadDriver<ContainerSpec, ServingWorkload> {
  readonly name = 'container';
  readonly artifacts = ['image'] as const;
  readonly #parts: ContainerParts;
  readonly #watch: EngineWatch;
  readonly #workloads = new Map<string, ContainerWorkload>();
  readonly #turns = new Turns();
  readonly #close = new AbortController();
  readonly #polling: Promise<void>;
  readonly #logger: (line: string) => void;

  /** Use `ContainerDriver.create`. */
  private constructor(parts: Omit<ContainerParts, 'engineGoneSinceMs'>, logger: (line: string) => void) {
    this.#logger = logger;
    this.#parts = { ...parts, engineGoneSinceMs: () => this.#watch.goneSinceMs };
    this.#watch = new EngineWatch({
      engine: parts.engine,
      provider: parts.provider,
      clock: parts.clock,
      onEvent: (event) => this.#onEvent(event),
      onReview: () => this.#review(),
      onChange: (why) => this.#onEngineChange(why),
    });
    this.#polling = this.#poll();
  }

  /**
   * Finds the engine.
   * @throws WorkloadError `failed` where there is none, it would run containers without seccomp, or give devices to all
   */
  static async create(options: ContainerDriverOptions): Promise<ContainerDriver> {
    const clock = options.clock ?? realClock;
    const logger = options.logger ?? (() => {});
    const engine = options.engine ?? new DockerEngine(options.socket === undefined ? {} : { socket: options.socket });
    const facts = await engine.facts();
    if (!facts.seccomp) {
      throw new WorkloadError(
        'failed',
        `the container engine at ${engine.endpoint} runs containers without seccomp; take “seccomp-profile: unconfined” out of /etc/docker/daemon.json`,
      );
    }
    if (facts.nvidiaForAll) {
      throw new WorkloadError(
        'failed',
        `the container engine at ${engine.endpoint} runs every container by NVIDIA’s runtime, which hands over any graphics processor that a container’s environment names; take “default-runtime” out of /etc/docker/daemon.json`,
      );
    }
    logger(`containers run on Docker ${facts.version} at ${engine.endpoint}`);
    const images = new Images({
      engine,
      facts,
      provider: options.provider,
      limits: {
        maxBytes: options.maxImageBytes ?? 4 * gibibyte,
        maxUnpackedBytes: options.maxUnpackedImageBytes ?? 10 * gibibyte,
      },
      allowPrivateRegistries: options.allowPrivateRegistries ?? false,
      guard: {
        clock,
        freeBytes: () => freeBytesAt(facts.rootFolder),
        reserveBytes: options.reserveDiskBytes ?? gibibyte,
      },
    });
    const { networks, volumes, provider } = options;
    await networks.refresh();
    return new ContainerDriver(
      {
        engine,
        networks,
        volumes,
        images,
        devices: new Devices({ engine, pools: options.gpus ?? [] }),
        marks: new FolderMarks(options.stateFolder),
        resolverFiles: new ResolverFiles(join(options.stateFolder, '..', 'resolvers')),
        mountedFiles: new MountedFiles(join(options.stateFolder, '..', 'mounted-files')),
        clock,
        probe: options.probe ?? httpProbe,
        log: options.log ?? (() => {}),
        onLeave: options.onLeave ?? (async () => {}),
        provider,
        execs: { running: 0 },
        patience: { ...defaultPatience, ...options.patience },
        hasIpv6: existsSync('/proc/sys/net/ipv6'),
      },
      logger,
    );
  }

  check(spec: ContainerSpec): void {
    checkSpec(spec);
  }

  start(spec: ContainerSpec): Promise<ServingWorkload> {
    return this.#turns.take(keyOf(spec), async () => {
      if (this.#close.signal.aborted) throw new WorkloadError('failed', 'the driver is closed');
      checkSpec(spec);
      const known = this.#workloads.get(keyOf(spec));
      if (known !== undefined && !known.isEnding) {
        await known.update(spec);
        return known;
      }
      // The engine went while it was ended: what is left of it has to go before anything of it comes back.
      await known?.stop();
      const workload = new ContainerWorkload(this.#parts, spec, () => this.#workloads.delete(keyOf(spec)));
      this.#workloads.set(keyOf(spec), workload);
      try {
        await workload.open();
      } catch (error) {
        this.#workloads.delete(keyOf(spec));
        throw error;
      }
      return workload;
    });
  }

  async found(): Promise<readonly WorkloadName[]> {
    const { engine, provider, networks, images, mountedFiles } = this.#parts;
    const containers = await engine.list(labelFilters(provider));
    const names = [
      ...containers.flatMap(({ labels }) => placeOf(labels) ?? []),
      ...(await networks.list()),
      ...(await images.found()),
      ...(await mountedFiles.found()),
    ];
    const byKey = new Map(
      names.map(({ deployment, service }) => [`${deployment}/${service}`, { deployment, service }]),
    );
    return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name);
  }

  remove(name: WorkloadName): Promise<void> {
    return this.#turns.take(keyOf(name), async () => {
      const workload = this.#workloads.get(keyOf(name));
      if (workload !== undefined) return workload.stop();
      const { networks, images, marks, mountedFiles } = this.#parts;
      const fleet = new Fleet(this.#parts, name);
      await Promise.all((await fleet.find()).map((container) => fleet.discard(container)));
      await networks.remove(name);
      await images.release(name);
      await mountedFiles.release(name);
      forgetEgress(marks, name);
    });
  }

  async close(): Promise<void> {
    this.#close.abort();
    await Promise.all([...this.#workloads.values()].map((workload) => workload.release()));
    await Promise.all([this.#watch.close(), this.#polling]);
    this.#workloads.clear();
  }

  #onEvent(event: EngineEvent): void {
    const place = placeOf(event.labels);
    if (place !== undefined) this.#workloads.get(keyOf(place))?.onEvent(event);
  }

  async #review(): Promise<void> {
    // An engine that was started again has set the firewall up anew.
    if (this.#watch.goneSinceMs !== undefined) await this.#parts.networks.refresh();
    await Promise.all([...this.#workloads.values()].map((workload) => workload.review()));
    await this.#sweepMarks();
  }

  #onEngineChange(why: string | undefined): void {
    this.#logger(why === undefined ? 'the container engine is back; everything has been read anew' : why);
    for (const workload of this.#workloads.values()) workload.engineChanged(why);
  }

  /** Marks of containers that are no more. */
  async #sweepMarks(): Promise<void> {
    const { marks, engine, provider } = this.#parts;
    const named = marks.names().filter((name) => name.startsWith('log-'));
    const ids = new Set((await engine.list(labelFilters(provider))).map(({ id }) => `log-${id}`));
    for (const name of named) if (!ids.has(name)) marks.remove(name);
  }

  async #poll(): Promise<void> {
    const { signal } = this.#close;
    const { clock } = this.#parts;
    while (!signal.aborted) {
      await clock.wait(pollEveryMs, signal);
      for (const workload of this.#workloads.values()) {
        if (signal.aborted) return;
        await workload.poll().catch((error: Error) => this.#logger(`egress could not be read: ${error.message}`));
      }
    }
  }
}
