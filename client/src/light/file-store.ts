/**
 * Verified blocks in a folder: one file per block, and one with the root of trust. Each file is written beside its place,
 * flushed and renamed, so that a crash leaves the old or the new one and never half of it.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LightError } from './errors.ts';
import { encodeLightBlock, type LightBlock } from './light-block.ts';
import { heightsToPrune, readStoredBlock, type TrustedStore } from './trusted-store.ts';

const blockFile = /^(\d{1,19})\.block$/;
const anchorFile = 'anchor';

export class FileTrustedStore implements TrustedStore {
  readonly #folder: string;
  readonly #chainId: string;
  /** Blocks that the disk does not take: kept in memory, and verified anew after a restart. */
  readonly #unwritten = new Map<bigint, Uint8Array>();
  #heights: bigint[] = [];
  #written = 0;

  /** @param folder its own; made where it is missing */
  constructor(folder: string, chainId: string) {
    this.#folder = folder;
    this.#chainId = chainId;
  }

  async open(anchor: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const known = await this.#readAnchor();
    const files = (await readdir(this.#folder)).flatMap((name) => blockFile.exec(name)?.[1] ?? []);
    if (known !== anchor) {
      // Blocks first: should this stop half way, what is left still says whose they were.
      for (const name of files) await rm(this.#path(BigInt(name)), { force: true });
      await this.#write(join(this.#folder, anchorFile), new TextEncoder().encode(anchor));
      this.#heights = [];
      return;
    }
    this.#heights = files.map(BigInt).toSorted((a, b) => (a < b ? -1 : 1));
  }

  heights(): readonly bigint[] {
    return this.#heights;
  }

  async at(height: bigint): Promise<LightBlock | undefined> {
    if (!this.#heights.includes(height)) return undefined;
    const path = this.#path(height);
    const unwritten = this.#unwritten.get(height);
    if (unwritten !== undefined) return readStoredBlock(unwritten, height, this.#chainId, path);
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (error) {
      // Another program of the same user may have pruned it.
      if (isMissing(error)) return undefined;
      throw new LightError(`${path} cannot be read`, { kind: 'store', height, cause: error });
    }
    return readStoredBlock(bytes, height, this.#chainId, path);
  }

  /** A full disk is no reason to stop believing what was verified: nobody would confirm a lease meanwhile. */
  async save(block: LightBlock): Promise<void> {
    const { height } = block.header;
    const bytes = encodeLightBlock(block);
    await this.#write(this.#path(height), bytes).then(
      () => this.#unwritten.delete(height),
      () => this.#unwritten.set(height, bytes),
    );
    if (!this.#heights.includes(height))
      this.#heights = [...this.#heights, height].toSorted((a, b) => (a < b ? -1 : 1));
  }

  async prune(keep: number): Promise<void> {
    const dropped = new Set(heightsToPrune(this.#heights, keep));
    for (const height of dropped) {
      this.#unwritten.delete(height);
      await rm(this.#path(height), { force: true });
    }
    this.#heights = this.#heights.filter((height) => !dropped.has(height));
  }

  async #readAnchor(): Promise<string | undefined> {
    try {
      return await readFile(join(this.#folder, anchorFile), 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #path(height: bigint): string {
    return join(this.#folder, `${height}.block`);
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    // The process in the name: two programs of one user may run at once, each renames a whole file.
    const beside = `${path}.${process.pid}.${this.#written++}.new`;
    try {
      const file = await open(beside, 'w', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(beside, path);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
