/** Manifests whose leases here are over, and how long each is kept for its peers all the same. */
import type { Manifest } from '@mu/client/manifest/parse';
import type { ManifestKey, ManifestRecord, Table } from '../journal/journal.ts';

export class Grace {
  readonly #index: Table<ManifestKey, ManifestRecord>;
  /** By the text of the key: nobody reads the whole journal with each block. */
  readonly #keys = new Map<string, ManifestKey>();

  constructor(index: Table<ManifestKey, ManifestRecord>) {
    this.#index = index;
    for (const record of index.all()) if (record.eraseAt !== undefined) this.#keys.set(textOf(record), record);
  }

  /**
   * Keeps a manifest after the last lease here, up to a height; undefined: as long as it is wanted. The journal knows it, so
   * that no restart makes it longer.
   */
  keepUntil(key: ManifestKey, eraseAt: bigint | undefined): void {
    const record = this.#index.get(key);
    if (record === undefined || record.eraseAt === eraseAt) return;
    const { eraseAt: _before, ...wanted } = record;
    this.#index.put(key, eraseAt === undefined ? wanted : { ...record, eraseAt });
    if (eraseAt === undefined) this.forget(key);
    else this.#keys.set(textOf(key), record);
  }

  list(): ManifestRecord[] {
    return [...this.#keys.values()].flatMap((key) => this.#index.get(key) ?? []);
  }

  forget(key: ManifestKey): void {
    this.#keys.delete(textOf(key));
  }
}

/** One text for each manifest. */
export function textOf({ owner, dseq, revision }: ManifestKey): string {
  return `${owner}/${dseq}/${revision}`;
}

/** What a manifest is held by. */
export function keyOf({ head }: Manifest): ManifestKey {
  return { owner: head.owner, dseq: BigInt(head.dseq), revision: BigInt(head.revision) };
}
