/**
 * The data folder before anything in it is opened: it is this process's alone, sound, and of the chain that genesis
 * names. Where it is not, the message says what to do.
 */

import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '@mu/lib/error-message';
import { findSpan, members } from '@mu/lib/json-parts';
import { addressesFile } from './addresses.ts';
import { requireSpace } from './disk.ts';
import type { Home } from './home.ts';
import { lmdbProblem } from './lmdb-file.ts';

/** The data folder cannot be used as it is. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
}

export interface DataFolder {
  /** Lets another process have it. */
  close(): void;
}

/** SQLite's code for a file that another process has locked. */
const busy = 5;

/** Takes the folder for this process. @throws DataFolderError when another one has it, or it is damaged */
export function openDataFolder(home: Home): DataFolder {
  const lock = takeLock(home);
  try {
    for (const folder of [home.state, home.engine]) requireSound(home, folder);
    requireSpace(dirname(home.state));
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/**
 * Compares the chain of the state with the one of genesis; where there is no genesis CometBFT has it, and compares.
 * @param stored undefined before the first block
 * @throws DataFolderError when they differ
 */
export function requireSameChain(home: Home, stored: string | undefined): void {
  if (stored === undefined || !existsSync(home.genesis)) return;
  const chainId = chainIdOf(home.genesis);
  if (chainId === undefined || chainId === stored) return;
  throw new DataFolderError(
    `${home.state} holds the state of chain ${stored}, and ${home.genesis} begins chain ${chainId}: use the data folder of ${chainId}, put the genesis of ${stored} there, or move ${dirname(home.state)} away to begin anew (keep priv_validator_state.json in it)`,
  );
}

/**
 * A lock that the operating system takes back when the process ends, however it ends: a POSIX lock on a file, by way of
 * SQLite, for Node has no call of its own for it.
 */
function takeLock(home: Home): DataFolder {
  const file = join(dirname(home.state), 'mud.lock');
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true });
    database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if ((error as { errcode?: number }).errcode !== busy) {
      const why = messageOf(error);
      throw new DataFolderError(`${file} cannot be locked (${why}): is the folder writable, and is the disk full?`);
    }
    throw new DataFolderError(`another mud${pidOf(home)} uses ${home.root}: stop it first, or choose another --home`);
  }
  const locked = database;
  // Who stops a node may ask for it twice.
  return { close: () => (locked.isOpen ? locked.close() : undefined) };
}

function pidOf(home: Home): string {
  try {
    const { pid } = JSON.parse(readFileSync(addressesFile(home), 'utf8')) as { pid?: number };
    return pid === undefined ? '' : ` (process ${pid})`;
  } catch {
    return '';
  }
}

function requireSound(home: Home, folder: string): void {
  const problem = lmdbProblem(folder);
  if (problem === undefined) return;
  const rest =
    folder === home.state
      ? 'With CometBFT, or with data/engine, the state is made again from the blocks, or comes by state sync'
      : 'Without its blocks the embedded engine cannot go on';
  throw new DataFolderError(
    `${join(folder, 'data.mdb')} is damaged: ${problem}. Move ${folder} away and restore it from a backup. ${rest}`,
  );
}

const headBytes = 65_536;

/** The chain id of a genesis file, without reading a long one; undefined where it says none. */
export function chainIdOf(file: string): string | undefined {
  return fromHead(readHead(file)) ?? fromWhole(readFileSync(file));
}

function readHead(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(headBytes);
    return bytes.subarray(0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

/** Undefined when the head ends before it. */
function fromHead(bytes: Buffer): string | undefined {
  const start = bytes.indexOf('{');
  if (start === -1) return undefined;
  try {
    for (const { key, ...value } of members(bytes, { start, end: bytes.length })) {
      if (key === 'chain_id') return textAt(bytes, value.start, value.end);
    }
  } catch {
    // It goes on behind the head.
  }
  return undefined;
}

function fromWhole(bytes: Buffer): string | undefined {
  const span = findSpan(bytes, ['chain_id']);
  return span === undefined ? undefined : textAt(bytes, span.start, span.end);
}

function textAt(bytes: Buffer, start: number, end: number): string | undefined {
  const value: unknown = JSON.parse(bytes.toString('utf8', start, end));
  return typeof value === 'string' ? value : undefined;
}
