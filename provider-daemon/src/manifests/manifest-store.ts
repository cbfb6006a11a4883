/**
 * The manifests that are held, by (deployment, revision). Each stands in a folder with a random name; the journal's entry
 * is what makes it count. Head and keys are there whole or not at all; files may come piece by piece, from the user or from
 * peers, and `infrastructures` of the entry says what can be started. What is right is never replaced: it may be in use.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ManifestError } from '@mu/client/manifest/errors';
import type { ManifestFile } from '@mu/client/manifest/head';
import { type Manifest, parseManifest } from '@mu/client/manifest/parse';
import { toHex } from '@mu/lib/bytes';
import { reach } from '../faults/fault-points.ts';
import { syncFolder } from '../identity/files.ts';
import type { ManifestKey, ManifestRecord } from '../journal/journal.ts';
import { Turns } from '../turns.ts';
import type { Carried, CarriedManifests } from './carried.ts';
import { checkRoom, keepFreeBytes } from './disk-room.ts';
import { Grace, keyOf, textOf } from './grace.ts';
import { HeldManifest } from './held-manifest.ts';
import { type IncomingManifest, incomingManifest } from './incoming-manifest.ts';
import { checkPieces, ManifestFolder, maxPieceBytes } from './manifest-folder.ts';
import { PieceBuffers } from './piece-buffers.ts';
import type { ManifestStoreOptions, StoredManifest } from './store-options.ts';
import type { AcceptedDelivery } from './verify-delivery.ts';

export type { ManifestKey, ManifestRecord } from '../journal/journal.ts';
export type { HeldFile } from './held-manifest.ts';
export type { IncomingManifest } from './incoming-manifest.ts';
export type { ManifestStoreOptions, StoredManifest } from './store-options.ts';

/** Files that are checked at the same time. */
const maxChecks = 4;
/** Of a folder in which something has appeared while it was emptied; each waits 0.1 s longer. */
const eraseRetries = 3;
/** Of the turn in which room is looked for and taken. */
const roomTurn = '';

export class ManifestStore implements CarriedManifests {
  readonly #folder: string;
  readonly #index: ManifestStoreOptions['index'];
  readonly #options: ManifestStoreOptions;
  readonly #buffers: PieceBuffers;
  readonly #turns = new Turns();
  readonly #open = new Map<string, HeldManifest>();
  /** Folders whose delivery is being entered: who delivers hears of it by `commit`. */
  readonly #entering = new Set<string>();
  readonly #grace: Grace;

