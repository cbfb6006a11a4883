/**
 * The room of the disk for files of manifests. A manifest is promised room for all its files when it is taken up; what has
 * come stands on the disk and counts as itself, what has not counts as taken for as long as something comes.
 */
import { readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManifestFile, ManifestHead } from '@mu/client/manifest/head';
import { Turns } from '../turns.ts';
import { ManifestFolder } from './manifest-folder.ts';
import { Refusal } from './refusal.ts';

/** Left free on the disk of manifests: journal, logs and what was counted stand there too. */
export const keepFreeBytes = 64 * 1024 * 1024;

/** A promise ends when no byte of a manifest's files has come for so long; room is looked for again when one comes. */
export const promiseMs = 30 * 60_000;

export interface DiskRoomOptions {
  /** Of all manifests. */
  readonly folder: string;
  /** Bytes that nobody takes. */
  readonly keepFree: number;
  /** Milliseconds since some moment. Where it goes back promises end, so that none becomes longer. */
  readonly now: () => number;
}

/** A manifest's folder in the making, before it has its name. */
const incoming = '.incoming';
/** Unit in which `stat` counts what a file takes. */
const blockBytes = 512;
/** Of the turn in which room is looked for and taken. */
const roomTurn = '';

export class DiskRoom {
  readonly #options: DiskRoomOptions;
  readonly #openedMs: number;
  /** By folder: when a byte of its files has come last. */
  readonly #cameMs = new Map<string, number>();
  readonly #turns = new Turns();

  constructor(options: DiskRoomOptions) {
    this.#options = options;
    this.#openedMs = options.now();
  }

  /**
   * Looks for room, and takes it: a folder of this name that is filled before it counts, with the files at their size.
   * @param wanted of the head's files, those that are to come
   * @throws Refusal `too_large` where they do not fit the disk
   */
  reserve(name: string, head: ManifestHead, wanted: readonly ManifestFile[]): Promise<ManifestFolder> {
    return this.#turns.take(roomTurn, async () => {
      const bytes = wanted.reduce((sum, { size }) => sum + size, 0);
      if (bytes > 0) await this.#require(bytes);
      const folder = await ManifestFolder.make(join(this.#options.folder, `${name}${incoming}`), head, wanted);
      this.#cameMs.set(name, this.#options.now());
      return folder;
    });
  }

  /**
   * Bytes of a manifest's files are about to be written. Room is looked for again where nothing has come for `promiseMs`.
   * @throws Refusal `too_large` where what is still to come does not fit the disk any more
   */
  async claim(name: string): Promise<void> {
    if (this.#isPromised(name)) this.#cameMs.set(name, this.#options.now());
    else
      await this.#turns.take(roomTurn, async () => {
        if (!this.#isPromised(name)) await this.#require(await this.#missingOf(name));
        this.#cameMs.set(name, this.#options.now());
      });
  }

  /** Bytes that files of another manifest may take. */
  async free(): Promise<number> {
    const { folder, keepFree } = this.#options;
    const { bavail, bsize } = await statfs(folder);
    let promised = 0;
    for (const entry of await readdir(folder))
      if (this.#isPromised(nameOf(entry))) promised += await missing(join(folder, entry));
    return Math.max(0, bavail * bsize - keepFree - promised);
  }

  /** Erases a folder that came to nothing. */
  async discard(name: string): Promise<void> {
    await rm(join(this.#options.folder, `${name}${incoming}`), { recursive: true, force: true });
    this.forget(name);
  }

  /** It is held no more. */
  forget(name: string): void {
    this.#cameMs.delete(name);
  }

  async #require(bytes: number): Promise<void> {
    const free = await this.free();
    if (bytes <= free) return;
    const text = `the files of the manifest take ${bytes} bytes; on this provider’s disk ${free} are free for them`;
    throw new Refusal('too_large', text);
  }

  /** Those of before a restart are promised anew. */
  #isPromised(name: string): boolean {
    const ageMs = this.#options.now() - (this.#cameMs.get(name) ?? this.#openedMs);
    return ageMs >= 0 && ageMs < promiseMs;
  }

  /** It has its name, or is filled still. */
  async #missingOf(name: string): Promise<number> {
    const { folder } = this.#options;
    return (await missing(join(folder, name))) + (await missing(join(folder, `${name}${incoming}`)));
  }
}

/**
 * What the files of a folder still lack: they have their size from the beginning, and get their blocks as bytes come. What is
 * not there, as where a manifest goes while it is looked at, lacks nothing.
 */
async function missing(folder: string): Promise<number> {
  let bytes = 0;
  for (const file of await readdir(folder).catch(() => [])) {
    if (!/^file-\d+$/.test(file)) continue;
    const found = await stat(join(folder, file)).catch(() => undefined);
    if (found !== undefined) bytes += Math.max(0, found.size - found.blocks * blockBytes);
  }
  return bytes;
}

function nameOf(entry: string): string {
  return entry.endsWith(incoming) ? entry.slice(0, -incoming.length) : entry;
}
