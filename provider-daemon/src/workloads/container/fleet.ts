/** Containers of one workload at the engine: what a version needs, what is there, and making one more. */

import { reach } from '../../faults/fault-points.ts';
import { type WorkloadNetwork, wishOf } from '../../network/networks.ts';
import { type ContainerSpec, WorkloadError, type WorkloadName } from '../driver.ts';
import { createBody, type HostPaths, restrictions, userOf } from './create-options.ts';
import type { HandedDevices } from './devices.ts';
import type { ImageTeller, ReadyImage } from './images.ts';
import { type ContainerPlace, containerName, devicesIn, labelFilters, placeOf, specHashOf } from './names.ts';
import type { ContainerParts } from './parts.ts';

/** A version with all that its containers need, which is here. */
export interface Target {
  readonly spec: ContainerSpec;
  readonly specHash: string;
  readonly image: ReadyImage;
  readonly network: WorkloadNetwork;
}

/** A container that is at the engine, running or not. */
export interface FoundContainer {
  readonly id: string;
  readonly place: ContainerPlace;
  readonly address: string;
  readonly devices: readonly string[];
}

type Addressed = Pick<FoundContainer, 'address'>;

export interface MakeOptions {
  readonly here?: readonly Addressed[] | undefined;
  readonly yielding?: readonly FoundContainer[];
}

export class Fleet {
  readonly #parts: ContainerParts;
  readonly #workload: WorkloadName;

  constructor(parts: ContainerParts, workload: WorkloadName) {
    this.#parts = parts;
    this.#workload = workload;
  }

  /**
   * Image first: where it cannot be had, nothing has changed.
   * @param isFirst nothing of the workload is here: image and network come at the same time, and what came goes where one fails
   * @throws WorkloadError
   */
  async prepare(spec: ContainerSpec, isFirst: boolean): Promise<Target> {
    const { images, networks, provider, log } = this.#parts;
    const { image: source } = spec.artifact;
    const key = await images.keyOf(source);
    const tell: ImageTeller = (line, event) => log(this.#workload, 'system', line, event);
    const fetching = images.ensure(this.#workload, source, { key, tell });
    if (!isFirst) await fetching;
    const [image, network] = await Promise.all([fetching, networks.ensure(this.#workload, wishOf(spec))]);
    // What is here already is started again with it.
    this.#parts.resolverFiles.ensure(network.gateway);
    const specHash = specHashOf(spec, { provider, image: key, network: network.name });
    return { spec, specHash, image, network };
  }

  /** All of this workload, by the labels. */
  async find(): Promise<FoundContainer[]> {
    const found = await this.#parts.engine.list(labelFilters(this.#parts.provider, this.#workload));
    return found.flatMap(({ id, labels }) => {
      const place = placeOf(labels);
      return place === undefined ? [] : [{ id, place, address: place.address, devices: devicesIn(labels) }];
    });
  }

  /** Mounts an instance’s volumes, and has its files where they are mounted from. */
  async mount({ spec, image }: Target, instance: number): Promise<HostPaths> {
    const user = userOf(spec, image.user);
    const folders = new Map<string, string>();
    for (const { name, bytes } of spec.volumes) {
      const id = { ...this.#workload, instance, name };
      folders.set(name, await this.#parts.volumes.ensure(id, { bytes, ...user }));
    }
    const files = new Map<string, string>();
    for (const file of spec.files ?? [])
      files.set(file.path, await this.#parts.mountedFiles.ensure(this.#workload, file));
    return { volumeFolders: folders, mountedFiles: files };
  }

  /**
   * Makes a container and does not start it.
   * @param around.here what is there, where that is known
   * @param around.yielding containers that have ended, and whose devices are for this one
   * @throws WorkloadError `busy` where it cannot have the devices that it needs
   */
  async make(target: Target, instance: number, { here, yielding = [] }: MakeOptions = {}): Promise<FoundContainer> {
    const place = { ...this.#workload, instance, specHash: target.specHash };
    const address = freeAddress(target, here ?? (await this.find()));
    const ids = yielding.map(({ id }) => id);
    return this.#parts.devices.handOut(target.spec.gpu, ids, (handed) => this.#create(target, place, address, handed));
  }

  async #create(
    target: Target,
    place: ContainerPlace,
    address: string,
    handed: HandedDevices,
  ): Promise<FoundContainer> {
    const { engine, provider, hasIpv6 } = this.#parts;
    const { name, gateway } = target.network;
    const body = createBody(target.spec, {
      provider,
      place,
      image: target.image.name,
      imageUser: target.image.user,
      imageVolumes: target.image.volumes,
      network: { name, gateway, address },
      resolverFile: this.#parts.resolverFiles.ensure(gateway),
      ...(await this.mount(target, place.instance)),
      handed,
      hasIpv6,
    });
    const id = await engine.create(containerName(place), body);
    reach('container.created');
    return { id, place, address, devices: handed.devices };
  }

  /** Ends and removes a container that nobody here has a picture of. */
  async discard({ id }: FoundContainer): Promise<void> {
    await this.#parts.engine.stop(id, restrictions.stopSeconds);
    await this.#parts.engine.remove(id);
    this.#parts.marks.remove(`log-${id}`);
  }
}

function freeAddress({ network }: Target, here: readonly Addressed[]): string {
  const taken = new Set(here.map(({ address }) => address));
  const free = network.addresses.find((address) => !taken.has(address));
  if (free !== undefined) return free;
  throw new WorkloadError('failed', `no address is free in the network ${network.name}`);
}

/** A container of this version, which is in its network as that is now. */
export function fits({ specHash, network }: Target, { place, address }: FoundContainer): boolean {
  return place.specHash === specHash && network.addresses.includes(address);
}
