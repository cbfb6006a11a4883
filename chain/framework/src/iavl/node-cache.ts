/**
 * Stored nodes by id. Records of inner nodes that were used lately stay in memory, in slots of one flat buffer that the
 * garbage collector never looks into; leaves are read where they are stored, for only reads of old versions need them.
 */
import type { Node, NodeId } from './node.ts';
import { isInnerRecord, readRecord } from './record.ts';
import { SlotIndex } from './slot-index.ts';

/** Where stored nodes are. */
export interface NodeRecords {
  /** The record of a node; the bytes may be used until the next call. Undefined when there is none. */
  nodeRecord(id: NodeId): Buffer | undefined;
}

/** What looks nodes up by their id. */
export interface NodeSource {
  /**
   * A node of one's own: whoever asks may change it.
   * @throws Error when it is not stored: the state is damaged, or the version was pruned
   */
  node(id: NodeId): Node;
}

/** Room for a record of a key of up to 65 bytes; a longer one is not kept. */
const slotBytes = 160;
/** Beside its record a slot has its length, its mark, its id and two places of the index. */
const bookkeepingBytes = 2 + 1 + 8 + 2 * 12;

export class NodeCache implements NodeSource {
  readonly #records: NodeRecords;
  readonly #capacity: number;
  readonly #slots: Buffer;
  readonly #lengths: Uint16Array;
  readonly #ids: Float64Array;
  /** 1: used since the hand passed by last */
  readonly #used: Uint8Array;
  readonly #index: SlotIndex;
  #taken = 0;
  #hand = 0;
  hits = 0;
  misses = 0;

  /** @param bytes of memory at most */
  constructor(records: NodeRecords, bytes: number) {
    this.#records = records;
    this.#capacity = Math.max(16, Math.floor(bytes / (slotBytes + bookkeepingBytes)));
    this.#slots = Buffer.alloc(this.#capacity * slotBytes);
    this.#lengths = new Uint16Array(this.#capacity);
    this.#ids = new Float64Array(this.#capacity);
    this.#used = new Uint8Array(this.#capacity);
    this.#index = new SlotIndex(this.#capacity);
  }

  /** Nodes in memory. */
  get size(): number {
    return this.#taken;
  }

  node(id: NodeId): Node {
    const slot = this.#index.get(id);
    if (slot >= 0) {
      this.hits += 1;
      this.#used[slot] = 1;
      const start = slot * slotBytes;
      return readRecord(id, this.#slots, start, start + (this.#lengths[slot] as number));
    }
    const record = this.#records.nodeRecord(id);
    if (record === undefined) throw new Error(`node ${id} of the state is missing`);
    // LMDB reads into one buffer again and again, whose `length` alone says where the record ends.
    const node = readRecord(id, record, 0, record.length);
    if (isInnerRecord(record)) {
      this.misses += 1;
      this.put(id, record);
    }
    return node;
  }

  /** Keeps the record of an inner node; what was there under its id is replaced. */
  put(id: NodeId, record: Uint8Array): void {
    const { length } = record;
    if (length > slotBytes) return;
    let slot = this.#index.get(id);
    if (slot < 0) {
      slot = this.#freeSlot();
      this.#index.set(id, slot);
      this.#ids[slot] = id;
    }
    const start = slot * slotBytes;
    for (let at = 0; at < length; at += 1) this.#slots[start + at] = record[at] as number;
    this.#lengths[slot] = length;
    this.#used[slot] = 1;
  }

  /** The clock's hand goes on to a slot that was not used since it passed by last. */
  #freeSlot(): number {
    if (this.#taken < this.#capacity) return this.#taken++;
    while (this.#used[this.#hand] === 1) {
      this.#used[this.#hand] = 0;
      this.#hand = (this.#hand + 1) % this.#capacity;
    }
    const slot = this.#hand;
    this.#hand = (slot + 1) % this.#capacity;
    this.#index.delete(this.#ids[slot] as number);
    return slot;
  }
}
