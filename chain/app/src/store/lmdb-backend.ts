/**
 * State in LMDB: a database per store with its latest values, one with the nodes of all trees by their sequential ids,
 * one with the versions, one with the nodes that a version no longer has, and one for height and format.
 *
 * A block is one LMDB transaction, which LMDB's own thread writes while the node goes on; until it is done, reads see the
 * batch over what the disk has. After `kill -9` at any moment the files hold the state of some block.
 */

import type { NodeId } from '@mu/framework/iavl/node';
import { putUint48 } from '@mu/framework/iavl/record';
import type { Change, KVStore } from '@mu/framework/store/kv-store';
import type { StateBackend, StateBatch, StatePart, VersionRecord } from '@mu/framework/store/state-backend';
import { messageOf } from '@mu/lib/error-message';
import { type Database, open, type RootDatabase } from 'lmdb';
import { type BinaryDatabase, LmdbFlatStore } from './lmdb-flat-store.ts';
import { decodeIds, decodeVersion, encodeIds, encodeVersion, numberKey, numberOf } from './state-records.ts';

/** Raised when what is stored changes its meaning; a program refuses a folder of another format. */
const format = 2;
/** Room for databases beside those of today's modules. */
const maxDatabases = 64;

/** The state's folder cannot be used as it is; the text says what to do. */
export class StateFolderError extends Error {
  override readonly name = 'StateFolderError';
}

/** Points between which a crash must lose nothing; tests end the process at each of them. */
export type StateStep = 'batch-handed' | 'batch-written' | 'part-written' | 'versions-forgotten' | 'nodes-erased';

/** A part of a state that comes from elsewhere. */
export type ImportBatch = Pick<StateBatch, 'firstId' | 'records' | 'changes'>;

export class LmdbBackend implements StateBackend {
  readonly #environment: RootDatabase;
  readonly #meta: Database<Buffer, string>;
  readonly #nodes: BinaryDatabase;
  readonly #versions: BinaryDatabase;
  readonly #orphans: BinaryDatabase;
  readonly #flat = new Map<string, LmdbFlatStore>();
  /** batches on their way to the disk, oldest first */
  readonly #inFlight: StateBatch[] = [];
  readonly #nodeKey = Buffer.allocUnsafe(6);
  readonly #onStep: (step: StateStep) => void;
  #written: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;

  /**
   * @param path the folder, created where it is missing
   * @throws StateFolderError when it is of another format
   */
  constructor(path: string, onStep: (step: StateStep) => void = () => undefined) {
    this.#onStep = onStep;
    this.#environment = open({ path, maxDbs: maxDatabases, noSubdir: false, encoding: 'binary' });
    this.#meta = this.#environment.openDB({ name: 'meta', encoding: 'binary' });
    this.#nodes = this.#environment.openDB(binary('nodes'));
    this.#versions = this.#environment.openDB(binary('versions'));
    this.#orphans = this.#environment.openDB(binary('orphans'));
    this.#checkFormat(path);
  }

  get latest(): number {
    const last = this.#inFlight.at(-1);
    if (last !== undefined) return last.height;
    const stored = this.#meta.get('height');
    return stored === undefined ? 0 : numberOf(stored);
  }

