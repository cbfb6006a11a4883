/**
 * The folder of snapshots: `<height>/<format>/` with a description and one file per chunk. A snapshot is written beside
 * its place and moved there whole, so that what has the name of a snapshot is one.
 */
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decodeDescription, encodeDescription, type SnapshotInfo } from './format.ts';

/** Name of the description in a folder, and of the first file of an archive: the SDK's. */
export const descriptionName = '_snapshot';
/** Beginning of the names of what is not whole. */
const unfinished = '.new-';

export interface StoredSnapshot extends SnapshotInfo {
  /** when it was moved to its place */
  readonly takenAtMs: number;
}

export class SnapshotFiles {
  readonly root: string;

  /** @param root the folder; it need not exist */
  constructor(root: string) {
    this.root = root;
  }

  /** All snapshots, the newest first. What is damaged is left out. */
  async list(): Promise<StoredSnapshot[]> {
    const found: StoredSnapshot[] = [];
    for (const height of await numbersIn(this.root)) {
      for (const format of await numbersIn(join(this.root, height))) {
        const snapshot = await this.get(BigInt(height), Number(format));
        if (snapshot !== undefined) found.push(snapshot);
      }
    }
    return found.sort((a, b) => Number(b.height - a.height) || b.format - a.format);
  }

  /** Undefined when there is none, or it is damaged. */
  async get(height: bigint, format: number): Promise<StoredSnapshot | undefined> {
    const file = join(this.#folder(height, format), descriptionName);
    try {
      const [bytes, { mtimeMs }] = await Promise.all([readFile(file), stat(file)]);
      const snapshot = decodeDescription(bytes);
      if (snapshot.height !== height || snapshot.format !== format) return undefined;
      return { ...snapshot, takenAtMs: Math.round(mtimeMs) };
    } catch {
      return undefined;
    }
  }

  /** A chunk as it is stored; undefined when there is none. */
  async chunk(height: bigint, format: number, index: number): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.chunkFile(height, format, index));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  chunkFile(height: bigint, format: number, index: number): string {
    return join(this.#folder(height, format), String(index));
  }

  /** @returns whether there was one */
  async delete(height: bigint, format: number): Promise<boolean> {
    const folder = this.#folder(height, format);
    const leaving = join(this.root, `${unfinished}gone-${height}-${format}-${process.pid}`);
    try {
      // In one step, so that a snapshot is there whole or not at all.
      await rename(folder, leaving);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
    await rm(leaving, { recursive: true, force: true });
    await rmdir(dirname(folder)).catch(() => undefined);
    return true;
  }

  /** Deletes all but the newest. @param keep how many heights stay; 0: all @returns the heights that are gone */
  async prune(keep: number): Promise<bigint[]> {
    if (keep === 0) return [];
    const all = await this.list();
    const heights = [...new Set(all.map(({ height }) => height))].slice(keep);
    for (const { height, format } of all) if (heights.includes(height)) await this.delete(height, format);
    return heights;
  }

  /**
   * Removes what is not whole; called while nobody writes it.
   * @param pid of the process that wrote it; without it, whatever process that was
   */
  async removeUnfinished(pid?: number): Promise<void> {
    const ending = pid === undefined ? '' : `-${pid}`;
    for (const name of await namesIn(this.root)) {
      if (name.startsWith(unfinished) && name.endsWith(ending))
        await rm(join(this.root, name), { recursive: true, force: true });
    }
    for (const height of await numbersIn(this.root)) await rmdir(join(this.root, height)).catch(() => undefined);
  }

  /** An empty folder for a snapshot that is being written; `publish` moves it to its place. */
  async begin(height: bigint, format: number): Promise<string> {
    const folder = join(this.root, `${unfinished}${height}-${format}-${process.pid}`);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** @param folder with all chunks, each on the disk */
  async publish(folder: string, snapshot: SnapshotInfo): Promise<void> {
    await writeDurably(join(folder, descriptionName), encodeDescription(snapshot));
    await syncFolder(folder);
    const target = this.#folder(snapshot.height, snapshot.format);
    await this.delete(snapshot.height, snapshot.format);
    await mkdir(dirname(target), { recursive: true });
    await rename(folder, target);
    await syncFolder(dirname(target));
  }

  #folder(height: bigint, format: number): string {
    return join(this.root, String(height), String(format));
  }
}

/** Writes a file that survives a loss of power. */
export async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

async function numbersIn(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => /^(0|[1-9]\d{0,14})$/.test(name));
}
