/** A delivery on its way to the disk, in a folder that counts for nothing until all of it is right. */
import { open, writeFile } from 'node:fs/promises';
import { pieceCount } from '@mu/client/manifest/files';
import type { ManifestFile } from '@mu/client/manifest/head';
import { PieceHasher } from '@mu/client/manifest/piece-hasher';
import { equalBytes, fromHex } from '@mu/lib/bytes';
import type { ManifestRecord } from '../journal/journal.ts';
import type { ManifestFolder } from './manifest-folder.ts';
import { PieceTree } from './piece-tree.ts';
import { Refusal } from './refusal.ts';
import type { AcceptedDelivery } from './verify-delivery.ts';

/** A delivery that is being received. Either `commit` or `discard` ends it. */
export interface IncomingManifest {
  /** Takes one of the accepted files, chunk by chunk; one that is held already is only checked. @throws Refusal `wrong_file` */
  file(entry: ManifestFile, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Makes it count; all accepted files must have come. What is held already and right stays as it is. */
  commit(): Promise<ManifestRecord>;
  discard(): Promise<void>;
}

export interface Incoming {
  readonly accepted: AcceptedDelivery;
  /** Its own; it has the files at their size. */
  readonly folder: ManifestFolder;
  /** Paths of files that are held already. */
  readonly held: ReadonlySet<string>;
  /** Room for more bytes of it. @throws Refusal `too_large` where it has been given to others meanwhile */
  readonly claim: () => Promise<void>;
  readonly discard: () => Promise<void>;
  /** @param written paths of the files that stand in the folder, whole and verified */
  readonly commit: (written: readonly string[]) => Promise<ManifestRecord>;
}

export function incomingManifest({ accepted, folder, held, claim, commit, discard }: Incoming): IncomingManifest {
  const { manifest, files } = accepted;
  const come = new Set<string>();
  return {
    async file(entry, chunks) {
      const at = manifest.head.files.findIndex(({ path }) => path === entry.path);
      if (held.has(entry.path)) await check(entry, chunks);
      else await write(folder, at, { entry, chunks, claim });
      come.add(entry.path);
    },
    async commit() {
      const missing = files.find(({ path }) => !come.has(path));
      if (missing !== undefined) throw new Refusal('incomplete', `${missing.path} did not come`);
      return commit([...come].filter((path) => !held.has(path)));
    },
    discard,
  };
}

/** @returns the hashes of all pieces @throws Refusal `wrong_file` */
async function check(
  entry: ManifestFile,
  chunks: AsyncIterable<Uint8Array>,
  write: (chunk: Uint8Array) => Promise<void> = () => Promise.resolve(),
): Promise<readonly Uint8Array[]> {
  const leaves: Uint8Array[] = [];
  const hasher = new PieceHasher(entry.piece_size, (hash) => leaves.push(hash));
  for await (const chunk of chunks) {
    hasher.update(chunk);
    await write(chunk);
  }
  if (equalBytes(hasher.root(), fromHex(entry.merkle_root))) return leaves;
  throw new Refusal('wrong_file', `${entry.path} is not the file that the manifest names`);
}

/** Unverified bytes go no further than this folder: only the whole file shows whether they are right. */
async function write(
  folder: ManifestFolder,
  at: number,
  {
    entry,
    chunks,
    claim,
  }: { readonly entry: ManifestFile; readonly chunks: AsyncIterable<Uint8Array>; readonly claim: Incoming['claim'] },
): Promise<void> {
  const handle = await open(folder.fileAt(at), 'r+');
  try {
    const leaves = await check(entry, chunks, async (chunk) => {
      await claim();
      await handle.writeFile(chunk);
    });
    await handle.sync();
    const row = new PieceTree(pieceCount(entry)).rowOf(leaves);
    await writeFile(folder.treeAt(at), row, { mode: 0o600, flag: 'wx', flush: true });
  } finally {
    await handle.close();
  }
}
