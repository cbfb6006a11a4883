/**
 * The stream of a snapshot, before it is compressed: `SnapshotItem` messages behind their lengths. A store's name, then
 * its nodes, children before parents; the bytes are those of the SDK's encoder.
 */
import { type Node, putKey } from '@mu/framework/iavl/node';
import { utf8 } from '@mu/lib/bytes';

const bufferBytes = 262_144;
/** Tags and numbers of an item beside its key and value, at most. */
const overhead = 64;

/** Fields of `SnapshotItem` and of what stands in them, with their wire types. */
export const tags = {
  store: 0x0a,
  iavl: 0x12,
  name: 0x0a,
  key: 0x0a,
  value: 0x12,
  version: 0x18,
  height: 0x20,
} as const;

export class ItemWriter {
  #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #used = 0;
  readonly #full: Buffer[] = [];

  /** Bytes that wait to be taken. */
  get ready(): boolean {
    return this.#full.length > 0;
  }

  store(name: string): void {
    const bytes = utf8(name);
    const inner = 1 + varintLength(bytes.length) + bytes.length;
    this.#open(tags.store, inner, bytes.length);
    this.#bytes(tags.name, bytes.length);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  node(node: Node): void {
    const { key, value, version, height } = node;
    const length = value?.length ?? 0;
    let inner = 1 + varintLength(key.length) + key.length + 1 + varintLength(version);
    // Zero and nothing are left out.
    if (length > 0) inner += 1 + varintLength(length) + length;
    if (height > 0) inner += 2;
    this.#open(tags.iavl, inner, key.length + length);
    this.#bytes(tags.key, key.length);
    this.#used = putKey(this.#buffer, this.#used, key);
    if (value !== undefined && length > 0) {
      this.#bytes(tags.value, length);
      this.#buffer.set(value, this.#used);
      this.#used += length;
    }
    this.#bytes(tags.version, version);
    if (height > 0) this.#bytes(tags.height, height);
  }

  /** What was written and is complete, in its order. @param all also what does not fill a buffer: at the end */
  take(all = false): Buffer[] {
    if (all) this.#turn(bufferBytes);
    return this.#full.splice(0);
  }

  #open(tag: number, inner: number, content: number): void {
    if (this.#used + content + overhead > this.#buffer.length) this.#turn(Math.max(bufferBytes, content + overhead));
    this.#varint(1 + varintLength(inner) + inner);
    this.#bytes(tag, inner);
  }

  #turn(bytes: number): void {
    if (this.#used > 0) this.#full.push(this.#buffer.subarray(0, this.#used));
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
    this.#used = 0;
  }

  /** A tag with a number behind it: a value, or the length of what follows. */
  #bytes(tag: number, value: number): void {
    this.#buffer[this.#used] = tag;
    this.#used += 1;
    this.#varint(value);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#used] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
      this.#used += 1;
    }
    this.#buffer[this.#used] = rest;
    this.#used += 1;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}
