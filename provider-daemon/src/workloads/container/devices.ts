/**
 * Devices that containers hold, such as graphics processors. Which are held is never noted anywhere: the labels of the
 * containers at the engine say it, so a daemon that starts again knows it, and a container that is removed holds nothing.
 */
import { stat } from 'node:fs/promises';
import type { GpuRequest } from '@mu/proto/deployment';
import { type GpuPool, matches, roomiest } from '../../bidding/gpus.ts';
import { parseDevice } from '../../config/gpus.ts';
import { WorkloadError } from '../driver.ts';
import type { Engine } from './engine.ts';
import { devicesIn, label } from './names.ts';

/** Equal devices; `devices` are texts as `parseDevice` reads them, one for each processor. */
export interface DevicePool extends Omit<GpuPool, 'count'> {
  readonly devices: readonly string[];
}

/** What a container is given. */
export interface HandedDevices {
  /** As the config names them. */
  readonly devices: readonly string[];
  /** Groups of this machine whose members alone may open them. */
  readonly groups: readonly number[];
}

export const noDevices: HandedDevices = { devices: [], groups: [] };

/** A device file of this machine. */
export interface DeviceFile {
  /** Who may open it: everybody, or else the members of a group that is not root’s, or else root alone. */
  readonly openTo: 'all' | 'root' | { readonly group: number };
}

const groupMay = 0o060;
const othersMay = 0o006;

/** @returns undefined where there is no character device at the path: a disk is none */
export async function deviceFile(path: string): Promise<DeviceFile | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isCharacterDevice()) return undefined;
  if ((found.mode & othersMay) === othersMay) return { openTo: 'all' };
  return { openTo: (found.mode & groupMay) === groupMay && found.gid !== 0 ? { group: found.gid } : 'root' };
}

/**
 * Free devices for one container, all of one pool: of the matching one with most left, in the order of the config.
 * @param held and those that are out of order
 * @returns undefined where none has enough
 */
export function chooseDevices(
  pools: readonly DevicePool[],
  held: ReadonlySet<string>,
  gpu: GpuRequest,
): readonly string[] | undefined {
  const free = pools.map(({ devices }) => devices.filter((device) => !held.has(device)));
  const at = roomiest(
    pools,
    free.map(({ length }) => length),
    gpu,
  );
  return at === undefined ? undefined : free[at]?.slice(0, gpu.count);
}

export interface DevicesOptions {
  readonly engine: Pick<Engine, 'list'>;
  readonly pools: readonly DevicePool[];
  /** In place of the machine’s files, for tests. */
  readonly fileOf?: (path: string) => Promise<DeviceFile | undefined>;
}

/** Hands devices to containers as they are made. */
export class Devices {
  readonly #engine: Pick<Engine, 'list'>;
  readonly #pools: readonly DevicePool[];
  readonly #fileOf: (path: string) => Promise<DeviceFile | undefined>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ engine, pools, fileOf = deviceFile }: DevicesOptions) {
    this.#engine = engine;
    this.#pools = pools;
    this.#fileOf = fileOf;
  }

  /**
   * Makes a container with devices that nobody holds. One after the other over all workloads: until a container is at the
   * engine, nothing says that its devices are held.
   * @param yielding containers that have ended, and whose devices are for this one
   * @throws WorkloadError `busy` where too few are free now, `failed` where too few are offered at all
   */
  async handOut<T>(
    gpu: GpuRequest | undefined,
    yielding: readonly string[],
    make: (handed: HandedDevices) => Promise<T>,
  ): Promise<T> {
    if (gpu === undefined) return make(noDevices);
    const result = this.#turn.then(async () => make(await this.#choose(gpu, yielding)));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #choose(gpu: GpuRequest, yielding: readonly string[]): Promise<HandedDevices> {
    const groups = new Map<string, readonly number[]>();
    const broken: string[] = [];
    for (const device of this.#pools.filter((pool) => matches(pool, gpu)).flatMap(({ devices }) => devices)) {
      const found = await this.#groupsOf(device);
      if (found === undefined) broken.push(device);
      else groups.set(device, found);
    }
    const held = await this.#held(yielding);
    const devices = chooseDevices(this.#pools, new Set([...held, ...broken]), gpu);
    if (devices === undefined) throw this.#none(gpu, broken);
    return { devices, groups: [...new Set(devices.flatMap((device) => groups.get(device) ?? []))] };
  }

  /** Of all providers at this engine: a device that two of them offer still is one. */
  async #held(yielding: readonly string[]): Promise<readonly string[]> {
    const containers = await this.#engine.list([label.gpus]);
    return containers.filter(({ id }) => !yielding.includes(id)).flatMap(({ labels }) => devicesIn(labels));
  }

  /** @returns undefined where a file of it is not there */
  async #groupsOf(device: string): Promise<readonly number[] | undefined> {
    const parsed = parseDevice(device);
    if (parsed?.by !== 'paths') return parsed === undefined ? undefined : [];
    const files = await Promise.all(parsed.paths.map(this.#fileOf));
    const groups: number[] = [];
    for (const file of files) {
      if (file === undefined) return undefined;
      if (typeof file.openTo === 'object') groups.push(file.openTo.group);
    }
    return groups;
  }

  #none(gpu: GpuRequest, broken: readonly string[]): WorkloadError {
    const wish = describeGpu(gpu);
    if (!this.#pools.some((pool) => matches(pool, gpu) && pool.devices.length >= gpu.count)) {
      return new WorkloadError('failed', `this provider does not have ${wish}`);
    }
    const gone = broken.length === 0 ? '' : ` (out of order: ${broken.join(', ')})`;
    return new WorkloadError('busy', `${wish} cannot be had now: other containers hold what this provider has${gone}`);
  }
}

/** `2 graphics processors (nvidia/a100)`, for people. */
export function describeGpu({ count, vendor, model }: GpuRequest): string {
  const what = `${vendor || 'any vendor'}/${model || 'any model'}`;
  return `${count} graphics ${count === 1 ? 'processor' : 'processors'} (${what})`;
}
