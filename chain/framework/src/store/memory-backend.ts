/** State in memory: for tests and simulations, with all versions kept. */
import type { NodeId } from '../iavl/node.ts';
import type { KVStore } from './kv-store.ts';
import { MemoryStore } from './memory-store.ts';
import type { StateBackend, StateBatch, StatePart, VersionRecord } from './state-backend.ts';

export class MemoryBackend implements StateBackend {
  readonly #nodes = new Map<NodeId, Buffer>();
  readonly #versions = new Map<number, VersionRecord>();
  readonly #flat = new Map<string, MemoryStore>();
  #latest = 0;

  get latest(): number {
    return this.#latest;
  }

  version(height: number): VersionRecord | undefined {
    return this.#versions.get(height);
  }

  nodeRecord(id: NodeId): Buffer | undefined {
    return this.#nodes.get(id);
  }

  flat(name: string): KVStore {
    let store = this.#flat.get(name);
    if (store === undefined) {
      store = new MemoryStore();
      this.#flat.set(name, store);
    }
    return store;
  }

  beginFirst(): void {
    this.#nodes.clear();
    this.#flat.clear();
  }

  putPart({ firstId, records, changes }: StatePart): void {
    records.forEach((record, index) => {
      this.#nodes.set(firstId + index, Buffer.from(record));
    });
    for (const { store, key, value } of changes) {
      if (value === undefined) this.flat(store).delete(key);
      else this.flat(store).set(key, new Uint8Array(value));
    }
  }

  write(batch: StateBatch): void {
    this.putPart(batch);
    this.#versions.set(batch.height, batch.version);
    this.#latest = batch.height;
  }
}
