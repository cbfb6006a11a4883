/** A disk without room: found before a start, and said plainly when it fills up while the node runs. */

import { statfsSync } from 'node:fs';
import { messageOf } from '@mu/lib/error-message';

/** Less than this is no room for a single block and its record. */
const leastFreeBytes = 1_048_576;

/** The error of a full disk names neither the disk nor what to do. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError';
}

/** @throws DiskFullError when the file system of a folder is full */
export function requireSpace(folder: string): void {
  const free = freeBytes(folder);
  if (free >= leastFreeBytes) return;
  throw new DiskFullError(
    `the file system of ${folder} has ${free} bytes left, and mud needs at least ${leastFreeBytes} to start: free some; all that was committed is there`,
  );
}

/** The error itself, or what it means where a disk was full, over quota or had no room for the map of the state. */
export function explainDiskError(error: unknown, folder: string): unknown {
  if (!isDiskFull(error, folder)) return error;
  const why = messageOf(error);
  return new DiskFullError(
    `no space is left on the file system of ${folder} (${why}): free some and start again; the block that was being made is made again, all before it is there`,
  );
}

function isDiskFull(error: unknown, folder: string): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  if (/ENOSPC|EDQUOT|No space left on device|Disk quota exceeded|MDB_MAP_FULL/i.test(error.message)) return true;
  // LMDB says so of a write that the disk took only in part.
  return /Input\/output error|\bEIO\b/.test(error.message) && freeBytes(folder) < leastFreeBytes;
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
