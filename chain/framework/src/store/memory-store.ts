/** A commit store in memory: for tests and simulations, with the hashes of the one on disk. */
import { errInvalidHeight, errNotSupported, errUnknownRequest } from '../errors.ts';
import { type CommitInfo, type CommitStore, changesHash, emptyAppHash, type StoredValue } from './commit-store.ts';
import type { Change, KVStore } from './kv-store.ts';
import { fromMapKey, SortedMap, toMapKey } from './sorted-map.ts';

/** One flat store in memory. */
export class MemoryStore implements KVStore {
  readonly #pairs = new SortedMap<Uint8Array>();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#pairs.get(toMapKey(key));
  }

  has(key: Uint8Array): boolean {
    return this.#pairs.has(toMapKey(key));
  }

  set(key: Uint8Array, value: Uint8Array): void {
    if (key.length === 0) throw new Error('a key is not empty');
    this.#pairs.set(toMapKey(key), value);
  }

  delete(key: Uint8Array): void {
    this.#pairs.delete(toMapKey(key));
  }

  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    const low = start === undefined ? undefined : toMapKey(start);
    const high = end === undefined ? undefined : toMapKey(end);
    let key = this.#pairs.seek(reverse ? high : low, reverse);
    while (key !== undefined && (reverse ? low === undefined || key >= low : high === undefined || key < high)) {
      yield [fromMapKey(key), this.#pairs.get(key) as Uint8Array];
      key = this.#pairs.seek(reverse ? key : `${key}\0`, reverse);
    }
  }
}

/** Committed state in memory. */
export class MemoryCommitStore implements CommitStore {
  readonly #stores = new Map<string, MemoryStore>();
  readonly #constants = new Map<string, Uint8Array>();
  #last: CommitInfo = { height: 0n, appHash: emptyAppHash };

  /** @param names of all stores, as the modules declare them */
  constructor(names: readonly string[]) {
    for (const name of names) this.#stores.set(name, new MemoryStore());
  }

  get last(): CommitInfo {
    return this.#last;
  }

  store(name: string): KVStore {
    const store = this.#stores.get(name);
    if (store === undefined) throw errUnknownRequest.wrap(`no such store: ${name}`);
    return store;
  }

  workingHash(changes: readonly Change[]): Uint8Array {
    return changesHash(this.#last.appHash, changes);
  }

  commit(height: bigint, changes: readonly Change[]): CommitInfo {
    const appHash = this.workingHash(changes);
    for (const { store, key, value } of changes) {
      if (value === undefined) this.store(store).delete(key);
      else this.store(store).set(key, value);
    }
    this.#last = { height, appHash };
    return this.#last;
  }

  read(store: string, key: Uint8Array, height: bigint, prove: boolean): StoredValue {
    if (prove) throw errNotSupported.wrap('this node keeps no proofs');
    if (height !== 0n && height !== this.#last.height) {
      throw errInvalidHeight.wrap(`height ${height} is not kept; the latest is ${this.#last.height}`);
    }
    return { value: this.store(store).get(key), height: this.#last.height };
  }

  constant(name: string): Uint8Array | undefined {
    return this.#constants.get(name);
  }

  setConstant(name: string, value: Uint8Array): void {
    this.#constants.set(name, value);
  }
}
