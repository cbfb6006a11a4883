/** Builds a state from the items of a snapshot, in parts that are written as they come: memory does not grow with it. */

import { appHashOf, type StoreRoot } from '@mu/framework/store/commit-info';
import type { Change } from '@mu/framework/store/kv-store';
import { fromMapKey } from '@mu/framework/store/sorted-map';
import { StagedNodes } from '@mu/framework/store/staged-nodes';
import type { VersionRecord } from '@mu/framework/store/state-backend';
import { equalBytes, toHex } from '@mu/lib/bytes';
import type { ImportBatch } from '../store/lmdb-backend.ts';
import { SnapshotError } from './format.ts';
import type { Item } from './item-reader.ts';
import { TreeImport } from './tree-import.ts';

/** Where the state is built. Nothing of it belongs to a version before `finishImport`. */
export interface ImportTarget {
  beginImport(names: readonly string[]): void;
  importBatch(batch: ImportBatch): Promise<void>;
  finishImport(batch: ImportBatch, height: number, version: VersionRecord): Promise<void>;
  dropImport(): void;
}

/** A part has at most about so many nodes and bytes. */
const partNodes = 20_000;
const partBytes = 16_777_216;

/** Nodes of an import are looked for by nobody. */
const noCache = { put: () => undefined };

export class StateImport {
  readonly #target: ImportTarget;
  readonly #names: readonly string[];
  readonly #height: number;
  readonly #roots: StoreRoot[] = [];
  #nodes = new StagedNodes(1, noCache);
  #changes: Change[] = [];
  #bytes = 0;
  #store: string | undefined;
  #tree: TreeImport | undefined;

  /** @param names of all stores: no other one may come, and none may be missing */
  constructor(target: ImportTarget, names: readonly string[], height: number) {
    this.#target = target;
    this.#names = [...names].sort((a, b) => (a < b ? -1 : 1));
    this.#height = height;
    target.beginImport(names);
  }

  /** Whether there is a part to be written with `flush` before more is added. */
  get isFull(): boolean {
    return this.#nodes.records.length >= partNodes || this.#bytes >= partBytes;
  }

  /** @throws SnapshotError when no state has the item at this place */
  add(item: Item): void {
    if (item.kind === 'store') {
      this.#closeTree();
      const expected = this.#names[this.#roots.length];
      if (item.name !== expected) {
        throw new SnapshotError(
          `store ${JSON.stringify(item.name)} comes where ${expected === undefined ? 'no further one' : expected} is expected`,
        );
      }
      this.#store = item.name;
      this.#tree = new TreeImport({ add: (node) => this.#nodes.add(node) }, this.#height);
      return;
    }
    if (this.#tree === undefined) throw new SnapshotError('a node comes before the first store');
    const { key, value } = this.#tree.add(item);
    this.#bytes += key.length + 100;
    if (value === undefined) return;
    this.#bytes += value.length;
    this.#changes.push({ store: this.#store as string, key: fromMapKey(key), value });
  }

  async flush(): Promise<void> {
    const part = this.#part();
    this.#nodes = new StagedNodes(this.#nodes.nextId, noCache);
    this.#changes = [];
    this.#bytes = 0;
    await this.#target.importBatch(part);
  }

  /**
   * The state is whole: it becomes the latest version if it is the one that was promised.
   * @param appHash undefined where nothing was
   * @throws SnapshotError when it is another one
   */
  async finish(appHash: Uint8Array | undefined): Promise<void> {
    this.#closeTree();
    const missing = this.#names[this.#roots.length];
    if (missing !== undefined) throw new SnapshotError(`store ${missing} is missing`);
    const computed = appHashOf(this.#roots);
    if (appHash !== undefined && !equalBytes(computed, appHash)) {
      throw new SnapshotError(`the content has app hash ${toHex(computed)}, the chain has ${toHex(appHash)}`);
    }
    const version = { roots: this.#roots, nextId: this.#nodes.nextId, note: new Uint8Array() };
    await this.#target.finishImport(this.#part(), this.#height, version);
  }

  /** Nothing of it stays. */
  drop(): void {
    this.#target.dropImport();
  }

  #part(): ImportBatch {
    return { firstId: this.#nodes.firstId, records: this.#nodes.records, changes: this.#changes };
  }

  #closeTree(): void {
    if (this.#tree !== undefined) this.#roots.push({ store: this.#store as string, root: this.#tree.finish() });
    this.#tree = undefined;
  }
}
