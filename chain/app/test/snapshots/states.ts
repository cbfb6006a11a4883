/** States to take snapshots of, and what restores them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from '@jest/globals';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import type { CommitStore } from '@mu/framework/store/commit-store';
import { LmdbCommitStore, type LmdbStoreOptions } from '../../src/store/lmdb-store.ts';

export const names = ['acc', 'bank', 'empty', 'one'];

const folders: string[] = [];
const stores: LmdbCommitStore[] = [];

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mu-snapshots-'));
  folders.push(folder);
  return folder;
}

/** A store that is closed at the end of the test. */
export function openStore(folder = temporaryFolder(), options: LmdbStoreOptions = {}): LmdbCommitStore {
  const store = new LmdbCommitStore(folder, names, options);
  stores.push(store);
  return store;
}

/** Before the end of the test: as a process that ends does. */
export async function closeStore(store: LmdbCommitStore): Promise<void> {
  stores.splice(stores.indexOf(store), 1);
  await store.close();
}

/** Numbers from 0 up to a bound, the same for the same seed (mulberry32). */
export function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) * (below / 4_294_967_296));
  };
}

export interface Growth {
  readonly blocks: number;
  readonly keys?: number;
  readonly perBlock?: number;
  readonly seed?: number;
  readonly valueBytes?: number;
}

/** Blocks that set and remove keys of two stores and one key of a third; the fourth stays empty. */
export function grow(store: CommitStore, growth: Growth): void {
  const { blocks, keys = 300, perBlock = 60, seed = 1, valueBytes = 40 } = growth;
  const random = seeded(seed + Number(store.last.height));
  for (let block = 0; block < blocks; block += 1) {
    const branch = new BranchMultiStore(store);
    if (store.last.height === 2n) branch.store('one').set(Uint8Array.of(0), new Uint8Array());
    for (const name of ['acc', 'bank']) {
      for (let count = 0; count < perBlock; count += 1) {
        const number = random(keys);
        const key = Uint8Array.of(number >>> 16, number >>> 8, number);
        if (random(5) === 0) branch.store(name).delete(key);
        else branch.store(name).set(key, bytesOf(random(valueBytes), random));
      }
    }
    store.commit(store.last.height + 1n, branch.changes());
  }
}

/** Half of it can be packed. */
function bytesOf(length: number, random: (below: number) => number): Uint8Array {
  const value = new Uint8Array(length).fill(random(256));
  for (let at = 0; at < length >>> 1; at += 1) value[at] = random(256);
  return value;
}