  /** The oldest version that is kept; 0 before the first. */
  get oldest(): number {
    for (const key of this.#versions.getKeys({ limit: 1 })) return numberOf(key);
    return this.#inFlight[0]?.height ?? this.latest;
  }

  version(height: number): VersionRecord | undefined {
    const waiting = this.#inFlight.find((batch) => batch.height === height);
    if (waiting !== undefined) return waiting.version;
    const record = this.#versions.get(numberKey(height));
    return record === undefined ? undefined : decodeVersion(record);
  }

  nodeRecord(id: NodeId): Buffer | undefined {
    for (const { firstId, records } of this.#inFlight) {
      const record = records[id - firstId];
      if (record !== undefined) return record as Buffer;
    }
    putUint48(this.#nodeKey, 0, id);
    return this.#nodes.getBinaryFast(this.#nodeKey);
  }

  flat(name: string): KVStore {
    return this.#flatStore(name);
  }

  /** @throws Error when an earlier write failed: nothing may follow it */
  write(batch: StateBatch): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#inFlight.push(batch);
    const done = this.#environment.batch(() => this.#put(batch)).then(() => this.#settle(batch));
    this.#onStep('batch-handed');
    this.#written = done.catch((error: unknown) => {
      this.#failure ??= new Error(
        `the state of block ${batch.height} could not be written: ${messageOf(error)}; free the disk and start again: nothing committed before is lost`,
      );
    });
  }

  /**
   * Forgets the versions below a height, a part at a time so that blocks go on in between: first the versions, so that
   * nobody begins to read them, then the nodes that only they had.
   * @param below the oldest version that stays
   * @param most nodes that one call removes at most
   * @returns whether something is left to do
   */
  async prune(below: number, most: number): Promise<boolean> {
    const heights = [...this.#versions.getKeys({ end: numberKey(below), limit: most })];
    if (heights.length > 0) {
      await this.#environment.batch(() => {
        for (const height of heights) this.#versions.remove(height);
      });
      this.#onStep('versions-forgotten');
      return true;
    }
    // What a version replaced was last needed by the one before it.
    const [oldest] = [...this.#orphans.getRange({ end: numberKey(below + 1), limit: 1 })];
    if (oldest === undefined) return false;
    const ids = decodeIds(oldest.value);
    const now = ids.splice(0, most);
    await this.#environment.batch(() => {
      for (const id of now) this.#nodes.remove(numberKey(id));
      if (ids.length === 0) this.#orphans.remove(oldest.key);
      else this.#orphans.put(oldest.key, encodeIds(ids));
    });
    this.#onStep('nodes-erased');
    return true;
  }

  /**
   * Takes back all versions above a height; it becomes the latest. Values come from its trees, nodes above it are erased.
   * @param restore the changes that make the latest values those of that height
   * @throws StateFolderError when that version is not kept
   */
  rollback(height: number, restore: readonly Change[]): void {
    const version = this.version(height);
    if (version === undefined) throw new StateFolderError(`version ${height} of the state is not kept`);
    this.#environment.transactionSync(() => {
      const above = { start: numberKey(height + 1) };
      for (const database of [this.#versions, this.#orphans]) {
        for (const key of [...database.getKeys(above)]) database.removeSync(key);
      }
      for (const key of [...this.#nodes.getKeys({ start: numberKey(version.nextId) })]) this.#nodes.removeSync(key);
      for (const change of restore) this.#flatStore(change.store).putSync(change);
      this.#meta.putSync('height', numberKey(height));
    });
  }

  /**
   * Begins to take a whole state from elsewhere. What an earlier attempt left is erased; until `finishImport` none of it
   * belongs to a version, and a crash leaves an empty state that `dropImport` clears.
   * @param names of the stores that the import writes
   * @throws StateFolderError when the folder holds a state
   */
  beginImport(names: readonly string[]): void {
    if (this.latest !== 0) throw new StateFolderError(`the state is not empty: it holds block ${this.latest}`);
    this.dropImport();
    this.#meta.putSync('importing', Buffer.from(JSON.stringify(names)));
  }

  /** A part of it. Resolves when the part is in the files: whoever waits for it keeps to a bound of memory. */
  async importBatch(batch: ImportBatch): Promise<void> {
    await this.#environment.batch(() => this.#putImported(batch));
  }

  /** The last part, and the version that all parts make: in one write. */
  async finishImport(batch: ImportBatch, height: number, version: VersionRecord): Promise<void> {
    await this.#environment.batch(() => {
      this.#putImported(batch);
      this.#versions.put(numberKey(height), encodeVersion(version));
      this.#meta.put('height', numberKey(height));
      this.#meta.remove('importing');
    });
    await this.#environment.flushed;
  }

  beginFirst(names: readonly string[]): void {
    this.beginImport(names);
  }

  putPart(part: StatePart): void {
    this.#environment.transactionSync(() => {
      this.#putNodes(part);
      for (const change of part.changes) this.#flatStore(change.store).putSync(change);
    });
    this.#onStep('part-written');
  }

  /** Erases an import that was not finished; without one nothing happens. */
  dropImport(): void {
    const importing = this.#meta.get('importing');
    if (importing === undefined) return;
    const names = JSON.parse(importing.toString()) as string[];
    this.#environment.transactionSync(() => {
      this.#nodes.clearSync();
      for (const name of names) this.#flatStore(name).clearSync();
      this.#meta.removeSync('importing');
    });
  }

  /** What the files hold, for metrics. */
  get figures(): { readonly nodes: number; readonly bytes: number; readonly versions: number } {
    const { mapSize, ...stats } = this.#environment.getStats() as { mapSize?: number } & Record<string, number>;
    return {
      nodes: entries(this.#nodes),
      versions: entries(this.#versions),
      bytes: (stats['lastPageNumber'] ?? 0) * (stats['pageSize'] ?? 0) || (mapSize ?? 0),
    };
  }

  /** Waits until all that was written is in the files. @throws Error when that failed */
  async settled(): Promise<void> {
    await this.#written;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits until all of it would survive a loss of power, then closes the files. */
  async close(): Promise<void> {
    await this.#written;
    await this.#environment.flushed;
    await this.#environment.close();
  }

  #put(batch: StateBatch): void {
    const { height, version, changes, firstId, records, orphans } = batch;
    this.#putNodes({ firstId, records });
    for (const change of changes) this.#flatStore(change.store).put(change, height);
    this.#versions.put(numberKey(height), encodeVersion(version));
    if (orphans.length > 0) this.#orphans.put(numberKey(height), encodeIds(orphans));
    // The first version is whole: what was imported before belongs to it.
    this.#meta.remove('importing');
    this.#meta.put('height', numberKey(height));
  }

  #putImported({ changes, ...nodes }: ImportBatch): void {
    this.#putNodes(nodes);
    for (const change of changes) this.#flatStore(change.store).putQuietly(change);
  }

  #putNodes({ firstId, records }: Pick<StateBatch, 'firstId' | 'records'>): void {
    const key = Buffer.allocUnsafe(6);
    records.forEach((record, index) => {
      putUint48(key, 0, firstId + index);
      this.#nodes.put(key, record as Buffer);
    });
  }

  #settle(batch: StateBatch): void {
    this.#onStep('batch-written');
    this.#inFlight.splice(this.#inFlight.indexOf(batch), 1);
    for (const change of batch.changes) this.#flatStore(change.store).settle(change, batch.height);
  }

  #flatStore(name: string): LmdbFlatStore {
    let store = this.#flat.get(name);
    if (store === undefined) {
      store = new LmdbFlatStore(this.#environment.openDB(binary(`store/${name}`)));
      this.#flat.set(name, store);
    }
    return store;
  }

  #checkFormat(path: string): void {
    const stored = this.#meta.get('format');
    if (stored === undefined) this.#meta.putSync('format', Buffer.from(String(format)));
    else if (Number(stored.toString()) !== format) {
      throw new StateFolderError(
        `${path} holds state of format ${stored.toString()} and this mud reads format ${format}: run the mud that wrote it, or export its state there`,
      );
    }
  }
}

function entries(database: BinaryDatabase): number {
  return (database.getStats() as { entryCount?: number }).entryCount ?? 0;
}

function binary(name: string): { name: string; encoding: 'binary'; keyEncoding: 'binary' } {
  return { name, encoding: 'binary', keyEncoding: 'binary' };
}
