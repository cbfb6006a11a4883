/**
 * Commits of a tree of so many accounts, in which each block changes so many leaves; the same as `bench` of the Go program
 * of chain/framework/test/vectors/gen does with cosmos/iavl and goleveldb, from the changes to the block in the files.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LmdbCommitStore } from '@mu/app/store/lmdb-store';
import type { Change } from '@mu/framework/store/kv-store';
import { buildProgram, findGo } from '../../differential/go-program.ts';

const store = 'bank';
/** Leaves of a block while the tree grows; as Go's side has it. */
const fillBlock = 50_000;

export interface CommitOptions {
  readonly accounts: number;
  /** accounts that a block changes */
  readonly changed: number;
  readonly blocks: number;
}

export interface CommitFigures {
  readonly leaves_per_s: number;
  readonly cpu_block_ms: number;
}

/**
 * A block's commit returns when LMDB's thread has the batch, and the next block begins, as in a node; the clock stops when
 * the last one is in the files.
 * @param folder of the state; to be made
 */
export async function measureCommits(
  folder: string,
  cacheMb: number,
  { accounts, changed, blocks }: CommitOptions,
): Promise<CommitFigures> {
  const state = new LmdbCommitStore(folder, [store], { cacheBytes: cacheMb * 1_048_576 });
  const commit = (changes: readonly Change[]): void => {
    const height = state.last.height + 1n;
    state.workingHash(height, changes);
    state.commit(height, changes);
  };
  for (let first = 0; first < accounts; first += fillBlock) {
    commit(changesOf({ first, count: Math.min(fillBlock, accounts - first), stride: 1, accounts }));
    await state.settled();
  }
  // The accounts' keys are hashes: any of them are all over the tree.
  const stride = Math.max(1, Math.floor(accounts / changed));
  const all = Array.from({ length: blocks }, (_, at) =>
    changesOf({ first: at % stride, count: changed, stride, accounts }),
  );
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  for (const changes of all) {
    commit(changes);
    await nextTurn();
  }
  await state.settled();
  const [ms, { user, system }] = [performance.now() - began, process.cpuUsage(cpu)];
  await state.close();
  return { leaves_per_s: (changed * blocks * 1000) / ms, cpu_block_ms: (user + system) / 1000 / blocks };
}

interface ChangesOptions {
  readonly first: number;
  readonly count: number;
  readonly stride: number;
  readonly accounts: number;
}

/** Sorted, each key once, as a block hands them on. */
function changesOf({ first, count, stride, accounts }: ChangesOptions): Change[] {
  const changes = Array.from({ length: count }, (_, index): Change => {
    const account = createHash('sha256')
      .update(`account ${(first + index * stride) % accounts}`)
      .digest();
    const value = createHash('sha512').update(`value ${first} ${index}`).digest().subarray(0, 60);
    return { store, key: Buffer.concat([Buffer.of(2), account.subarray(0, 20)]), value };
  });
  return changes.sort((a, b) => Buffer.compare(a.key, b.key));
}

/** The same by cosmos/iavl in Go. @returns undefined where there is no Go */
export async function measureGoCommits({
  accounts,
  changed,
  blocks,
}: CommitOptions): Promise<CommitFigures | undefined> {
  const go = findGo();
  if (go === undefined) return undefined;
  const flags = ['-accounts', `${accounts}`, '-changed', `${changed}`, '-rounds', `${blocks}`];
  const { stdout } = await promisify(execFile)(await buildProgram(go), ['bench', ...flags]);
  return JSON.parse(stdout) as CommitFigures;
}
