/**
 * The folder of a manifest: `head.json`, `keys.json`, `pieces` (a bit for each piece that is said to be there), and for each
 * file of the head by its number `file-0`, of its full size from the beginning, and `tree-0`, the nodes of its Merkle tree.
 * No name that a tenant chose comes near the file system.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ManifestError } from '@mu/client/manifest/errors';
import type { ManifestFile, ManifestHead } from '@mu/client/manifest/head';
import { type ExpectedManifest, type Manifest, parseManifest } from '@mu/client/manifest/parse';
import { fromHex, toHex } from '@mu/lib/bytes';
import { replaceFile, syncFolder, writeNewFile } from '../identity/files.ts';
import { Bitfield } from '../swarm/bitfield.ts';
import { PieceList } from '../swarm/piece-list.ts';

/** Section keys by infrastructure: secret. */
export type SectionKeys = ReadonlyMap<string, Uint8Array>;

/** The pieces of all files of a head. @throws RangeError where they are more than are exchanged */
export function piecesOf(head: ManifestHead): PieceList {
  return new PieceList(head.files.map(({ size, piece_size: pieceSize }) => ({ size, pieceSize })));
}

/** The largest piece that is exchanged. */
export const maxPieceBytes = 1024 * 1024;

/** @throws ManifestError `too_large` for a head whose files cannot be exchanged */
export function checkPieces(head: ManifestHead): void {
  try {
    if (piecesOf(head).largest <= maxPieceBytes) return;
  } catch (error) {
    throw new ManifestError('too_large', (error as Error).message);
  }
  throw new ManifestError('too_large', `a piece has at most ${maxPieceBytes} bytes`);
}

export class ManifestFolder {
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * A new one, with files of their size and no bytes on the disk: what they will take is known to `DiskRoom` from here on.
   * @throws the system's error; then there is none
   */
  static async make(path: string, { files }: ManifestHead, wanted: readonly ManifestFile[]): Promise<ManifestFolder> {
    const folder = new ManifestFolder(path);
    await mkdir(path, { mode: 0o700 });
    try {
      for (const file of wanted) await reserve(folder.fileAt(files.indexOf(file)), file);
      return folder;
    } catch (error) {
      await rm(path, { recursive: true, force: true });
      throw error;
    }
  }

  /** @param file number in the head's list */
  fileAt(file: number): string {
    return join(this.path, `file-${file}`);
  }

  treeAt(file: number): string {
    return join(this.path, `tree-${file}`);
  }

  /** Writes what makes it a manifest. @param written paths of the files that stand in it, whole and verified */
  finish({ head, headBytes }: Manifest, keys: SectionKeys, written: readonly string[]): void {
    writeNewFile(this.#at('head.json'), headBytes);
    writeNewFile(this.#at('keys.json'), keysText(keys));
    const claims = piecesIn(
      piecesOf(head),
      head.files.map(({ path }) => written.includes(path)),
    );
    writeNewFile(this.#at('pieces'), claims.toBytes());
    syncFolder(this.path);
  }

  /** @throws ManifestError where it is not the one that is expected */
  readHead(expected: ExpectedManifest): Manifest {
    return parseManifest(new Uint8Array(readFileSync(this.#at('head.json'))), expected);
  }

  readKeys(): Map<string, Uint8Array> {
    const keys = JSON.parse(readFileSync(this.#at('keys.json'), 'utf8')) as Record<string, string>;
    return new Map(Object.entries(keys).map(([infrastructure, hex]) => [infrastructure, fromHex(hex)]));
  }

  /** @param suffix of the file in between, unique among writers */
  writeKeys(keys: SectionKeys, suffix: string): void {
    replaceFile(this.#at('keys.json'), keysText(keys), suffix);
  }

  /**
   * The pieces that are said to be there; each is verified before it is believed. Where nothing can be read, as in a folder of
   * a version that kept whole files only, all pieces of files that have their size are worth a look.
   */
  readClaims({ files }: ManifestHead, pieces: PieceList): Bitfield {
    const found = Bitfield.read(this.#readBits(), pieces.count);
    if (found !== undefined && (pieces.count > 0 || files.length === 0)) return found;
    return piecesIn(
      pieces,
      files.map(({ size }, file) => sizeOf(this.fileAt(file)) === size),
    );
  }

  /** At once, so that of two writings the later one stays. @param lasts whether a loss of power may not undo it */
  writeClaims(claims: Bitfield, lasts: boolean): void {
    const descriptor = openSync(this.#at('pieces'), constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      const bits = claims.toBytes();
      for (let at = 0; at < bits.length; ) at += writeSync(descriptor, bits, at, bits.length - at, at);
      if (lasts) fdatasyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  #readBits(): Uint8Array {
    try {
      return new Uint8Array(readFileSync(this.#at('pieces')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Uint8Array();
      throw error;
    }
  }

  #at(name: string): string {
    return join(this.path, name);
  }
}

/** Of a folder in which something has appeared while it was emptied; each waits 0.1 s longer. */
const eraseRetries = 3;

/**
 * Erases all of it. A piece that is being written meanwhile finds no folder: none appears in it while it goes.
 * @throws the system's error
 */
export function eraseFolder(path: string): void {
  const erased = `${path}.erased`;
  if (existsSync(path)) renameSync(path, erased);
  for (const one of [path, erased]) rmSync(one, { recursive: true, force: true, maxRetries: eraseRetries });
}

async function reserve(path: string, { size }: ManifestFile): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.truncate(size);
  } finally {
    await handle.close();
  }
}

/** All pieces of some files. @param isThere by file */
function piecesIn(pieces: PieceList, isThere: readonly boolean[]): Bitfield {
  const result = new Bitfield(pieces.count);
  for (let piece = 0; piece < pieces.count; piece += 1) if (isThere[pieces.placeOf(piece).file]) result.add(piece);
  return result;
}

function keysText(keys: SectionKeys): string {
  return JSON.stringify(Object.fromEntries([...keys].map(([at, key]) => [at, toHex(key)])));
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}
