/** Takes a snapshot of a version of the state that stays while it is read. */
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createDeflate } from 'node:zlib';
import type { Node } from '@mu/framework/iavl/node';
import { ChunkWriter } from './chunk-writer.ts';
import { defaultChunkBytes, type SnapshotInfo, snapshotFormat } from './format.ts';
import { ItemWriter } from './item-writer.ts';
import type { SnapshotFiles } from './snapshot-files.ts';

/** The SDK's; another level would be another snapshot. */
const compressionLevel = 7;
const pieceBytes = 262_144;

/** What a snapshot is taken from: a commit store. */
export interface NodeWalk {
  nodes(height: bigint): IterableIterator<{ readonly store: string; readonly nodes: IterableIterator<Node> }>;
}

export interface TakeOptions {
  readonly source: NodeWalk;
  readonly files: SnapshotFiles;
  readonly height: bigint;
  /** of every chunk but the last */
  readonly chunkBytes?: number | undefined;
}

/** A snapshot that is in its place. */
export interface TakenSnapshot extends SnapshotInfo {
  /** of all chunks */
  readonly bytes: number;
  readonly nodes: number;
}

/** @throws Error when the version is not kept, or the disk is full: nothing of it stays then */
export async function takeSnapshot(options: TakeOptions): Promise<TakenSnapshot> {
  const { source, files, height, chunkBytes = defaultChunkBytes } = options;
  const folder = await files.begin(height, snapshotFormat);
  try {
    const chunks = new ChunkWriter(folder, chunkBytes);
    const counter = { nodes: 0 };
    await pipeline(
      Readable.from(pieces(source, height, counter), { objectMode: false, highWaterMark: pieceBytes }),
      createDeflate({ level: compressionLevel, chunkSize: pieceBytes }),
      chunks,
    );
    const snapshot = { height, format: snapshotFormat, hash: chunks.digest(), chunkHashes: chunks.chunkHashes };
    await files.publish(folder, snapshot);
    return { ...snapshot, bytes: chunks.bytes, nodes: counter.nodes };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function* pieces(source: NodeWalk, height: bigint, counter: { nodes: number }): IterableIterator<Buffer> {
  const writer = new ItemWriter();
  for (const { store, nodes } of source.nodes(height)) {
    writer.store(store);
    for (const node of nodes) {
      writer.node(node);
      counter.nodes += 1;
      if (writer.ready) yield* writer.take();
    }
  }
  yield* writer.take(true);
}
