/**
 * What runs containers on this machine: driver, networks and volumes, on one engine. The engine may be away when the daemon
 * starts: functions are served meanwhile, and leases with containers start when it is there.
 */

import { join } from 'node:path';
import { messageOf } from '@mu/lib/error-message';
import Docker from 'dockerode';
import type { Logger } from 'pino';
import type { ProviderConfig } from '../config/schema.ts';
import { dockerNetworks } from '../network/docker-networks.ts';
import { parseSubnet } from '../network/ipv4.ts';
import type { Networks } from '../network/networks.ts';
import { LoopVolumes } from '../volumes/loop-volumes.ts';
import type { Volumes } from '../volumes/volumes.ts';
import { ContainerDriver } from '../workloads/container/container-driver.ts';
import {
  type ContainerSpec,
  type OnLeave,
  type ServingWorkload,
  type WorkloadDriver,
  WorkloadError,
  type WorkloadLog,
} from '../workloads/driver.ts';

export interface ContainerHost {
  readonly driver: WorkloadDriver<ContainerSpec, ServingWorkload>;
  readonly networks: Networks;
  readonly volumes: Volumes;
}

export interface ContainerHostOptions {
  readonly config: ProviderConfig;
  /** by its address; several providers may share an engine */
  readonly provider: string;
  readonly onLog: WorkloadLog;
  readonly onLeave: OnLeave;
  readonly log: Logger;
}

/** Between two looks for an engine that is away. */
const lookAgainMs = 2_000;
/** The rules of networks are put in place again so often: somebody may have flushed them. */
const fenceEveryMs = 60_000;

/** The containers' side of the machine, once its engine answers. */
export class Containers {
  readonly #options: ContainerHostOptions;
  #host: ContainerHost | undefined;
  #why = '';
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: ContainerHostOptions) {
    this.#options = options;
  }

  /** Looks for the engine, and goes on looking where it is away. Undefined where no containers are offered. */
  static async open(options: ContainerHostOptions): Promise<Containers | undefined> {
    if (!options.config.offer.services.includes('mu-workload')) return undefined;
    const containers = new Containers(options);
    await containers.#look();
    return containers;
  }

  /** @throws WorkloadError `failed` while the engine is away */
  host(): ContainerHost {
    if (this.#host !== undefined) return this.#host;
    throw new WorkloadError('failed', `containers cannot be run now: ${this.#why}`);
  }

  /** Undefined while the engine is away. */
  get here(): ContainerHost | undefined {
    return this.#host;
  }

  /** Lets go: containers run on. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#host?.driver.close();
  }

  async #look(): Promise<void> {
    try {
      this.#host = await openHost(this.#options);
      this.#fence(this.#host.networks);
    } catch (error) {
      const why = messageOf(error);
      if (why !== this.#why) this.#options.log.error({ reason: why }, 'the container engine is away');
      this.#why = why;
      if (!this.#closed) this.#timer = setTimeout(() => void this.#look(), lookAgainMs);
    }
  }

  #fence(networks: Networks): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      networks
        .refresh()
        .catch((error: Error) => this.#options.log.error({ reason: error.message }, 'networks cannot be fenced'))
        .finally(() => this.#fence(networks));
    }, fenceEveryMs);
  }
}

async function openHost({ config, provider, onLog, onLeave, log }: ContainerHostOptions): Promise<ContainerHost> {
  const { socket, networkPool, deniedNetworks, maxImage, maxImageUnpacked, allowPrivateRegistries } = config.containers;
  const pool = parseSubnet(networkPool);
  if (pool === undefined) throw new WorkloadError('invalid', `containers.network_pool ${networkPool} is no subnet`);
  const docker = new Docker({ socketPath: socket });
  const networks = dockerNetworks({ docker, provider, pool, denied: deniedNetworks });
  const volumes = new LoopVolumes({ dataFolder: config.node.dataFolder, now: Date.now });
  const driver = await ContainerDriver.create({
    provider,
    stateFolder: join(config.node.dataFolder, 'containers'),
    networks,
    volumes,
    socket,
    log: onLog,
    onLeave,
    logger: (line) => log.info({ part: 'containers' }, line),
    maxImageBytes: Number(maxImage),
    maxUnpackedImageBytes: Number(maxImageUnpacked),
    allowPrivateRegistries,
    gpus: config.capacity.gpus.map(({ vendor, model, devices = [] }) => ({ vendor, model, devices })),
  });
  try {
    // Before anything is started: what stands is fenced again, also after the host's rules were lost.
    await networks.refresh();
  } catch (error) {
    await driver.close();
    throw error;
  }
  return { driver, networks, volumes };
}
