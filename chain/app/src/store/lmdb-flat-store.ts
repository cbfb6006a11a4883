/** Latest values of one store in LMDB, with what is on its way to the disk laid over them. */
import { BranchStore, type Entry } from '@mu/framework/store/branch-store';
import type { Change, KVStore } from '@mu/framework/store/kv-store';
import { SortedMap, toMapKey } from '@mu/framework/store/sorted-map';
import type { Database, RangeOptions } from 'lmdb';

export type BinaryDatabase = Database<Buffer, Uint8Array>;

/** A change that is not on the disk, and the block that made it. */
interface Waiting extends Entry {
  readonly height: number;
}

export class LmdbFlatStore implements KVStore {
  readonly #db: BinaryDatabase;
  readonly #waiting = new SortedMap<Waiting>();
  readonly #committed: Committed;
  readonly #overlaid: BranchStore;

  constructor(db: BinaryDatabase) {
    this.#db = db;
    this.#committed = new Committed(db);
    this.#overlaid = new BranchStore(this.#committed, this.#waiting);
  }

  /** Most of the time nothing waits, and LMDB itself is the answer. */
  get #view(): KVStore {
    return this.#waiting.size === 0 ? this.#committed : this.#overlaid;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#view.get(key);
  }

  has(key: Uint8Array): boolean {
    return this.#view.has(key);
  }

  set(): never {
    throw new Error('committed state is written by a commit only');
  }

  delete(): never {
    throw new Error('committed state is written by a commit only');
  }

  iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    return this.#view.iterate(start, end, reverse);
  }

  /** Part of a batch that LMDB writes later; it can be read at once. */
  put({ key, value }: Change, height: number): void {
    this.#waiting.set(toMapKey(key), { value, height });
    this.putQuietly({ key, value });
  }

  /** Part of a transaction that is under way. */
  putSync({ key, value }: Pick<Change, 'key' | 'value'>): void {
    if (value === undefined) this.#db.removeSync(key);
    else this.#db.putSync(key, value as Buffer);
  }

  /** Part of a batch that LMDB writes later; it can be read when it is on the disk. */
  putQuietly({ key, value }: Pick<Change, 'key' | 'value'>): void {
    if (value === undefined) this.#db.remove(key);
    else this.#db.put(key, asBuffer(value));
  }

  /** Part of a transaction that is under way: all values are gone. */
  clearSync(): void {
    this.#db.clearSync();
  }

  /** The batch with this change is on the disk. */
  settle({ key }: Change, height: number): void {
    const text = toMapKey(key);
    // A later block may have changed it again.
    if (this.#waiting.get(text)?.height === height) this.#waiting.delete(text);
  }
}

/** Most iterations look at a few pairs; a long one reads more at once. */
const firstPage = 8;
const largestPage = 512;

/** What LMDB has. */
class Committed implements KVStore {
  readonly #db: BinaryDatabase;

  constructor(db: BinaryDatabase) {
    this.#db = db;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#db.get(key);
  }

  has(key: Uint8Array): boolean {
    return this.#db.doesExist(key);
  }

  set(): never {
    throw new Error('committed state is written by a commit only');
  }

  delete(): never {
    throw new Error('committed state is written by a commit only');
  }

  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    let low = start === undefined || start.length === 0 ? undefined : start;
    let high = end;
    // By pages, so that no cursor of LMDB is open while somebody else acts: who reads may stop, write or close.
    for (let limit = firstPage; ; limit = Math.min(limit * 2, largestPage)) {
      const page = [...this.#db.getRange({ ...rangeOptions(low, high, reverse), limit })];
      for (const { key, value } of page) yield [key, value];
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return;
      if (reverse) high = last.key;
      else low = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }
}

/** LMDB's reverse ranges begin at `start` and go down to `end`: bounds swap, and so does which of them is included. */
function rangeOptions(low: Uint8Array | undefined, high: Uint8Array | undefined, reverse: boolean): RangeOptions {
  const [start, end] = reverse ? [high, low] : [low, high];
  return {
    reverse,
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(reverse ? { exclusiveStart: true, inclusiveEnd: true } : {}),
  } as RangeOptions;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
