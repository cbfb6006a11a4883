/** How versions and lists of nodes are written into LMDB. Numbers are big-endian; ids and heights have six bytes. */
import { getUint48, putUint48 } from '@mu/framework/iavl/record';
import type { StoreRoot } from '@mu/framework/store/commit-info';
import type { VersionRecord } from '@mu/framework/store/state-backend';

const idLength = 6;
const hashLength = 32;

/** A number as a key: byte order is the order of the numbers. The buffer is the caller's to keep. */
export function numberKey(value: number): Buffer {
  const key = Buffer.allocUnsafe(idLength);
  putUint48(key, 0, value);
  return key;
}

export function numberOf(key: Uint8Array): number {
  return getUint48(key, 0);
}

/** next id 6 ‖ note length 2 ‖ note ‖ for each store: name length 1 ‖ name ‖ root id 6 ‖ root hash 32 */
export function encodeVersion({ roots, nextId, note }: VersionRecord): Buffer {
  const parts: Uint8Array[] = [numberKey(nextId), Buffer.of(note.length >>> 8, note.length & 0xff), note];
  for (const { store, root } of roots) {
    const name = Buffer.from(store);
    parts.push(Buffer.of(name.length), name, numberKey(root.id), root.hash);
  }
  return Buffer.concat(parts);
}

/** @throws Error on a damaged record */
export function decodeVersion(record: Buffer): VersionRecord {
  const roots: StoreRoot[] = [];
  const noteAt = idLength + 2;
  let at = noteAt + record.readUInt16BE(idLength);
  const note = Uint8Array.prototype.slice.call(record, noteAt, at);
  while (at < record.length) {
    const nameEnd = at + 1 + (record[at] as number);
    const hashAt = nameEnd + idLength;
    if (hashAt + hashLength > record.length) throw new Error('the record of a version of the state is damaged');
    const store = record.toString('utf8', at + 1, nameEnd);
    const hash = Uint8Array.prototype.slice.call(record, hashAt, hashAt + hashLength);
    roots.push({ store, root: { id: getUint48(record, nameEnd), hash } });
    at = hashAt + hashLength;
  }
  return { roots, nextId: getUint48(record, 0), note };
}

export function encodeIds(ids: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(ids.length * idLength);
  ids.forEach((id, index) => {
    putUint48(bytes, index * idLength, id);
  });
  return bytes;
}

export function decodeIds(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length / idLength }, (_, index) => getUint48(bytes, index * idLength));
}
