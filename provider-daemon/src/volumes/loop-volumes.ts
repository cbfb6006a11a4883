/**
 * Volumes in files of the data folder:
 *
 * ```
 * volumes/<lease>/.retired                                      when it is to be erased; only after the lease's end
 * volumes/<lease>/<service>/<instance>/<name>/volume.img        the file system, all of its bytes reserved
 * volumes/<lease>/<service>/<instance>/<name>/mount/data        where it is mounted; a container is given `data`
 * ```
 *
 * A container is given `data` and not the root, where `lost+found` would make databases refuse an "empty" folder.
 */

import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { reach } from '../faults/fault-points.ts';
import { Troubles } from '../troubles.ts';
import { Turns } from '../turns.ts';
import { WorkloadError } from '../workloads/driver.ts';
import { LoopFiles, type VolumeFiles } from './mounts.ts';
import type { VolumeId, Volumes } from './volumes.ts';

/** Of ext4 with its journal; below it there is no use for one. */
export const minVolumeBytes = 8 << 20;
/** Stays free on the host's disk whatever is leased: the daemon's own journal is there. */
export const defaultKeepFreeBytes = 256 << 20;
/** Of a volume's instances; also keeps paths short. */
const maxInstance = 9999;

/** What is a folder's name begins with a letter or a digit: it leads nowhere else, and files of ours begin with a dot. */
const leaseName = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const partName = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;
const retiredFile = '.retired';
const retiredMark = z.object({ dueMs: z.number() });
const userFolder = 'data';
/** Prefix of folders that are being erased. */
const erasing = '.erasing-';

export interface LoopVolumesOptions {
  /** The daemon's data folder. */
  readonly dataFolder: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly keepFreeBytes?: number;
  readonly files?: VolumeFiles;
}

interface Places {
  readonly lease: string;
  readonly image: string;
  readonly mount: string;
}

export class LoopVolumes implements Volumes {
  readonly #options: LoopVolumesOptions;
  readonly #files: VolumeFiles;
  readonly #keepFreeBytes: number;
  /** Work on a lease's volumes, one after the other. */
  readonly #turns = new Turns();

  constructor(options: LoopVolumesOptions) {
    this.#options = options;
    this.#files = options.files ?? new LoopFiles();
    this.#keepFreeBytes = options.keepFreeBytes ?? defaultKeepFreeBytes;
  }

