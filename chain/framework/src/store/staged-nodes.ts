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
  readonly #leastHeight: number;
  #slab = Buffer.allocUnsafeSlow(0);
  /** slabs with records that wait, and such whose records were handed over */
  readonly #full: Buffer<ArrayBuffer>[] = [];
  readonly #free: Buffer<ArrayBuffer>[] = [];
  #used = 0;

  /**
   * @param cache where new inner nodes are looked for next
   * @param leastHeight of those that go there
   */
  constructor(firstId: NodeId, cache: Pick<NodeCache, 'put'>, leastHeight = 1) {
    this.#firstId = firstId;
    this.#cache = cache;
    this.#leastHeight = leastHeight;
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

  /** Hands over the records that wait. Their memory is used again when the function returns. */
  handOver(put: (part: { readonly firstId: NodeId; readonly records: readonly Buffer[] }) => void): void {
    put({ firstId: this.#firstId, records: this.#records });
    this.#firstId = this.nextId;
    this.#records = [];
    this.#free.push(...this.#full.splice(0));
  }

  add(node: Node): void {
    node.id = this.nextId;
    const length = recordLength(node);
    if (this.#used + length > this.#slab.length) this.#nextSlab(length);
    const end = writeRecord(this.#slab, this.#used, node);
    const record = this.#slab.subarray(this.#used, end);
    this.#records.push(record);
    this.#used = end;
    if (node.height >= this.#leastHeight) this.#cache.put(node.id, record);
  }

  #nextSlab(length: number): void {
    if (this.#slab.length === slabBytes) this.#full.push(this.#slab);
    const free = length > slabBytes ? undefined : this.#free.pop();
    this.#slab = free ?? Buffer.allocUnsafeSlow(Math.max(slabBytes, length));
    this.#used = 0;
  }

  record(id: NodeId): Buffer | undefined {
    return this.#records[id - this.#firstId];
  }
}
