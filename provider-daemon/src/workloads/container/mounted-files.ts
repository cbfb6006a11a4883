/**
 * Files of manifests as containers have them: hard links, each service's in a folder of its own, named by their content.
 *
 * ```
 * mounted-files/<lease>~<service>/<sha256>
 * ```
 *
 * What a container mounts must be there as long as the container is, since the engine starts it again by itself. Its manifest
 * may have been erased by then: where a later one has the same file the container is not made anew. A link keeps the bytes,
 * takes no room beside them, and shows the engine this one file instead of a folder of the store.
 */
import { chmod, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type MountedFile, WorkloadError, type WorkloadName } from '../driver.ts';

/** Whoever runs the container may read it, whatever user the engine maps that one to; nobody may execute it. */
const fileMode = 0o644;
/** Can be passed through, not listed: above it the data folder lets nobody in but the daemon and the engine. */
const folderMode = 0o711;
/** In no name of a lease or a service. */
const separator = '~';

export class MountedFiles {
  readonly #folder: string;

  /** @param folder its own, on the file system of the manifests */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Has a file here, as its source is now: what is mounted at the next start is what was verified for this version. A link
   * whose source has gone since stays as it is.
   * @returns its path; the same for the same content
   * @throws WorkloadError `failed` where there is neither, or the file system cannot link them
   */
  async ensure(workload: WorkloadName, { source, sha256 }: MountedFile): Promise<string> {
    const folder = this.#folderOf(workload);
    await mkdir(folder, { recursive: true, mode: folderMode });
    const path = join(folder, sha256);
    const [from, here] = [await statOf(source), await statOf(path)];
    if (from === undefined) {
      if (here !== undefined) return path;
      throw new WorkloadError('failed', `${workload.service}: the manifest’s file at ${source} is not there any more`);
    }
    // Each change shows in its times, and has it read again before the next start: none is made for nothing.
    if ((from.mode & 0o777) !== fileMode) await chmod(source, fileMode);
    if (here?.ino !== from.ino || here.dev !== from.dev) await replaceLink(source, path);
    return path;
  }

  /** Takes away the files of a service that no container of it has any more. @param keep those that stay, by their content */
  async release(workload: WorkloadName, keep: readonly MountedFile[] = []): Promise<void> {
    const folder = this.#folderOf(workload);
    if (keep.length === 0) return rm(folder, { recursive: true, force: true });
    const kept = new Set(keep.map(({ sha256 }) => sha256));
    for (const name of await namesIn(folder)) if (!kept.has(name)) await rm(join(folder, name), { force: true });
  }

  /** Services of which files are here. */
  async found(): Promise<WorkloadName[]> {
    return (await namesIn(this.#folder)).flatMap((name) => {
      const [deployment, service, ...more] = name.split(separator);
      return deployment === undefined || service === undefined || more.length > 0 ? [] : [{ deployment, service }];
    });
  }

  #folderOf({ deployment, service }: WorkloadName): string {
    return join(this.#folder, `${deployment}${separator}${service}`);
  }
}

/** Renamed: a container that is being started finds the one or the other, which are the same. */
async function replaceLink(source: string, path: string): Promise<void> {
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true });
  try {
    await link(source, unfinished);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    throw new WorkloadError('failed', `${source} and ${path} must be on one file system: keep the data folder whole`);
  }
  await rename(unfinished, path);
}

/** @returns undefined where there is nothing */
async function statOf(path: string): Promise<{ dev: bigint; ino: bigint; mode: number } | undefined> {
  try {
    const { dev, ino, mode } = await stat(path, { bigint: true });
    return { dev, ino, mode: Number(mode) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** None where there is no such folder. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
