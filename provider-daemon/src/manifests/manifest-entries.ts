/** The journal's entries of manifests that are held: what of each can be started, and who gave it. */
import type { ManifestKey, ManifestRecord } from '../journal/journal.ts';
import type { ManifestStoreOptions } from './store-options.ts';

/** Providers that are remembered of a manifest, the first that gave something of it; a swarm has no more peers at a time. */
export const maxGivers = 64;

export class ManifestEntries {
  readonly #index: ManifestStoreOptions['index'];
  readonly #onRunnable: ManifestStoreOptions['onRunnable'];
  /** Folders whose delivery is being entered: who delivers hears of it by `commit`. */
  readonly #entering = new Set<string>();

  constructor({ index, onRunnable }: Pick<ManifestStoreOptions, 'index' | 'onRunnable'>) {
    this.#index = index;
    this.#onRunnable = onRunnable;
  }

  /** @param infrastructures that can be started now: where they are more, it is told */
  settle(key: ManifestKey, infrastructures: readonly string[]): void {
    const record = this.#index.get(key);
    if (record === undefined) return;
    const isMore = infrastructures.some((one) => !record.infrastructures.includes(one));
    if (!isMore && infrastructures.length === record.infrastructures.length) return;
    const next = { ...record, infrastructures };
    this.#index.put(key, next);
    if (isMore && !this.#entering.has(record.folder)) this.#onRunnable?.(next);
  }

  /** After a start: a crash may have come between the last piece, or a key, and the entry. Nobody is told. */
  catchUp(record: ManifestRecord, infrastructures: readonly string[]): void {
    const isMore = infrastructures.some((one) => !record.infrastructures.includes(one));
    if (isMore) this.#index.put(record, { ...record, infrastructures });
  }

  /** Nobody is told of what becomes startable in the folder meanwhile. */
  async quietly<T>(folder: string, work: () => Promise<T>): Promise<T> {
    this.#entering.add(folder);
    try {
      return await work();
    } finally {
      this.#entering.delete(folder);
    }
  }

  /** A provider has given something of it. @throws the system's error where the journal does not take it */
  cameFrom(key: ManifestKey, provider: string): void {
    const record = this.#index.get(key);
    const from = record?.from ?? [];
    if (record === undefined || from.includes(provider) || from.length >= maxGivers) return;
    this.#index.put(key, { ...record, from: [...from, provider] });
  }
}
