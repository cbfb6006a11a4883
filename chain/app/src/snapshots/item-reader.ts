/**
 * Reads the stream of a snapshot that somebody else sent, in pieces of any size. Nothing but what the SDK's encoder
 * writes is taken: fields in their order, each once, no unknown ones.
 */
import { maxKeyLength } from '@mu/framework/store/kv-store';
import { fromUtf8 } from '@mu/lib/bytes';
import { maxItemBytes, SnapshotError } from './format.ts';
import { tags } from './item-writer.ts';

/** The nodes that follow are those of this store. */
export interface StoreItem {
  readonly kind: 'store';
  readonly name: string;
}

export interface NodeItem {
  readonly kind: 'node';
  /** bytes as latin-1 */
  readonly key: string;
  readonly value: Uint8Array | undefined;
  readonly version: number;
  readonly height: number;
}

export type Item = StoreItem | NodeItem;

const nameLength = 127;

export class ItemReader {
  #pieces: Buffer[] = [];
  #size = 0;
  /** bytes without which there is no next item */
  #needed = 1;

  /** The items that a further piece completes. @throws SnapshotError */
  *add(piece: Buffer): IterableIterator<Item> {
    this.#pieces.push(piece);
    this.#size += piece.length;
    if (this.#size < this.#needed) return;
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#size);
    const cursor = new Cursor(bytes, 0, bytes.length);
    let begin = 0;
    this.#needed = 1;
    while (begin < bytes.length) {
      const length = lengthAt(cursor);
      if (length === undefined || cursor.at + length > bytes.length) {
        this.#needed = length === undefined ? bytes.length - begin + 1 : cursor.at + length - begin;
        break;
      }
      begin = cursor.at + length;
      yield decodeItem(new Cursor(bytes, cursor.at, begin));
      cursor.at = begin;
    }
    this.#pieces = begin < bytes.length ? [bytes.subarray(begin)] : [];
    this.#size = bytes.length - begin;
  }

  /** @throws SnapshotError when the stream ended within an item */
  end(): void {
    if (this.#size > 0) throw new SnapshotError('the stream ends within an item');
  }
}

/** A place in bytes. */
class Cursor {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** @throws SnapshotError on a number that no field here has: negative ones are ten bytes long */
  varint(): number {
    let value = 0;
    for (let scale = 1; this.at < this.end; scale *= 0x80) {
      const byte = this.bytes[this.at] as number;
      this.at += 1;
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) break;
      if (byte < 0x80) return value;
    }
    throw new SnapshotError('a number of the stream is negative, too large or cut off');
  }

  /** The bytes of a field, as another place. @throws SnapshotError when it is longer than what it stands in */
  part(): Cursor {
    const length = this.varint();
    const begin = this.at;
    if (begin + length > this.end) throw new SnapshotError('a field of the stream is longer than its item');
    this.at = begin + length;
    return new Cursor(this.bytes, begin, this.at);
  }
}

/** The length of the next item; undefined when it is not there whole. */
function lengthAt(cursor: Cursor): number | undefined {
  const begin = cursor.at;
  for (let at = begin; at < cursor.end && at < begin + 5; at += 1) {
    if ((cursor.bytes[at] as number) >= 0x80) continue;
    const length = cursor.varint();
    if (length === 0 || length > maxItemBytes) throw new SnapshotError(`an item of the stream has ${length} bytes`);
    return length;
  }
  if (cursor.end - begin >= 5) throw new SnapshotError('the length of an item is too large');
  return undefined;
}

function decodeItem(cursor: Cursor): Item {
  const tag = cursor.bytes[cursor.at];
  if (tag !== tags.store && tag !== tags.iavl) {
    throw new SnapshotError(`an item of the stream is neither a store nor a node (tag ${String(tag)})`);
  }
  cursor.at += 1;
  const content = cursor.part();
  if (cursor.at !== cursor.end) throw new SnapshotError('bytes follow the content of an item');
  return tag === tags.store ? decodeStore(content) : decodeNode(content);
}

function decodeStore(cursor: Cursor): StoreItem {
  if (cursor.at >= cursor.end || cursor.bytes[cursor.at] !== tags.name) {
    throw new SnapshotError('a store of the stream has no name');
  }
  cursor.at += 1;
  const { bytes, at, end } = cursor.part();
  if (cursor.at !== cursor.end) throw new SnapshotError('a store of the stream has an unknown field');
  if (end === at || end - at > nameLength) throw new SnapshotError('the name of a store has an impossible length');
  try {
    return { kind: 'store', name: fromUtf8(bytes.subarray(at, end)) };
  } catch {
    throw new SnapshotError('the name of a store is no text');
  }
}

function decodeNode(cursor: Cursor): NodeItem {
  let key = '';
  let value: Uint8Array | undefined;
  let version = 0;
  let height = 0;
  for (let last = 0; cursor.at < cursor.end; ) {
    const tag = cursor.bytes[cursor.at] as number;
    if (tag <= last) throw new SnapshotError('a node of the stream has a field twice, or fields out of order');
    last = tag;
    cursor.at += 1;
    if (tag === tags.key) {
      const { bytes, at, end } = cursor.part();
      if (end - at > maxKeyLength) throw new SnapshotError(`a key has ${end - at} bytes, more than ${maxKeyLength}`);
      key = bytes.toString('latin1', at, end);
    } else if (tag === tags.value) {
      const { bytes, at, end } = cursor.part();
      value = bytes.subarray(at, end);
    } else if (tag === tags.version) version = cursor.varint();
    else if (tag === tags.height) height = cursor.varint();
    else throw new SnapshotError(`a node of the stream has an unknown field (tag ${tag})`);
  }
  return { kind: 'node', key, value, version, height };
}
