/** New nodes of a version that is being made: they get their ids here, and their records wait for the commit. */
import type { Node, NodeId } from '../iavl/node.ts';
import type { NodeCache } from '../iavl/node-cache.ts';
import { recordLength, writeRecord } from '../iavl/record.ts';
import type { NodeSink } from '../iavl/tree.ts';

const slabBytes = 65_536;

export class StagedNodes implements NodeSink {
  #firstId: NodeId;
  #records: Buffer[] = [];
  readonly #cache: Pick<NodeCache, 'put'>;
  #slab = Buffer.allocUnsafeSlow(0);
  #used = 0;

  /** @param cache where new inner nodes are looked for next */
  constructor(firstId: NodeId, cache: Pick<NodeCache, 'put'>) {
    this.#firstId = firstId;
    this.#cache = cache;
  }

  /** of the first record that waits */
  get firstId(): NodeId {
    return this.#firstId;
  }

  get records(): readonly Buffer[] {
    return this.#records;
  }

  get nextId(): NodeId {
    return this.#firstId + this.#records.length;
  }

  /** The records that wait, which are somebody else's to keep from now on. */
  take(): { readonly firstId: NodeId; readonly records: readonly Buffer[] } {
    const taken = { firstId: this.#firstId, records: this.#records };
    this.#firstId = this.nextId;
    this.#records = [];
    return taken;
  }

  add(node: Node): void {
    node.id = this.nextId;
    const length = recordLength(node);
    if (this.#used + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, length));
      this.#used = 0;
    }
    const end = writeRecord(this.#slab, this.#used, node);
    const record = this.#slab.subarray(this.#used, end);
    this.#records.push(record);
    this.#used = end;
    if (node.height > 0) this.#cache.put(node.id, record);
  }

  record(id: NodeId): Buffer | undefined {
    return this.#records[id - this.#firstId];
  }
}
