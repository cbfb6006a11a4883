/**
 * Committed state in LMDB: one database per module store, and one for height, app hash and the chain's constants. A
 * commit is one synchronous transaction, so that after `kill -9` at any moment the files hold the state of some block.
 */
import { errInvalidHeight, errNotSupported, errUnknownRequest } from '@mu/framework/errors';
import {
  type CommitInfo,
  type CommitStore,
  changesHash,
  emptyAppHash,
  type StoredValue,
} from '@mu/framework/store/commit-store';
import type { Change, KVStore } from '@mu/framework/store/kv-store';
import { type Database, open, type RangeOptions, type RootDatabase } from 'lmdb';

type BinaryDatabase = Database<Buffer, Buffer>;

const heightKey = 'height';
const appHashKey = 'app_hash';
const formatKey = 'format';
/** Raised when what is stored changes its meaning; an older program refuses a newer folder. */
const format = 1;
/** Room for databases beside those of today's modules. */
const maxDatabases = 64;

export class LmdbCommitStore implements CommitStore {
  readonly #environment: RootDatabase;
  readonly #meta: Database<Buffer, string>;
  readonly #stores = new Map<string, LmdbKVStore>();
  /** constants set since the last commit */
  readonly #unsaved = new Map<string, Uint8Array>();
  #last: CommitInfo;

  /**
   * @param path the folder, created where it is missing
   * @param names of all stores, as the modules declare them
   * @throws Error when the folder is of a newer program
   */
  constructor(path: string, names: readonly string[]) {
    // Without overlapping sync a synchronous transaction is on the disk when it returns.
    this.#environment = open({
      path,
      maxDbs: maxDatabases,
      overlappingSync: false,
      noSubdir: false,
      encoding: 'binary',
    });
    this.#meta = this.#environment.openDB({ name: 'meta', encoding: 'binary' });
    for (const name of names) {
      this.#stores.set(name, new LmdbKVStore(this.#environment.openDB(binary(`store/${name}`))));
    }
    this.#checkFormat(path);
    this.#last = this.#readLast();
  }

  get last(): CommitInfo {
    return this.#last;
  }

  store(name: string): KVStore {
    return this.#named(name);
  }

  workingHash(changes: readonly Change[]): Uint8Array {
    return changesHash(this.#last.appHash, changes);
  }

  commit(height: bigint, changes: readonly Change[]): CommitInfo {
    const next = { height, appHash: this.workingHash(changes) };
    this.#environment.transactionSync(() => {
      for (const { store, key, value } of changes) this.#named(store).apply(key, value);
      for (const [name, value] of this.#unsaved) this.#meta.putSync(`constant/${name}`, Buffer.from(value));
      this.#meta.putSync(heightKey, Buffer.from(height.toString()));
      this.#meta.putSync(appHashKey, Buffer.from(next.appHash));
    });
    this.#unsaved.clear();
    this.#last = next;
    return next;
  }

  read(store: string, key: Uint8Array, height: bigint, prove: boolean): StoredValue {
    if (prove) throw errNotSupported.wrap('this store keeps no proofs; ask without prove=true');
    if (height !== 0n && height !== this.#last.height) {
      throw errInvalidHeight.wrap(`height ${height} is not kept; the latest is ${this.#last.height}`);
    }
    return { value: this.#named(store).get(key), height: this.#last.height };
  }

  constant(name: string): Uint8Array | undefined {
    return this.#unsaved.get(name) ?? this.#meta.get(`constant/${name}`);
  }

  setConstant(name: string, value: Uint8Array): void {
    this.#unsaved.set(name, value);
  }

  async close(): Promise<void> {
    await this.#environment.close();
  }

  #named(name: string): LmdbKVStore {
    const store = this.#stores.get(name);
    if (store === undefined) throw errUnknownRequest.wrap(`no such store: ${name}`);
    return store;
  }

  #readLast(): CommitInfo {
    const height = this.#meta.get(heightKey);
    const appHash = this.#meta.get(appHashKey);
    if (height === undefined || appHash === undefined) return { height: 0n, appHash: emptyAppHash };
    return { height: BigInt(height.toString()), appHash: new Uint8Array(appHash) };
  }

  #checkFormat(path: string): void {
    const stored = this.#meta.get(formatKey);
    if (stored === undefined) this.#meta.putSync(formatKey, Buffer.from(String(format)));
    else if (Number(stored.toString()) !== format) {
      throw new Error(
        `${path} holds state of format ${stored.toString()} and this mud reads format ${format}: run the mud that wrote it, or export its state there`,
      );
    }
  }
}

function binary(name: string): { name: string; encoding: 'binary'; keyEncoding: 'binary' } {
  return { name, encoding: 'binary', keyEncoding: 'binary' };
}

/** One store of the committed state. Only a commit writes into it. */
class LmdbKVStore implements KVStore {
  readonly #db: BinaryDatabase;

  constructor(db: BinaryDatabase) {
    this.#db = db;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#db.get(asBuffer(key));
  }

  has(key: Uint8Array): boolean {
    return this.#db.doesExist(asBuffer(key));
  }

  set(): never {
    throw new Error('committed state is written by a commit only');
  }

  delete(): never {
    throw new Error('committed state is written by a commit only');
  }

  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    const low = start === undefined || start.length === 0 ? undefined : asBuffer(start);
    const high = end === undefined ? undefined : asBuffer(end);
    for (const { key, value } of this.#db.getRange(rangeOptions(low, high, reverse))) yield [key, value];
  }

  /** Part of a commit's transaction. */
  apply(key: Uint8Array, value: Uint8Array | undefined): void {
    if (value === undefined) this.#db.removeSync(asBuffer(key));
    else this.#db.putSync(asBuffer(key), asBuffer(value));
  }
}

/** LMDB's reverse ranges begin at `start` and go down to `end`: bounds swap, and so does which of them is included. */
function rangeOptions(low: Buffer | undefined, high: Buffer | undefined, reverse: boolean): RangeOptions {
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
