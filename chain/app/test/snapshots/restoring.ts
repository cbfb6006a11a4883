/** Snapshots as lists of chunks: taken, made by hand, restored. */
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { SnapshotItem } from 'cosmjs-types/cosmos/store/snapshots/v1/snapshot';
import type { SnapshotInfo } from '../../src/snapshots/format.ts';
import { Restore } from '../../src/snapshots/restore.ts';
import { SnapshotFiles } from '../../src/snapshots/snapshot-files.ts';
import type { ImportTarget } from '../../src/snapshots/state-import.ts';
import { type NodeWalk, takeSnapshot } from '../../src/snapshots/take.ts';
import { names, temporaryFolder } from './states.ts';

export interface Chunked {
  readonly info: SnapshotInfo;
  readonly chunks: readonly Uint8Array[];
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** The description of chunks, whatever they hold. */
export function chunked(height: bigint, chunks: readonly Uint8Array[]): Chunked {
  return {
    info: { height, format: 3, hash: sha256(...chunks), chunkHashes: chunks.map((chunk) => sha256(chunk)) },
    chunks,
  };
}

export async function take(source: NodeWalk, height: bigint, chunkBytes?: number): Promise<Chunked> {
  const files = new SnapshotFiles(temporaryFolder());
  const info = await takeSnapshot({ source, files, height, chunkBytes });
  const chunks = await Promise.all(info.chunkHashes.map((_, index) => files.chunk(height, 3, index)));
  return { info, chunks: chunks as Uint8Array[] };
}

/** @throws what the restore throws; nothing of it stays then */
export async function restore(
  target: ImportTarget,
  { info, chunks }: Chunked,
  appHash: Uint8Array,
  bound: { readonly freeBytes?: number } = {},
): Promise<void> {
  const restoring = new Restore({ target, names, snapshot: info, appHash, ...bound });
  try {
    for (const chunk of chunks) await restoring.add(chunk);
    await restoring.finish();
  } catch (error) {
    await restoring.drop();
    throw error;
  }
}

/** Items as the SDK's encoder writes them, behind their lengths. */
export function stream(items: readonly Partial<SnapshotItem>[]): Uint8Array {
  return Buffer.concat(items.map((item) => delimited(SnapshotItem.encode(SnapshotItem.fromPartial(item)).finish())));
}

export function delimited(message: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = message.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest % 0x80) | 0x80);
  return Buffer.concat([Uint8Array.from([...length, rest]), message]);
}

/** A snapshot of one chunk. */
export function packed(height: bigint, content: Uint8Array): Chunked {
  return chunked(height, [deflateSync(content)]);
}
