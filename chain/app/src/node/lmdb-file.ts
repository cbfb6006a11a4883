/**
 * A look at an LMDB file before it is opened: LMDB maps the file into memory, and a page that is not there ends the
 * process without a word.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** Where things are in each of the two first pages (mdb.c, MDB_meta). */
const at = { magic: 24, version: 28, pageSize: 48, freeRoot: 88, mainRoot: 136, lastPage: 144, txn: 152 } as const;
const metaBytes = 160;
const magic = 0xbeefc0de;
/** The format that the library writes, and the one of plain LMDB 0.9. */
const knownVersions = [1, 2];
/** A tree without a page. */
const noPage = 0xffff_ffff_ffff_ffffn;

interface Meta {
  readonly pageSize: number;
  readonly txn: bigint;
  readonly lastPage: bigint;
  readonly roots: readonly bigint[];
}

/**
 * @param folder of an LMDB environment
 * @param probe reads the whole environment in another process; asked only where the file looks too short
 * @returns what is wrong with it; undefined for a sound one, and where there is none yet
 */
export function lmdbProblem(folder: string, probe: (folder: string) => boolean = isReadable): string | undefined {
  const path = join(folder, 'data.mdb');
  if (!existsSync(path)) return undefined;
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    // Made and not yet written: the library begins anew.
    if (size === 0) return undefined;
    const first = readMeta(file, 0);
    if (typeof first === 'string') return first;
    const second = readMeta(file, first.pageSize);
    if (typeof second === 'string') return second;
    const { pageSize, roots, lastPage } = first.txn > second.txn ? first : second;
    const pages = BigInt(Math.floor(size / pageSize));
    if (roots.some((root) => root !== noPage && root >= pages)) return 'it is cut off: pages are missing at its end';
    // The last pages may be missing rightly, when nothing is in them.
    if (lastPage >= pages && !probe(folder)) return 'it is cut off: pages are missing at its end';
    return undefined;
  } finally {
    closeSync(file);
  }
}

function readMeta(file: number, offset: number): Meta | string {
  const bytes = Buffer.alloc(metaBytes);
  if (readSync(file, bytes, 0, metaBytes, offset) < metaBytes) return 'it is cut off in its first pages';
  if (bytes.readUInt32LE(at.magic) !== magic) return 'its first pages are no database';
  const version = bytes.readUInt32LE(at.version);
  if (!knownVersions.includes(version)) return `it is of LMDB's data version ${version}, which this mud does not read`;
  const pageSize = bytes.readUInt32LE(at.pageSize);
  if (pageSize < 256 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return 'its first pages are damaged';
  return {
    pageSize,
    txn: bytes.readBigUInt64LE(at.txn),
    lastPage: bytes.readBigUInt64LE(at.lastPage),
    roots: [bytes.readBigUInt64LE(at.freeRoot), bytes.readBigUInt64LE(at.mainRoot)],
  };
}

/** Reads all of it in a process of its own, which a missing page may end. */
function isReadable(folder: string): boolean {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, 'lmdb-probe.ts'), folder], {
    stdio: 'ignore',
  });
  return status === 0;
}
