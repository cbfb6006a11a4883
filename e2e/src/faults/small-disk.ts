/** A disk so small that a test can fill it: a file system in a file, mounted. */
import { execFile, execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The file's own tables may want some. */
const spareBlocks = 64;

export class SmallDisk {
  readonly #folder: string;
  readonly #fill: string;

  /** Makes and mounts it. */
  constructor(bytes: number) {
    this.#folder = mkdtempSync(join(tmpdir(), 'mu-sd-'));
    mkdirSync(this.mount);
    const image = join(this.#folder, 'image');
    execFileSync('truncate', ['-s', String(bytes), image]);
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
    execFileSync('mount', ['-o', 'loop', image, this.mount]);
    this.#fill = join(this.mount, 'fill');
  }

  get mount(): string {
    return join(this.#folder, 'm');
  }

  /** Takes every free block: most of them at once, so that nobody waits for it, then what is left. */
  async fill(): Promise<void> {
    const { bavail, bsize } = await statfs(this.mount);
    await promisify(execFile)('fallocate', ['-l', String(Math.max(1, bavail - spareBlocks) * bsize), this.#fill]);
    const file = openSync(this.#fill, 'a');
    const chunk = Buffer.alloc(4096, 1);
    while (tryWrite(file, chunk));
    closeSync(file);
  }

  /** Gives them back. */
  free(): void {
    rmSync(this.#fill, { force: true });
  }

  remove(): void {
    execFileSync('umount', ['--lazy', this.mount]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function tryWrite(file: number, chunk: Buffer): boolean {
  try {
    writeSync(file, chunk);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
