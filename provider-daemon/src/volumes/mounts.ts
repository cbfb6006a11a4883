/** File systems in files: made, mounted by loop devices, and let go. All by programs of the system, run without a shell. */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reach } from '../faults/fault-points.ts';
import { type RunTool, runTool } from '../network/run-tool.ts';

/** Writing the tables of a large file system takes its time. */
const makeMs = 600_000;
/** A journal is played back, at worst the whole file system is looked through. */
const checkMs = 600_000;
/** e2fsck: 0 nothing wrong, 1 mended. From 4 on it needs a person. */
const checkedCodes = [0, 1, 2];

export interface VolumeFiles {
  /** Reserves the bytes and makes a file system in them; `image` appears whole or not at all. */
  create(image: string, bytes: number): Promise<void>;
  /** Nothing where it is mounted already. */
  mount(image: string, folder: string): Promise<void>;
  /** Nothing where nothing is mounted. */
  unmount(folder: string): Promise<void>;
  /** All folders below this one that something is mounted at. */
  mountedBelow(folder: string): Promise<readonly string[]>;
}

export class LoopFiles implements VolumeFiles {
  readonly #run: RunTool;

  constructor(run: RunTool = runTool) {
    this.#run = run;
  }

  /**
   * The name comes last, by a rename: what has it is a finished file system, and is never made again. A file that was
   * half done when the daemon was killed has another name, and goes.
   */
  async create(image: string, bytes: number): Promise<void> {
    const unfinished = `${image}.new`;
    await rm(unfinished, { force: true });
    try {
      await this.#run('fallocate', ['-l', String(bytes), unfinished]);
      reach('volume.reserved');
      // No block is kept for root: all of it was leased. Nothing is discarded: holes would have to be reserved again.
      const options = ['-q', '-F', '-m', '0', '-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0'];
      await this.#run('mkfs.ext4', [...options, unfinished], { timeoutMs: makeMs });
      await sync(unfinished);
      await rename(unfinished, image);
    } catch (cause) {
      await rm(unfinished, { force: true });
      throw cause;
    }
    await sync(dirname(image));
    reach('volume.made');
  }

  async mount(image: string, folder: string): Promise<void> {
    if ((await this.mountedBelow(folder)).includes(folder)) return;
    const options = ['-t', 'ext4', '-o', 'nosuid,nodev,noatime,nodiscard'];
    const attached = await this.#deviceOf(image);
    if (attached === undefined) {
      await this.#run('e2fsck', ['-p', image], { timeoutMs: checkMs, accept: checkedCodes });
      await this.#run('mount', [...options, '-o', 'loop', image, folder]);
    } else {
      // A container that outlives our mount still has it: a second device on the same file would destroy it.
      await this.#run('mount', [...options, attached, folder]);
    }
  }

  async unmount(folder: string): Promise<void> {
    if ((await this.mountedBelow(folder)).includes(folder)) await this.#run('umount', [folder]);
  }

  async mountedBelow(folder: string): Promise<readonly string[]> {
    const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
    return lines
      .flatMap((line) => line.split(' ')[4] ?? [])
      .map(fromOctal)
      .filter((point) => point === folder || point.startsWith(`${folder}/`));
  }

  async #deviceOf(image: string): Promise<string | undefined> {
    const output = await this.#run('losetup', ['--associated', image, '--noheadings', '--output', 'NAME']);
    return output
      .split('\n')
      .find((line) => line !== '')
      ?.trim();
  }
}

/** The kernel writes spaces, tabs, line feeds and backslashes of a path in octal (proc(5)). */
function fromOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** What stands in the file, or the folder, survives a loss of power. */
async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
