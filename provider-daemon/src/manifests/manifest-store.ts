/**
 * The manifests that are held, by (deployment, revision). Each stands in a folder with a random name; the journal's entry
 * is what makes it count. Head and keys are there whole or not at all; files may come piece by piece, from the user or from
 * peers, and `infrastructures` of the entry says what can be started. What is right is never replaced: it may be in use.
 */
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { ManifestError } from '@mu/client/manifest/errors';
import { type Manifest, parseManifest } from '@mu/client/manifest/parse';
import { toHex } from '@mu/lib/bytes';
import { reach } from '../faults/fault-points.ts';
import { syncFolder } from '../identity/files.ts';
import type { ManifestKey, ManifestRecord } from '../journal/journal.ts';
import { Turns } from '../turns.ts';
import type { Carried, CarriedManifests } from './carried.ts';
import { DiskRoom, keepFreeBytes } from './disk-room.ts';
import { Grace, keyOf, textOf } from './grace.ts';
import { HeldManifest } from './held-manifest.ts';
import { type IncomingManifest, incomingManifest } from './incoming-manifest.ts';
import { ManifestEntries } from './manifest-entries.ts';
import { checkPieces, eraseFolder, ManifestFolder, maxPieceBytes } from './manifest-folder.ts';
import { PieceBuffers } from './piece-buffers.ts';
import type { ManifestStoreOptions, StoredManifest } from './store-options.ts';
import type { AcceptedDelivery } from './verify-delivery.ts';

export type { ManifestKey, ManifestRecord } from '../journal/journal.ts';
export type { HeldFile } from './held-manifest.ts';
export type { IncomingManifest } from './incoming-manifest.ts';
export type { ManifestStoreOptions, StoredManifest } from './store-options.ts';

/** Files that are checked at the same time. */
const maxChecks = 4;

export class ManifestStore implements CarriedManifests {
  readonly #folder: string;
  readonly #index: ManifestStoreOptions['index'];
  readonly #options: ManifestStoreOptions;
  readonly #buffers: PieceBuffers;
  readonly #turns = new Turns();
  readonly #open = new Map<string, HeldManifest>();
  readonly #entries: ManifestEntries;
  readonly #room: DiskRoom;
  readonly #grace: Grace;

  /** Opens the store, and removes what a crash has left unfinished. */
  constructor(options: ManifestStoreOptions) {
    const { folder, index, keepFree = keepFreeBytes, now = () => performance.now() } = options;
    this.#options = options;
    this.#entries = new ManifestEntries(options);
    this.#room = new DiskRoom({ folder, keepFree, now });
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

  /** Its entry; undefined where it is not held. */
  record(key: ManifestKey): ManifestRecord | undefined {
    return this.#index.get(key);
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
      const name = this.#newName();
      try {
        const folder = await this.#room.reserve(name, manifest.head, manifest.head.files);
        this.#place({ manifest, keys: new Map() }, { name, folder, written: [] });
        reach('manifest.adopted');
        return this.#held(this.#enter(manifest, { folder: name }));
      } catch (error) {
        await this.#room.discard(name);
        throw error;
      }
    });
  }

  cameFrom(key: ManifestKey, provider: string): void {
    this.#entries.cameFrom(key, provider);
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
    const name = this.#newName();
    const folder = await this.#room.reserve(name, manifest.head, wanted);
    return incomingManifest({
      accepted,
      folder,
      held: whole,
      claim: () => this.#room.claim(name),
      discard: () => this.#room.discard(name),
      commit: (written) => this.#turns.take(textOf(key), () => this.#commit(accepted, { name, folder, written })),
    });
  }

  async #commit(accepted: AcceptedDelivery, of: Placed): Promise<ManifestRecord> {
    const key = keyOf(accepted.manifest);
    const record = this.#usable(key) === undefined ? undefined : this.#index.get(key);
    if (record !== undefined) return this.#merge(accepted, { ...of, record });
    this.#place(accepted, of);
    reach('manifest.placed');
    const entered = this.#enter(accepted.manifest, { folder: of.name, from: [] });
    // They were verified on their way to the disk.
    this.#held(entered).filesCame(of.written);
    return entered;
  }

  /** A delivery of what is held in part, or whole: what is missing is added. */
  async #merge(
    { manifest, keys }: AcceptedDelivery,
    { name, folder, written, record }: Placed & { readonly record: ManifestRecord },
  ): Promise<ManifestRecord> {
    const held = this.#held(record);
    await held.quiet();
    const fresh = written.filter((path) => !held.isWhole(path));
    const into = this.#folderOf(record);
    return this.#entries.quietly(record.folder, async () => {
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
        this.#entries.settle(held.key, held.runnable());
        return this.#index.get(record) ?? record;
      } finally {
        await this.#room.discard(name);
      }
    });
  }

  #newName(): string {
    return toHex(this.#options.random(16));
  }

  /** Gives a folder all that it lacks, and its name. */
  #place({ manifest, keys }: Pick<AcceptedDelivery, 'manifest' | 'keys'>, { name, folder, written }: Placed): void {
    folder.finish(manifest, keys, written);
    renameSync(folder.path, join(this.#folder, name));
    syncFolder(this.#folder);
  }

  #enter(manifest: Manifest, of: Pick<ManifestRecord, 'folder' | 'from'>): ManifestRecord {
    const key = keyOf(manifest);
    const record: ManifestRecord = { ...key, ...of, version: manifest.version, infrastructures: [] };
    try {
      const entered = { ...record, infrastructures: this.#held(record).runnable() };
      this.#index.put(key, entered);
      reach('manifest.entered');
      return entered;
    } catch (error) {
      // It counts for nothing, and holds secrets.
      this.#open.delete(of.folder);
      this.#erase(of.folder);
      throw error;
    }
  }

  #catchUp(record: ManifestRecord): void {
    try {
      this.#entries.catchUp(record, this.#openFolder(record).runnable());
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
      claim: () => this.#room.claim(record.folder),
      onChange: (held) => this.#entries.settle(held.key, held.runnable()),
    });
  }

  #folderOf({ folder }: Pick<ManifestRecord, 'folder'>): ManifestFolder {
    return new ManifestFolder(join(this.#folder, folder));
  }

  #erase(name: string): void {
    this.#room.forget(name);
    eraseFolder(join(this.#folder, name));
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
