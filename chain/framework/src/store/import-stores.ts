/** Stores of a first version while genesis is written: a bounded part waits in memory, the rest is with the backend. */
import { errUnknownRequest } from '../errors.ts';
import { BranchStore } from './branch-store.ts';
import type { GenesisStores } from './commit-store.ts';
import { type Change, checkKey, type KVStore } from './kv-store.ts';
import type { StateBackend } from './state-backend.ts';
import { WriteLog } from './write-log.ts';

/** Memory that the waiting writes of a store take at most. Keys come in no order: the more at once, the fewer rewrites. */
const mostWaitingBytes = 192 * 1_048_576;

export class ImportStores implements GenesisStores {
  readonly #stores = new Map<string, ImportStore>();
  readonly #backend: StateBackend;

  /** @param most bytes that wait in memory, of each store */
  constructor(names: readonly string[], backend: StateBackend, most = mostWaitingBytes) {
    this.#backend = backend;
    for (const name of names) this.#stores.set(name, new ImportStore(name, backend, most));
  }

  store(name: string): KVStore {
    const store = this.#stores.get(name);
    if (store === undefined) throw errUnknownRequest.wrap(`no such store: ${name}`);
    return store;
  }

  end(): void {
    this.#backend.putPart({ changes: this.#changes(), firstId: 0, records: [] });
  }

  *#changes(): IterableIterator<Change> {
    for (const store of this.#stores.values()) yield* store.take();
  }
}

class ImportStore implements KVStore {
  readonly #name: string;
  readonly #backend: StateBackend;
  readonly #most: number;
  readonly #log: WriteLog;
  /** while somebody iterates, the writes since: what is read may not move, and what is written is seen */
  #branch: BranchStore | undefined;
  #readers = 0;

  constructor(name: string, backend: StateBackend, most: number) {
    this.#name = name;
    this.#backend = backend;
    this.#most = most;
    this.#log = new WriteLog(backend.flat(name));
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return (this.#branch ?? this.#log).get(key);
  }

  has(key: Uint8Array): boolean {
    return (this.#branch ?? this.#log).has(key);
  }

  set(key: Uint8Array, value: Uint8Array): void {
    checkKey(key);
    (this.#branch ?? this.#log).set(key, value);
    this.#bound();
  }

  delete(key: Uint8Array): void {
    (this.#branch ?? this.#log).delete(key);
    this.#bound();
  }

  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    if (this.#branch === undefined) {
      this.#flush();
      this.#branch = new BranchStore(this.#log);
    }
    this.#readers += 1;
    try {
      yield* this.#branch.iterate(start, end, reverse);
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) this.#merge();
    }
  }

  /** What waits, by key, ascending; the backend has it from then on. */
  take(): IterableIterator<Change> {
    this.#merge();
    return this.#log.take(this.#name);
  }

  #bound(): void {
    if (this.#branch === undefined && this.#log.bytes > this.#most) this.#flush();
  }

  #flush(): void {
    if (this.#log.size > 0) this.#backend.putPart({ changes: this.take(), firstId: 0, records: [] });
  }

  #merge(): void {
    this.#branch?.write();
    this.#branch = undefined;
  }
}
