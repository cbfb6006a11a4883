/** Providers of a `World` whose manifests are on the disk: the real store, with a journal in memory that outlives a restart. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeDelivery } from '@mu/client/manifest/bundle';
import { concatBytes, u32be } from '@mu/lib/bytes';
import type { ManifestKey, ManifestRecord, Table } from '../../../src/journal/journal.ts';
import { textOf } from '../../../src/manifests/grace.ts';
import { ManifestStore, type ManifestStoreOptions } from '../../../src/manifests/manifest-store.ts';
import { receiveDelivery } from '../../../src/manifests/receive.ts';
import { arriving } from '../../manifests/fixture.ts';
import { chainId } from '../../overlay/support/providers.ts';
import { counted } from '../../support/surroundings.ts';
import type { TestManifest } from './manifests.ts';

export class Disk {
  readonly folder = mkdtempSync(join(tmpdir(), 'mu-disk-'));
  readonly #records = new Map<string, ManifestRecord>();
  /** What became startable, since the store was opened. */
  readonly told: string[] = [];
  store: ManifestStore;

  constructor(change: Partial<ManifestStoreOptions> = {}) {
    this.store = this.open(change);
  }

  readonly index: Table<ManifestKey, ManifestRecord> = {
    get: (key) => this.#records.get(textOf(key)),
    put: (key, record) => void this.#records.set(textOf(key), record),
    delete: (key) => void this.#records.delete(textOf(key)),
    all: () => [...this.#records.values()],
    keys: () => [...this.#records.keys()],
  };

  /** A store over what stands here, as after a restart; the one before is to be left alone from now on. */
  open(change: Partial<ManifestStoreOptions> = {}): ManifestStore {
    this.told.length = 0;
    this.store = new ManifestStore({
      ...{ folder: this.folder, index: this.index, random: counted().random, keepFree: 0 },
      onRunnable: (record) => this.told.push(...record.infrastructures),
      ...change,
    });
    return this.store;
  }

  /** Of the manifest's file. */
  async pieces({ key }: TestManifest): Promise<number> {
    return (await this.store.carried(key))?.have().size ?? 0;
  }

  keys({ key }: TestManifest): string[] {
    return [...(this.store.load(key)?.keys.keys() ?? [])].sort();
  }

  /** The file's place in the manifest's folder. */
  at({ key }: TestManifest, name: string): string {
    return join(this.folder, this.index.get(key)?.folder ?? '', name);
  }

  get folders(): readonly string[] {
    return readdirSync(this.folder);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The user hands a manifest over: these keys, and its file or not. */
export async function deliver(
  { store }: Pick<Disk, 'store'>,
  { headBytes, version, key, keys, head, pieces }: TestManifest,
  of: { readonly infrastructures: readonly string[]; readonly withFile?: boolean },
): Promise<ManifestRecord> {
  const files = of.withFile === false ? [] : head.files.map(({ path }) => path);
  const given = new Map(of.infrastructures.map((name) => [name, keys.get(name) as Uint8Array]));
  const message = encodeDelivery({ headBytes, keys: given, files });
  const body = concatBytes(u32be(message.length), message, ...(files.length === 0 ? [] : pieces));
  const held = of.infrastructures.map((infrastructure) => ({ lease: 1n, infrastructure }));
  return receiveDelivery(arriving(body), { chainId, ...key, version, held }, store);
}