  async ensure(
    id: VolumeId,
    options: { readonly bytes: number; readonly uid: number; readonly gid: number },
  ): Promise<string> {
    checkId(id);
    checkWish(id, options);
    return this.#turns.take(id.deployment, async () => {
      const places = await this.#places(id);
      await mkdir(places.mount, { recursive: true, mode: 0o700 });
      const size = await sizeOf(places.image);
      if (size === undefined) await this.#create(id, places, options.bytes);
      else if (size !== options.bytes) {
        throw new WorkloadError(
          'invalid',
          `volume ${describe(id)} stands with ${size} bytes and cannot become ${options.bytes}: keep its size, or give the new one another name`,
        );
      }
      // Whoever wants it says that the lease lives.
      await rm(join(places.lease, retiredFile), { force: true });
      await this.#files.mount(places.image, places.mount);
      reach('volume.mounted');
      const folder = join(places.mount, userFolder);
      await mkdir(folder, { recursive: true });
      await chown(folder, options.uid, options.gid);
      await chmod(folder, 0o770);
      return folder;
    });
  }

  async usedBytes(id: VolumeId): Promise<bigint> {
    checkId(id);
    const { mount } = await this.#places(id);
    // Else the figures would be those of the host's disk.
    if (!(await this.#files.mountedBelow(mount)).includes(mount)) return 0n;
    const { blocks, bfree, bsize } = await statfs(mount, { bigint: true });
    return (blocks - bfree) * bsize;
  }

  async retire(deployment: string, retentionMs: number): Promise<void> {
    checkLease(deployment);
    return this.#turns.take(deployment, async () => {
      const folder = join(await this.#root(), deployment);
      if ((await sizeOf(folder)) === undefined) return;
      // The first word counts: a lease that is told twice to be over is not kept longer.
      if ((await dueOf(folder)) === undefined) await writeMark(folder, this.#options.now() + retentionMs);
      await this.#unmountAll(folder);
    });
  }

  async letGo(deployment: string): Promise<void> {
    checkLease(deployment);
    return this.#turns.take(deployment, async () => this.#unmountAll(join(await this.#root(), deployment)));
  }

  async retiredBytes(): Promise<bigint> {
    const root = await this.#root();
    let sum = 0n;
    for (const lease of await this.list()) {
      if ((await dueOf(join(root, lease))) === undefined) continue;
      for (const image of await imagesOf(join(root, lease))) sum += BigInt((await sizeOf(image)) ?? 0);
    }
    return sum;
  }

  async sweep(): Promise<void> {
    const root = await this.#root();
    // What one lease's volumes hinder keeps no other tenant's data here.
    const troubles = new Troubles();
    for (const lease of await this.list())
      await troubles.keep(this.#turns.take(lease, () => this.#sweepLease(root, lease)));
    for (const name of await readdir(root)) {
      if (name.startsWith(erasing)) await troubles.keep(rm(join(root, name), { recursive: true, force: true }));
    }
    troubles.raise();
  }

  async #sweepLease(root: string, lease: string): Promise<void> {
    const folder = join(root, lease);
    const dueMs = await dueOf(folder);
    if (dueMs === undefined) return;
    await this.#unmountAll(folder);
    // Renamed first: a volume that is half erased must not be taken for one that stands.
    if (dueMs <= this.#options.now()) await rename(folder, join(root, `${erasing}${lease}`));
  }

  async list(): Promise<readonly string[]> {
    const names = await readdir(await this.#root());
    return names.filter((name) => leaseName.test(name)).sort();
  }

  async #create(id: VolumeId, { image }: Places, bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(await this.#root(), { bigint: true });
    const free = bavail * bsize - BigInt(this.#keepFreeBytes);
    if (BigInt(bytes) > free) {
      throw new WorkloadError(
        'failed',
        `the disk has no room for volume ${describe(id)}: ${bytes} bytes are wished, ${free > 0n ? free : 0n} are free`,
      );
    }
    await this.#files.create(image, bytes);
  }

  /** @throws WorkloadError `failed` while a container has it open; the next sweep tries again */
  async #unmountAll(folder: string): Promise<void> {
    for (const point of await this.#files.mountedBelow(folder)) await this.#files.unmount(point);
  }

  /** Without symbolic links: the kernel tells mounts by their true paths. */
  async #root(): Promise<string> {
    const root = join(this.#options.dataFolder, 'volumes');
    await mkdir(root, { recursive: true, mode: 0o700 });
    return realpath(root);
  }

  async #places({ deployment, service, instance, name }: VolumeId): Promise<Places> {
    const lease = join(await this.#root(), deployment);
    const folder = join(lease, service, String(instance), name);
    return { lease, image: join(folder, 'volume.img'), mount: join(folder, 'mount') };
  }
}

/** Of all volumes of a lease; nothing below a mount is looked at, as it is the tenant's. */
async function imagesOf(lease: string): Promise<string[]> {
  let folders = [lease];
  for (const _level of ['service', 'instance', 'name']) {
    const below = folders.map(async (folder) => {
      const names = await readdir(folder).catch(() => []);
      return names.map((name) => join(folder, name));
    });
    folders = (await Promise.all(below)).flat();
  }
  return folders.map((folder) => join(folder, 'volume.img'));
}

const describe = ({ deployment, service, instance, name }: VolumeId): string =>
  `${deployment}/${service}/${instance}/${name}`;

function checkLease(deployment: string): void {
  if (!leaseName.test(deployment)) {
    throw new WorkloadError(
      'invalid',
      `a volume belongs to a lease, and no lease is called ${JSON.stringify(deployment)}`,
    );
  }
}

/** What becomes part of a path is a plain name. */
function checkId({ deployment, service, instance, name }: VolumeId): void {
  checkLease(deployment);
  for (const part of [service, name]) {
    if (!partName.test(part)) {
      throw new WorkloadError(
        'invalid',
        `${JSON.stringify(part)} is no name of a service or a volume: letters, digits, ".", "-" and "_", at most 64`,
      );
    }
  }
  if (!Number.isInteger(instance) || instance < 0 || instance > maxInstance) {
    throw new WorkloadError('invalid', `a volume's instance is a number from 0 to ${maxInstance}, not ${instance}`);
  }
}

function checkWish(id: VolumeId, { bytes, uid, gid }: { bytes: number; uid: number; gid: number }): void {
  if (!Number.isSafeInteger(bytes) || bytes < minVolumeBytes) {
    throw new WorkloadError('invalid', `volume ${describe(id)} needs at least ${minVolumeBytes} bytes, not ${bytes}`);
  }
  for (const number of [uid, gid]) {
    if (!Number.isInteger(number) || number < 1 || number > 0xffff_fffe) {
      throw new WorkloadError('invalid', `volume ${describe(id)} needs a user and a group that are not root's`);
    }
  }
}

/** @returns undefined where there is nothing */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}

async function dueOf(folder: string): Promise<number | undefined> {
  try {
    return retiredMark.parse(JSON.parse(await readFile(join(folder, retiredFile), 'utf8'))).dueMs;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}

async function writeMark(folder: string, dueMs: number): Promise<void> {
  const unfinished = join(folder, `${retiredFile}.new`);
  await writeFile(unfinished, JSON.stringify({ dueMs }), { flush: true });
  await rename(unfinished, join(folder, retiredFile));
}
