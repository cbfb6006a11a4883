/** Stores that change with an upgrade, from the opening of the state until the first block of the upgrade is committed. */
import type { Change, KVStore } from './kv-store.ts';
import { type StoreUpgrades, storeUpgradesProblem } from './store-upgrades.ts';

/** What of a state and of a program has to fit. */
export interface OpenedStores {
  /** height of the last version; 0: there is none, and any program may begin */
  readonly height: bigint;
  /** the stores that it has */
  readonly stored: readonly string[];
  /** those of the program */
  readonly names: readonly string[];
}

export class UpgradedStores {
  readonly #flat: (store: string) => KVStore;
  /** the old name by the new one */
  readonly #renamed: ReadonlyMap<string, string>;
  /** stores of the last version that the next one lacks, ascending */
  readonly gone: readonly string[];

  /** @param flat latest values of a store by its name in the last version */
  constructor({ renamed, deleted }: StoreUpgrades, flat: (store: string) => KVStore) {
    this.#flat = flat;
    this.#renamed = new Map(renamed.map(({ from, to }) => [to, from]));
    this.gone = [...deleted, ...renamed.map(({ from }) => from)].sort((a, b) => (a < b ? -1 : 1));
  }

  /** Latest values of a store: those of a renamed one stand under its old name yet. */
  store(name: string): KVStore {
    return this.#flat(this.#renamed.get(name) ?? name);
  }

  /** What moves into a renamed store before the block's own changes, ascending; nothing for any other. */
  moved(name: string): IterableIterator<[Uint8Array, Uint8Array]> {
    const from = this.#renamed.get(name);
    return from === undefined ? [][Symbol.iterator]() : this.#flat(from).iterate();
  }

  /** The same for the latest values of all stores, and the removal of what is gone. */
  *changes(): IterableIterator<Change> {
    for (const store of this.#renamed.keys()) {
      for (const [key, value] of this.moved(store)) yield { store, key, value };
    }
    for (const store of this.gone) {
      for (const [key] of this.#flat(store).iterate()) yield { store, key, value: undefined };
    }
  }
}

/**
 * A program may commit to a state only when it has its stores, or when an upgrade says how they change: else it would
 * compute another app hash than the network.
 * @throws Error that names the stores and says what to do
 */
export function checkStores({ height, stored, names }: OpenedStores, upgrades: StoreUpgrades): void {
  if (height === 0n) return;
  const problem = storeUpgradesProblem(stored, upgrades);
  if (problem !== undefined) throw new Error(`the upgrade after block ${height} does not fit its state: ${problem}`);
  const gone = [...upgrades.deleted, ...upgrades.renamed.map(({ from }) => from)];
  const come = [...upgrades.added, ...upgrades.renamed.map(({ to }) => to)];
  const expected = [...stored.filter((name) => !gone.includes(name)), ...come];
  const missing = expected.filter((name) => !names.includes(name));
  const unknown = names.filter((name) => !expected.includes(name));
  if (missing.length === 0 && unknown.length === 0) return;
  const lacks = missing.length === 0 ? '' : ` has ${missing.join(', ')}, which this program lacks;`;
  const more = unknown.length === 0 ? '' : ` lacks ${unknown.join(', ')}, which this program has;`;
  throw new Error(
    `the state of block ${height}${lacks}${more} it is another version's: run the program that wrote it, or begin this one at the height of the upgrade that changes the stores`,
  );
}
