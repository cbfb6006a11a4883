/**
 * The manifests that are held, by (deployment, revision). Each stands in a folder with a random name; the journal's entry
 * is what makes it count. So a manifest is there whole or not at all, and a newer delivery replaces an older one at once;
 * the older one's files stay until the manifest goes, or the daemon starts again, since they may be in use.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManifestFile } from '@mu/client/manifest/head';
import { type Manifest, parseManifest } from '@mu/client/manifest/parse';
import { PieceHasher } from '@mu/client/manifest/piece-hasher';
import { equalBytes, fromHex, toHex } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { reach } from '../faults/fault-points.ts';
import { syncFolder, writeNewFile } from '../identity/files.ts';
import type { ManifestKey, ManifestRecord, Table } from '../journal/journal.ts';
import { Refusal } from './refusal.ts';
import type { AcceptedDelivery } from './verify-delivery.ts';

export type { ManifestKey, ManifestRecord } from '../journal/journal.ts';

/** A manifest as it stands on disk, checked again. */
export interface StoredManifest extends Manifest {
  readonly infrastructures: readonly string[];
  /** Section keys by infrastructure: secret. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** A file that the infrastructures here use, where it lies. @throws Refusal `wrong_file` when the disk has changed it */
  fileOf(path: string): HeldFile;
}

/** A file of a manifest on this machine. */
export interface HeldFile {
  /** Absolute. */
  readonly path: string;
  /** SHA-256, hex. */
  readonly sha256: string;
}

export interface ManifestStoreOptions {
  readonly folder: string;
  /** The journal's table: its entries decide what is held. */
  readonly index: Table<ManifestKey, ManifestRecord>;
  readonly random: (length: number) => Uint8Array;
}

/** A delivery on its way to the disk. Either `commit` or `discard` ends it. */
export interface IncomingManifest {
  /** Writes one of the accepted files, chunk by chunk. @throws Refusal `wrong_file` */
  file(entry: ManifestFile, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Makes it count; all accepted files must have been written. */
  commit(): Promise<ManifestRecord>;
  discard(): Promise<void>;
}

const headName = 'head.json';
const keysName = 'keys.json';

export class ManifestStore {
  readonly #folder: string;
  readonly #index: ManifestStoreOptions['index'];
  readonly #random: ManifestStoreOptions['random'];
  /** Folders that another has taken the place of, by the one that counts: what runs was told of their files. */
  readonly #replaced = new Map<string, readonly string[]>();

