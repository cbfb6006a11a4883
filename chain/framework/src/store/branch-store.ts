/** Branches of stores: writes stay in the branch until `write` hands them to the parent, all of them or none. */
import { type Change, checkKey, type KVStore, type MultiStore } from './kv-store.ts';
import { fromMapKey, SortedMap, toMapKey } from './sorted-map.ts';

/** A touched key: its value, or undefined when deleted. */
export interface Entry {
  readonly value: Uint8Array | undefined;
}

/** One store with the writes of a branch laid over its parent. */
export class BranchStore implements KVStore {
  readonly #parent: KVStore;
  /** the parent where it is a branch too: keys and entries go there as they are */
  readonly #branch: BranchStore | undefined;
  readonly #touched: SortedMap<Entry>;

  /** @param touched writes to begin with, by `toMapKey` */
  constructor(parent: KVStore, touched: SortedMap<Entry> = new SortedMap<Entry>()) {
    this.#parent = parent;
    this.#branch = parent instanceof BranchStore ? parent : undefined;
    this.#touched = touched;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const text = toMapKey(key);
    let at: BranchStore = this;
    for (;;) {
      const entry = at.#touched.get(text);
      if (entry !== undefined) return entry.value;
      if (at.#branch === undefined) return at.#parent.get(key);
      at = at.#branch;
    }
  }

  has(key: Uint8Array): boolean {
    const text = toMapKey(key);
    let at: BranchStore = this;
    for (;;) {
      const entry = at.#touched.get(text);
      if (entry !== undefined) return entry.value !== undefined;
      if (at.#branch === undefined) return at.#parent.has(key);
      at = at.#branch;
    }
  }

  set(key: Uint8Array, value: Uint8Array): void {
    checkKey(key);
    this.#touched.set(toMapKey(key), { value });
  }

  delete(key: Uint8Array): void {
    this.#touched.set(toMapKey(key), { value: undefined });
  }

  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    const below = this.#parent.iterate(start, end, reverse);
    const low = start === undefined ? undefined : toMapKey(start);
    const high = end === undefined ? undefined : toMapKey(end);
    const inside = (key: string | undefined): key is string =>
      key !== undefined && (low === undefined || key >= low) && (high === undefined || key < high);
    let cursor = reverse ? high : low;
    let parent = below.next();
    for (;;) {
      // Sought anew at each step, so that a write during the iteration is seen where it lies ahead.
      const own = this.#touched.seek(cursor, reverse);
      const ours = inside(own) ? own : undefined;
      const theirs = parent.done ? undefined : toMapKey(parent.value[0]);
      if (ours === undefined && theirs === undefined) return;
      const takeOurs = ours !== undefined && (theirs === undefined || ours === theirs || ours < theirs !== reverse);
      const key = (takeOurs ? ours : theirs) as string;
      const value = takeOurs ? this.#touched.get(key)?.value : (parent.value as [Uint8Array, Uint8Array])[1];
      const bytes = takeOurs ? fromMapKey(key) : (parent.value as [Uint8Array, Uint8Array])[0];
      if (key === theirs) parent = below.next();
      cursor = reverse ? key : `${key}\0`;
      if (value !== undefined) yield [bytes, value];
    }
  }

  /** Writes what was touched into the parent. The branch is used up. */
  write(): void {
    for (const [key, entry] of this.#touched.entriesUnordered()) {
      if (this.#branch !== undefined) this.#branch.#touched.set(key, entry);
      else if (entry.value === undefined) this.#parent.delete(fromMapKey(key));
      else this.#parent.set(fromMapKey(key), entry.value);
    }
  }

  /** What was touched, ascending. */
  *changes(store: string): IterableIterator<Change> {
    for (const [key, { value }] of this.#touched.entries()) yield { store, key: fromMapKey(key), value };
  }
}

/** All stores of a parent with one branch laid over them. */
export class BranchMultiStore implements MultiStore {
  readonly #parent: MultiStore;
  readonly #stores = new Map<string, BranchStore>();

  constructor(parent: MultiStore) {
    this.#parent = parent;
  }

  store(name: string): KVStore {
    let store = this.#stores.get(name);
    if (store === undefined) {
      store = new BranchStore(this.#parent.store(name));
      this.#stores.set(name, store);
    }
    return store;
  }

  write(): void {
    for (const store of this.#stores.values()) store.write();
  }

  /** All that was touched, by store name and key, ascending: the order that hashes and trees depend on. */
  changes(): Change[] {
    const names = [...this.#stores.keys()].sort((a, b) => (a < b ? -1 : 1));
    return names.flatMap((name) => [...(this.#stores.get(name) as BranchStore).changes(name)]);
  }
}
