/** Whether the disk has room for the files of a manifest, those that others were promised counted as taken. */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManifestFile } from '@mu/client/manifest/head';
import { Refusal } from './refusal.ts';

/** Left free on the disk of manifests: journal, logs and what was counted stand there too. */
export const keepFreeBytes = 64 * 1024 * 1024;

/** Unit in which `stat` counts what a file takes. */
const blockBytes = 512;

/**
 * @param folder of all manifests
 * @param keepFree bytes that nobody takes
 * @throws Refusal `too_large` where the files do not fit the disk
 */
export async function checkRoom(folder: string, files: readonly ManifestFile[], keepFree: number): Promise<void> {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes === 0) return;
  const free = await freeRoom(folder, keepFree);
  if (bytes <= free) return;
  const text = `the files of the manifest take ${bytes} bytes; on this provider’s disk ${free} are free for them`;
  throw new Refusal('too_large', text);
}

/**
 * Bytes that files of another manifest may take. Files of a manifest have their size from the beginning, and get their
 * blocks as pieces come: what they still lack is no more free.
 * @param folder of all manifests
 * @param keepFree bytes that nobody takes
 */
export async function freeRoom(folder: string, keepFree: number): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.max(0, bavail * bsize - keepFree - (await promised(folder)));
}

async function promised(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) {
    const files = await readdir(join(folder, name)).catch(nothingThere);
    for (const file of files) {
      if (!/^file-\d+$/.test(file)) continue;
      const found = await stat(join(folder, name, file)).catch(() => undefined);
      if (found !== undefined) bytes += Math.max(0, found.size - found.blocks * blockBytes);
    }
  }
  return bytes;
}

/** A manifest may go while it is looked at. */
function nothingThere(): string[] {
  return [];
}