  /** Opens the store, and removes what a crash has left unfinished. */
  constructor({ folder, index, random }: ManifestStoreOptions) {
    this.#folder = folder;
    this.#index = index;
    this.#random = random;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const known = new Set(index.all().map((record) => record.folder));
    for (const name of readdirSync(folder)) {
      if (!known.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }

  /** True when the manifest is held, with what the infrastructure needs where one is named. */
  have(key: ManifestKey, infrastructure?: string): boolean {
    const record = this.#index.get(key);
    return record !== undefined && (infrastructure === undefined || record.infrastructures.includes(infrastructure));
  }

  /** All that is held. */
  list(): ManifestRecord[] {
    return this.#index.all();
  }

  /** The manifest; undefined where it is not held. @throws ManifestError when the disk has changed it */
  load(key: ManifestKey): StoredManifest | undefined {
    const record = this.#index.get(key);
    if (record === undefined) return undefined;
    const folder = join(this.#folder, record.folder);
    const manifest = parseManifest(new Uint8Array(readFileSync(join(folder, headName))), record);
    const keys = JSON.parse(readFileSync(join(folder, keysName), 'utf8')) as Record<string, string>;
    return {
      ...manifest,
      infrastructures: record.infrastructures,
      keys: new Map(Object.entries(keys).map(([infrastructure, hex]) => [infrastructure, fromHex(hex)])),
      fileOf: (path) => checkedFile(manifest, folder, path),
    };
  }

  /** Forgets a manifest and erases its files. */
  remove(key: ManifestKey): void {
    const record = this.#index.get(key);
    if (record === undefined) return;
    this.#index.delete(key);
    for (const name of [record.folder, ...(this.#replaced.get(record.folder) ?? [])]) this.#erase(name);
    this.#replaced.delete(record.folder);
  }

  /** Takes up a delivery whose head and keys are right. */
  async begin(accepted: AcceptedDelivery): Promise<IncomingManifest> {
    const name = toHex(this.#random(16));
    const fresh = join(this.#folder, `${name}.incoming`);
    await mkdir(fresh, { mode: 0o700 });
    const { manifest, keys, files } = accepted;
    const written = new Set<string>();
    return {
      file: async (entry, chunks) => {
        await writeFileChecked(join(fresh, fileName(manifest, entry.path)), entry, chunks);
        written.add(entry.path);
      },
      commit: async () => {
        const missing = files.find(({ path }) => !written.has(path));
        if (missing !== undefined) throw new Refusal('incomplete', `${missing.path} did not come`);
        writeNewFile(join(fresh, headName), manifest.headBytes);
        writeNewFile(
          join(fresh, keysName),
          JSON.stringify(Object.fromEntries([...keys].map(([at, key]) => [at, toHex(key)]))),
        );
        syncFolder(fresh);
        renameSync(fresh, join(this.#folder, name));
        syncFolder(this.#folder);
        reach('manifest.placed');
        return this.#enter(accepted, name);
      },
      discard: () => rm(fresh, { recursive: true, force: true }),
    };
  }

  #enter({ manifest, infrastructures }: AcceptedDelivery, folder: string): ManifestRecord {
    const { head, version } = manifest;
    const key = { owner: head.owner, dseq: BigInt(head.dseq), revision: BigInt(head.revision) };
    const before = this.#index.get(key);
    if (before !== undefined && infrastructures.every((one) => before.infrastructures.includes(one))) {
      // The same again: what stands may be in use.
      this.#erase(folder);
      return before;
    }
    const record: ManifestRecord = { ...key, folder, version, infrastructures };
    try {
      this.#index.put(key, record);
    } catch (error) {
      // It counts for nothing, and holds secrets.
      this.#erase(folder);
      throw error;
    }
    reach('manifest.entered');
    if (before !== undefined) {
      this.#replaced.set(folder, [before.folder, ...(this.#replaced.get(before.folder) ?? [])]);
      this.#replaced.delete(before.folder);
    }
    return record;
  }

  #erase(name: string): void {
    rmSync(join(this.#folder, name), { recursive: true, force: true });
  }
}

/** Files are named by their place in the head: no name that a tenant chose comes near the file system. */
function fileName({ head }: Manifest, path: string): string {
  return `file-${head.files.findIndex((file) => file.path === path)}`;
}

async function writeFileChecked(file: string, entry: ManifestFile, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const hasher = new PieceHasher(entry.piece_size);
  const handle = await open(file, 'wx', 0o600);
  try {
    for await (const chunk of chunks) {
      hasher.update(chunk);
      await handle.writeFile(chunk);
    }
    checkRoot(entry, hasher);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function checkedFile(manifest: Manifest, folder: string, path: string): HeldFile {
  const entry = manifest.head.files.find((file) => file.path === path);
  if (entry === undefined) throw new Refusal('wrong_file', `the manifest has no file ${path}`);
  const file = join(folder, fileName(manifest, path));
  const bytes = new Uint8Array(readFileSync(file));
  const hasher = new PieceHasher(entry.piece_size);
  hasher.update(bytes);
  checkRoot(entry, hasher);
  return { path: file, sha256: toHex(sha256(bytes)) };
}

function checkRoot(entry: ManifestFile, hasher: PieceHasher): void {
  if (equalBytes(hasher.root(), fromHex(entry.merkle_root))) return;
  throw new Refusal('wrong_file', `${entry.path} is not the file that the manifest names`);
}
