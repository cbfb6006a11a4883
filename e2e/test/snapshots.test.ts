/** `mud snapshots`: from one node's state over an archive to another's, also when the process is killed again and again. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { muStoreNames } from '@mu/app/mu-app';
import { homeAt } from '@mu/app/node/home';
import { LmdbCommitStore } from '@mu/app/store/lmdb-store';
import { eventually, type Finished, runCommand } from '../src/process.ts';

jest.setTimeout(120_000);

const mud = join(import.meta.dirname, '..', '..', 'chain', 'app', 'bin', 'mud');
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-snapshots-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const home = (name: string): string => join(root, name);
const snapshots = (name: string, ...args: string[]): Promise<Finished> =>
  runCommand(mud, ['--home', home(name), 'snapshots', ...args]);

async function answer(done: Promise<Finished>): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await done;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A state of some versions with many pairs. @returns its app hash in upper-case hex */
async function makeState(name: string, pairs: number): Promise<string> {
  const { state } = homeAt(home(name));
  mkdirSync(state, { recursive: true });
  const store = new LmdbCommitStore(state, muStoreNames);
  for (let height = 1n; height <= 3n; height += 1n) {
    const changes = Array.from({ length: pairs }, (_, index) => {
      const key = Buffer.alloc(5, Number(height));
      key.writeUInt32BE(index);
      return { store: 'bank', key, value: Buffer.from(`${index} at ${height}`) };
    });
    store.commit(height, changes);
  }
  const { appHash } = store.last;
  await store.close();
  return Buffer.from(appHash).toString('hex').toUpperCase();
}

test('taken, listed, archived, restored elsewhere, deleted', async () => {
  const appHash = await makeState('one', 100);
  const archive = join(root, 'state.tar.gz');
  const [taken] = await answer(snapshots('one', 'export', '-o', archive));
  expect(taken).toMatchObject({ height: 3, format: 3, chunks: 1, archive });
  await answer(snapshots('one', 'export', '--height', '2'));
  expect((await answer(snapshots('one', 'list'))).map(({ height }) => height)).toEqual([3, 2]);
  const wrong = await snapshots('two', 'restore', archive, '--app-hash', '00'.repeat(32));
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toMatch(/the content has app hash .* the chain has 0{64}/);
  expect(await answer(snapshots('two', 'restore', archive, '--app-hash', appHash))).toEqual([
    { restored: 3, app_hash: appHash },
  ]);
  expect((await snapshots('two', 'restore', '3')).stderr).toMatch(/holds the state of block 3: move the folder away/);
  expect((await snapshots('two', 'restore', '7')).stderr).toMatch(
    /no snapshot of height 7 in .*; there is 3 \(format 3\)/,
  );
  expect((await snapshots('two', 'export', '--height', '2')).stderr).toMatch(/height 2 is not kept/);
  expect(await answer(snapshots('one', 'delete', '3'))).toEqual([{ deleted: 3 }]);
  expect((await answer(snapshots('one', 'list'))).map(({ height }) => height)).toEqual([2]);
  writeFileSync(archive, 'nothing');
  expect((await snapshots('three', 'restore', archive)).stderr).toMatch(/is damaged: incorrect header check/);
  expect((await snapshots('three', 'list')).stdout).toBe('');
  expect((await snapshots('three', 'restore', 'three')).stderr).toMatch(/ENOENT/);
});

test('killed at any moment a restore leaves an empty state, and the next one makes it whole', async () => {
  const appHash = await makeState('one', 30_000);
  const archive = join(root, 'state.tar.gz');
  await answer(snapshots('one', 'export', '-o', archive));
  const { state } = homeAt(home('two'));
  const begun = join(state, 'data.mdb');
  for (let round = 0; round < 6; round += 1) {
    const child = spawn(mud, ['--home', home('two'), 'snapshots', 'restore', archive], { stdio: 'ignore' });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await Promise.race([ended, eventually('the restore', async () => existsSync(begun) || undefined)]);
    await Promise.race([ended, pause(round * 120)]);
    child.kill('SIGKILL');
    await ended;
    const store = new LmdbCommitStore(state, muStoreNames);
    const { height } = store.last;
    await store.close();
    // Where it was faster it is whole, and the next one begins with nothing.
    expect([0n, 3n]).toContain(height);
    if (height === 3n) rmSync(state, { recursive: true });
  }
  expect(await answer(snapshots('two', 'restore', archive))).toEqual([{ restored: 3, app_hash: appHash }]);
});
