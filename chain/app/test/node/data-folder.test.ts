import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { open } from 'lmdb';
import { writeAddresses } from '../../src/node/addresses.ts';
import { chainIdOf, DataFolderError, openDataFolder, requireSameChain } from '../../src/node/data-folder.ts';
import { homeAt } from '../../src/node/home.ts';
import { lmdbProblem } from '../../src/node/lmdb-file.ts';

let root: string;
const home = () => homeAt(root);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-data-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** An environment with some pages. @returns the size of its file */
async function fill(folder: string): Promise<number> {
  const environment = open({ path: folder, noSubdir: false, encoding: 'binary', maxDbs: 4 });
  const database = environment.openDB<Buffer, Buffer>({ name: 'values', encoding: 'binary', keyEncoding: 'binary' });
  for (let i = 0; i < 200; i++) database.putSync(Buffer.from(`key ${i}`), Buffer.alloc(500, i));
  await environment.close();
  return statSync(join(folder, 'data.mdb')).size;
}

describe('two muds on one home', () => {
  test('the second is told of the first, and gets the folder when that has ended', () => {
    const first = openDataFolder(home());
    writeAddresses(home(), { rpc: 'http://127.0.0.1:1' });
    expect(() => openDataFolder(home())).toThrow(`another mud (process ${process.pid}) uses ${root}: stop it first`);
    first.close();
    openDataFolder(home()).close();
  });

  test('a lock holds between processes, and goes with its process', () => {
    const lock = openDataFolder(home());
    expect(lockedBySomebody()).toBe(true);
    lock.close();
    expect(lockedBySomebody()).toBe(false);
  });

  test('a folder that cannot be written is named', () => {
    writeFileSync(join(root, 'data'), 'a file where a folder should be');
    expect(() => openDataFolder(home())).toThrow(/mud\.lock cannot be locked .* is the folder writable/);
  });

  /** Asks in another process. */
  function lockedBySomebody(): boolean {
    const file = JSON.stringify(join(root, 'data', 'mud.lock'));
    const program = `const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
      try { new DatabaseSync(${file}).exec('BEGIN EXCLUSIVE'); } catch (e) { process.exit(e.errcode === 5 ? 7 : 1); }`;
    const { status } = spawnSync(process.execPath, ['-e', program]);
    if (status !== 0 && status !== 7) throw new Error(`the other process ended with ${status}`);
    return status === 7;
  }
});

describe('a damaged database', () => {
  test('a sound one, an empty one and none are fine', async () => {
    expect(lmdbProblem(join(root, 'none'))).toBeUndefined();
    mkdirSync(join(root, 'empty'));
    writeFileSync(join(root, 'empty', 'data.mdb'), '');
    expect(lmdbProblem(join(root, 'empty'))).toBeUndefined();
    await fill(join(root, 'sound'));
    expect(lmdbProblem(join(root, 'sound'))).toBeUndefined();
  });

  test.each([0.1, 0.5, 0.9])('one that lost all behind %f of it is known', async (share) => {
    const size = await fill(home().state);
    truncateSync(join(home().state, 'data.mdb'), Math.floor(size * share));
    expect(() => openDataFolder(home())).toThrow(DataFolderError);
    expect(() => openDataFolder(home())).toThrow(/data\.mdb is damaged: it is cut off.*restore it from a backup/);
  });

  test('where only the end of the file seems to be missing, another process reads all of it', async () => {
    await fill(home().state);
    const file = join(home().state, 'data.mdb');
    const bytes = readFileSync(file);
    // As where the last pages hold nothing and were never written.
    for (const meta of [0, 4096]) bytes.writeBigUInt64LE(bytes.readBigUInt64LE(meta + 144) + 5n, meta + 144);
    writeFileSync(file, bytes);
    expect(lmdbProblem(home().state, () => false)).toMatch('cut off');
    expect(lmdbProblem(home().state)).toBeUndefined();
    // The same with values missing: a page that is no root is gone.
    const pages = bytes.length / 4096;
    const roots = [0, 4096].map((meta) => Number(bytes.readBigUInt64LE(meta + 136)));
    truncateSync(file, (Math.max(...roots) + 1) * 4096);
    expect(Math.max(...roots) + 1).toBeLessThan(pages);
    expect(lmdbProblem(home().state)).toMatch('cut off');
  });

  test('garbage in the first pages, and a format of the future', async () => {
    await fill(home().engine);
    const file = join(home().engine, 'data.mdb');
    const bytes = readFileSync(file);
    writeFileSync(file, Buffer.alloc(bytes.length, 7));
    expect(() => openDataFolder(home())).toThrow('its first pages are no database');
    bytes.writeUInt32LE(9, 28);
    writeFileSync(file, bytes);
    expect(() => openDataFolder(home())).toThrow("it is of LMDB's data version 9");
    // What was refused is not held: the folder can be put right and used.
    bytes.writeUInt32LE(2, 28);
    writeFileSync(file, bytes);
    openDataFolder(home()).close();
  });
});

describe('a data folder of another chain', () => {
  const writeGenesis = (text: string): void => {
    mkdirSync(join(root, 'config'), { recursive: true });
    writeFileSync(home().genesis, text);
  };

  test('is refused with both chains named', () => {
    writeGenesis('{"genesis_time":"2026-01-01T00:00:00Z","chain_id":"mu-2","app_state":{}}');
    expect(() => requireSameChain(home(), 'mu-1')).toThrow(/holds the state of chain mu-1, and .* begins chain mu-2/);
    requireSameChain(home(), 'mu-2');
    requireSameChain(home(), undefined);
  });

  test('where CometBFT has the genesis it is CometBFT that compares', () => {
    requireSameChain(home(), 'mu-1');
  });

  test('the chain id is found wherever it stands, also behind a large state', () => {
    writeGenesis(`{"app_state":{"x":"${'y'.repeat(200_000)}","chain_id":"inner"},"chain_id":"mu-3"}`);
    expect(chainIdOf(home().genesis)).toBe('mu-3');
    writeGenesis('{"app_state":{}}');
    expect(chainIdOf(home().genesis)).toBeUndefined();
  });
});
