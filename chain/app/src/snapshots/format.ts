/** The snapshots of the Cosmos SDK, format 3 (cosmossdk.io/store/snapshots): what stands about one beside its chunks. */
import { equalBytes } from '@mu/lib/bytes';
import { Metadata, Snapshot } from 'cosmjs-types/cosmos/store/snapshots/v1/snapshot';

/** The one format that is written and read. */
export const snapshotFormat = 3;
/** Bytes of every chunk but the last: the SDK's. */
export const defaultChunkBytes = 10_000_000;
/** The largest chunk that is taken: CometBFT's bound on the message that brings it (statesync/messages.go). */
export const maxChunkBytes = 16_000_000;
/** The largest item of the stream that is read: the SDK's. */
export const maxItemBytes = 64_000_000;
/** CometBFT's bound on the message that offers a snapshot. */
const maxMetadataBytes = 4_000_000;
const hashLength = 32;
/** The highest height that records of the state can hold. */
const maxHeight = 2n ** 48n - 1n;

/** A snapshot cannot be used; the text says what is wrong with it. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** What is known of a snapshot without its chunks. */
export interface SnapshotInfo {
  readonly height: bigint;
  readonly format: number;
  /** SHA-256 of all chunks, one behind another */
  readonly hash: Uint8Array;
  /** SHA-256 of each chunk */
  readonly chunkHashes: readonly Uint8Array[];
}

/** A snapshot as ABCI and archives carry it. */
export interface SnapshotEnvelope {
  readonly height: bigint;
  readonly format: number;
  readonly chunks: number;
  readonly hash: Uint8Array;
  readonly metadata: Uint8Array;
}

export function toEnvelope({ height, format, hash, chunkHashes }: SnapshotInfo): SnapshotEnvelope {
  const metadata = Metadata.encode({ chunkHashes: [...chunkHashes] }).finish();
  return { height, format, chunks: chunkHashes.length, hash, metadata };
}

/**
 * What somebody else says about a snapshot of this format, with each field checked.
 * @throws SnapshotError
 */
export function fromEnvelope({ height, chunks, hash, format, metadata }: SnapshotEnvelope): SnapshotInfo {
  if (height <= 0n || height > maxHeight) throw new SnapshotError(`a snapshot of height ${height} cannot be`);
  if (hash.length !== hashLength) throw new SnapshotError(`the hash has ${hash.length} bytes, not ${hashLength}`);
  if (metadata.length > maxMetadataBytes) throw new SnapshotError(`the metadata has ${metadata.length} bytes`);
  const { chunkHashes } = decodeMetadata(metadata);
  if (chunkHashes.length === 0) throw new SnapshotError('the snapshot has no chunks');
  if (chunkHashes.length !== chunks) {
    throw new SnapshotError(`the snapshot has ${chunks} chunks and the metadata ${chunkHashes.length} hashes`);
  }
  if (chunkHashes.some(({ length }) => length !== hashLength)) throw new SnapshotError('a chunk hash has no 32 bytes');
  return { height, format, hash, chunkHashes };
}

function decodeMetadata(bytes: Uint8Array): Metadata {
  let metadata: Metadata;
  try {
    metadata = Metadata.decode(bytes);
  } catch (error) {
    throw new SnapshotError(`the metadata is no protobuf message: ${(error as Error).message}`);
  }
  // Unknown fields do not come back.
  if (!equalBytes(Metadata.encode(metadata).finish(), bytes)) throw new SnapshotError('the metadata is malformed');
  return metadata;
}

/** The description that stands beside the chunks in a folder, and first in an archive: the SDK's `Snapshot`. */
export function encodeDescription({ height, format, hash, chunkHashes }: SnapshotInfo): Uint8Array {
  const metadata = { chunkHashes: [...chunkHashes] };
  return Snapshot.encode({ height, format, chunks: chunkHashes.length, hash, metadata }).finish();
}

/** @throws SnapshotError */
export function decodeDescription(bytes: Uint8Array): SnapshotInfo {
  let snapshot: Snapshot;
  try {
    snapshot = Snapshot.decode(bytes);
  } catch (error) {
    throw new SnapshotError(`the description of the snapshot is damaged: ${(error as Error).message}`);
  }
  if (snapshot.format !== snapshotFormat) {
    throw new SnapshotError(`the snapshot has format ${snapshot.format}; this mud reads format ${snapshotFormat}`);
  }
  return fromEnvelope({ ...snapshot, metadata: Metadata.encode(snapshot.metadata).finish() });
}
