/** What the machine has, read once at the start, and what of it is offered. */
import { lstat, readdir, statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Dec } from '@mu/lib/dec';
import type { GpuPool } from './gpus.ts';
import { type Capacity, type Kind, kinds, type Resources } from './inventory.ts';

/** How a machine is asked; tests give their own. */
export interface MachineProbe {
  /** cores that this process may use */
  cores(): number;
  /** bytes of memory that this process may use */
  memory(): bigint;
  /** bytes of the file system that a folder is on: all, and those that are free */
  disk(folder: string): Promise<{ readonly size: bigint; readonly free: bigint }>;
  /** bytes that the folder itself takes there */
  usedDisk(folder: string): Promise<bigint>;
}

export const hostProbe: MachineProbe = {
  cores: availableParallelism,
  memory() {
    // In a container the limit of its control group is what counts; 0, or more than there is: no limit.
    const limit = BigInt(process.constrainedMemory());
    const all = BigInt(totalmem());
    return limit > 0n && limit < all ? limit : all;
  },
  async disk(folder) {
    const { blocks, bavail, bsize } = await statfs(folder, { bigint: true });
    return { size: blocks * bsize, free: bavail * bsize };
  },
  async usedDisk(folder) {
    const { dev, blocks } = await lstat(folder, { bigint: true });
    return blocks * blockBytes + (await usedBelow(folder, dev));
  },
};

/** POSIX counts `st_blocks` in these, whatever the file system's own are. */
const blockBytes = 512n;

/** Volumes are mounted inside the folder: what lies on another device is counted where its image lies. */
async function usedBelow(folder: string, device: bigint): Promise<bigint> {
  let sum = 0n;
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    // What goes away while it is counted takes no room.
    const stat = await lstat(path, { bigint: true }).catch(() => undefined);
    if (stat === undefined || stat.dev !== device) continue;
    sum += stat.blocks * blockBytes;
    if (stat.isDirectory()) sum += await usedBelow(path, device);
  }
  return sum;
}

/** What the machine has. Disk is what leases may fill: what is free, and what the data folder has of it already. */
export interface Machine extends Resources {
  /** of the whole file system */
  readonly diskSize: bigint;
}

/** @throws Error of the file system */
export async function readMachine(probe: MachineProbe, dataFolder: string): Promise<Machine> {
  const [{ size, free }, used] = await Promise.all([probe.disk(dataFolder), probe.usedDisk(dataFolder)]);
  return { cpu: BigInt(probe.cores()) * 1_000n, memory: probe.memory(), disk: free + used, diskSize: size };
}

/** Section `capacity` of the config. An amount of 0: all that the machine has. */
export interface CapacitySettings extends Resources {
  /** how often a core is sold */
  readonly cpuOvercommit: Dec;
  readonly memoryOvercommit: Dec;
  readonly gpus: readonly GpuPool[];
}

const units = { cpu: 'thousandths of a core', memory: 'bytes', disk: 'bytes' } as const;

/**
 * What is offered of a machine. Disk that others fill meanwhile makes the offer smaller, and keeps nobody from starting
 * again: leases live here.
 * @throws Error when more is offered than the machine has times its over-commit factor
 */
export function offeredCapacity(settings: CapacitySettings, machine: Machine): Capacity {
  const most: Resources = {
    cpu: settings.cpuOvercommit.mulInt(machine.cpu).truncateInt(),
    memory: settings.memoryOvercommit.mulInt(machine.memory).truncateInt(),
    // Disk is handed out whole: a volume that is not there cannot be written.
    disk: machine.diskSize,
  };
  for (const kind of kinds) {
    if (settings[kind] <= most[kind]) continue;
    const factor = kind === 'disk' ? '' : ` (with capacity.${kind}_overcommit)`;
    throw new Error(
      `capacity.${kind} offers ${settings[kind]} ${units[kind]}, but this machine has ${most[kind]}${factor}: offer less, or 0 for all of it`,
    );
  }
  const offered = (kind: Kind, all: bigint): bigint =>
    settings[kind] === 0n || settings[kind] > all ? all : settings[kind];
  return {
    cpu: offered('cpu', most.cpu),
    memory: offered('memory', most.memory),
    disk: offered('disk', machine.disk),
    gpus: settings.gpus,
  };
}
