/** Stores of a first version while genesis is written: a bounded part waits in memory, the rest is with the backend. */
import { errUnknownRequest } from '../errors.ts';
import { BranchStore, type Entry } from './branch-store.ts';
import type { GenesisStores } from './commit-store.ts';
import type { Change, KVStore } from './kv-store.ts';
import { SortedMap } from './sorted-map.ts';
import type { StateBackend } from './state-backend.ts';

/** Writes that wait at most. Keys in no order touch as many pages as there are keys: the more at once, the fewer rewrites. */
const mostWaiting = 200_000;

export class ImportStores implements GenesisStores {
  readonly #backend: StateBackend;
  readonly #stores = new Map<string, ImportStore>();
  #waiting = 0;
  /** iterations under way: what they read may not move */
  #readers = 0;

  constructor(names: readonly string[], backend: StateBackend) {
    this.#backend = backend;
    for (const name of names) this.#stores.set(name, this.#make(name));
  }

  store(name: string): KVStore {
    const store = this.#stores.get(name);
    if (store === undefined) throw errUnknownRequest.wrap(`no such store: ${name}`);
    return store;
  }

  end(): void {
    const changes: Change[] = [];
    for (const [name, store] of this.#stores) for (const change of store.take(name)) changes.push(change);
    this.#waiting = 0;
    this.#backend.putPart({ changes, firstId: 0, records: [] });
  }

  #make(name: string): ImportStore {
    return new ImportStore(this.#backend.flat(name), {
      wrote: () => {
        this.#waiting += 1;
        if (this.#waiting >= mostWaiting && this.#readers === 0) this.end();
      },
      reads: (begins) => {
        this.#readers += begins ? 1 : -1;
      },
    });
  }
}

interface Watcher {
  wrote(): void;
  reads(begins: boolean): void;
}

class ImportStore implements KVStore {
  readonly #parent: KVStore;
  readonly #watcher: Watcher;
  #branch: BranchStore;

  constructor(parent: KVStore, watcher: Watcher) {
    this.#parent = parent;
    this.#watcher = watcher;
    this.#branch = this.#fresh();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#branch.get(key);
  }

  has(key: Uint8Array): boolean {
    return this.#branch.has(key);
  }

  set(key: Uint8Array, value: Uint8Array): void {
    this.#branch.set(key, value);
    this.#watcher.wrote();
  }

  delete(key: Uint8Array): void {
    this.#branch.delete(key);
    this.#watcher.wrote();
  }

  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    this.#watcher.reads(true);
    try {
      yield* this.#branch.iterate(start, end, reverse);
    } finally {
      this.#watcher.reads(false);
    }
  }

  /** What was written since the last time. */
  take(name: string): IterableIterator<Change> {
    const branch = this.#branch;
    this.#branch = this.#fresh();
    return branch.changes(name);
  }

  #fresh(): BranchStore {
    return new BranchStore(this.#parent, new SortedMap<Entry>());
  }
}