  /** Opens the store, and removes what a crash has left unfinished. */
  constructor(options: ManifestStoreOptions) {
    const { folder, index } = options;
    this.#options = options;
    this.#folder = folder;
    this.#index = index;
    this.#buffers = options.buffers ?? new PieceBuffers(maxChecks, maxPieceBytes);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const records = index.all();
    const known = new Set(records.map((record) => record.folder));
    for (const name of readdirSync(folder)) if (!known.has(name)) this.#erase(name);
    for (const record of records) this.#catchUp(record);
    this.#grace = new Grace(index);
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

  /** The manifest; undefined where it is not held. @throws ManifestError when the disk has changed its head */
  load(key: ManifestKey): StoredManifest | undefined {
    const record = this.#index.get(key);
    if (record === undefined) return undefined;
    const folder = this.#folderOf(record);
    return {
      ...folder.readHead(record),
      infrastructures: record.infrastructures,
      keys: folder.readKeys(),
      fileOf: (path) => this.#held(record).file(path),
    };
  }

  async carried(key: ManifestKey): Promise<Carried | undefined> {
    const held = this.#usable(key);
    await held?.verified();
    return held;
  }

  async adopt(
    key: ManifestKey & { readonly chainId: string; readonly version: Uint8Array },
    headBytes: Uint8Array,
  ): Promise<Carried> {
    const manifest = parseManifest(headBytes, key);
    checkPieces(manifest.head);
    return this.#turns.take(textOf(key), async () => {
      const known = await this.carried(key);
      if (known !== undefined) return known;
      const { name, folder } = await this.#reserve(manifest, manifest.head.files);
      try {
        this.#place({ manifest, keys: new Map() }, { name, folder, written: [] });
        reach('manifest.adopted');
        return this.#held(this.#enter(manifest, name));
      } catch (error) {
        await rm(folder.path, { recursive: true, force: true });
        throw error;
      }
    });
  }

  /** Forgets a manifest and erases its files. @throws the system's error; then what is left is still listed, to be tried again */
  remove(key: ManifestKey): void {
    const record = this.#index.get(key);
    if (record === undefined) return;
    this.#index.delete(key);
    this.#open.get(record.folder)?.leave();
    this.#open.delete(record.folder);
    try {
      this.#erase(record.folder);
    } catch (error) {
      // Nothing is started from what is left.
      this.#index.put(key, { ...record, infrastructures: [] });
      throw error;
    }
    this.#grace.forget(key);
  }

  /** Keeps a manifest for its peers after the last lease here, up to a height; undefined: as long as it is wanted. */
  keepUntil(key: ManifestKey, eraseAt: bigint | undefined): void {
    this.#grace.keepUntil(key, eraseAt);
  }

  /** Manifests whose leases here are over, kept up to `eraseAt`: for participants only. */
  inGrace(): ManifestRecord[] {
    return this.#grace.list();
  }

  /** Takes up a delivery whose head and keys are right. @throws Refusal `too_large` where the disk has no room for it */
  async begin(accepted: AcceptedDelivery): Promise<IncomingManifest> {
    const { manifest, files } = accepted;
    const key = keyOf(manifest);
    const held = this.#usable(key);
    const whole = new Set(files.map(({ path }) => path).filter((path) => held?.isWhole(path) === true));
    // Of a manifest that is held already the rest has its room.
    const wanted = held === undefined ? manifest.head.files : files.filter(({ path }) => !whole.has(path));
    const { name, folder } = await this.#reserve(manifest, wanted);
    return incomingManifest({
      accepted,
      folder,
      held: whole,
      commit: (written) => this.#turns.take(textOf(key), () => this.#commit(accepted, { name, folder, written })),
    });
  }

  async #commit(accepted: AcceptedDelivery, of: Placed): Promise<ManifestRecord> {
    const key = keyOf(accepted.manifest);
    const record = this.#usable(key) === undefined ? undefined : this.#index.get(key);
    if (record !== undefined) return this.#merge(accepted, { ...of, record });
    this.#place(accepted, of);
    reach('manifest.placed');
    const entered = this.#enter(accepted.manifest, of.name);
    // They were verified on their way to the disk.
    this.#held(entered).filesCame(of.written);
    return entered;
  }

  /** A delivery of what is held in part, or whole: what is missing is added. */
  async #merge(
    { manifest, keys }: AcceptedDelivery,
    { folder, written, record }: Placed & { readonly record: ManifestRecord },
  ): Promise<ManifestRecord> {
    const held = this.#held(record);
    await held.quiet();
    const fresh = written.filter((path) => !held.isWhole(path));
    const into = this.#folderOf(record);
    this.#entering.add(record.folder);
    try {
      for (const path of fresh) {
        const at = manifest.head.files.findIndex((file) => file.path === path);
        renameSync(folder.treeAt(at), into.treeAt(at));
        renameSync(folder.fileAt(at), into.fileAt(at));
      }
      syncFolder(into.path);
      reach('manifest.merged');
      held.filesCame(fresh);
      held.mergeKeys(keys);
      this.#settle(held);
      return this.#index.get(record) ?? record;
    } finally {
      this.#entering.delete(record.folder);
      await rm(folder.path, { recursive: true, force: true });
    }
  }

  /** Looks for room, and takes it. @throws Refusal `too_large` */
  #reserve({ head }: Manifest, wanted: readonly ManifestFile[]): Promise<Pick<Placed, 'name' | 'folder'>> {
    return this.#turns.take(roomTurn, async () => {
      await checkRoom(this.#folder, wanted, this.#options.keepFree ?? keepFreeBytes);
      const name = toHex(this.#options.random(16));
      const folder = await ManifestFolder.make(join(this.#folder, `${name}.incoming`), head, wanted);
      return { name, folder };
    });
  }

  /** Gives a folder all that it lacks, and its name. */
  #place({ manifest, keys }: Pick<AcceptedDelivery, 'manifest' | 'keys'>, { name, folder, written }: Placed): void {
    folder.finish(manifest, keys, written);
    renameSync(folder.path, join(this.#folder, name));
    syncFolder(this.#folder);
  }

  #enter(manifest: Manifest, folder: string): ManifestRecord {
    const key = keyOf(manifest);
    const record: ManifestRecord = { ...key, folder, version: manifest.version, infrastructures: [] };
    try {
      const entered = { ...record, infrastructures: this.#held(record).runnable() };
      this.#index.put(key, entered);
      reach('manifest.entered');
      return entered;
    } catch (error) {
      // It counts for nothing, and holds secrets.
      this.#open.delete(folder);
      this.#erase(folder);
      throw error;
    }
  }

  /** The journal says what can be started. */
  #settle(held: HeldManifest): void {
    const record = this.#index.get(held.key);
    if (record === undefined) return;
    const infrastructures = held.runnable();
    const isMore = infrastructures.some((one) => !record.infrastructures.includes(one));
    if (!isMore && infrastructures.length === record.infrastructures.length) return;
    const next = { ...record, infrastructures };
    this.#index.put(held.key, next);
    if (isMore && !this.#entering.has(record.folder)) this.#options.onRunnable?.(next);
  }

  /** A crash may have come between the last piece, or a key, and the journal's entry. */
  #catchUp(record: ManifestRecord): void {
    try {
      const infrastructures = this.#openFolder(record).runnable();
      const isMore = infrastructures.some((one) => !record.infrastructures.includes(one));
      if (isMore) this.#index.put(record, { ...record, infrastructures });
    } catch {
      // A head that the disk has changed is told of when it is needed; it must not keep the others from being served.
    }
  }

  /** What is held; what the disk has lost or changed so that it cannot be added to goes, and may come anew. */
  #usable(key: ManifestKey): HeldManifest | undefined {
    const record = this.#index.get(key);
    if (record === undefined) return undefined;
    try {
      return this.#held(record);
    } catch (error) {
      const isLost = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isLost && !(error instanceof ManifestError) && !(error instanceof SyntaxError)) throw error;
      this.remove(record);
      return undefined;
    }
  }

  #held(record: ManifestRecord): HeldManifest {
    const known = this.#open.get(record.folder);
    if (known !== undefined) return known;
    const held = this.#openFolder(record);
    this.#open.set(record.folder, held);
    return held;
  }

  #openFolder(record: ManifestRecord): HeldManifest {
    const folder = this.#folderOf(record);
    const { owner, dseq, revision } = record;
    return new HeldManifest({
      key: { owner, dseq, revision },
      manifest: folder.readHead(record),
      keys: folder.readKeys(),
      folder,
      buffers: this.#buffers,
      suffix: () => toHex(this.#options.random(8)),
      onChange: (held) => this.#settle(held),
    });
  }

  #folderOf({ folder }: Pick<ManifestRecord, 'folder'>): ManifestFolder {
    return new ManifestFolder(join(this.#folder, folder));
  }

  /** A piece that is being written meanwhile finds no folder: none appears in it while it goes. */
  #erase(name: string): void {
    const [path, erased] = [join(this.#folder, name), join(this.#folder, `${name}.erased`)];
    if (existsSync(path)) renameSync(path, erased);
    for (const one of [path, erased]) rmSync(one, { recursive: true, force: true, maxRetries: eraseRetries });
  }
}

/** A folder that is filled, before it counts. */
interface Placed {
  /** That it gets. */
  readonly name: string;
  readonly folder: ManifestFolder;
  /** Paths of the files that stand in it, whole and verified. */
  readonly written: readonly string[];
}
