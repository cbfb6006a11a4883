/**
 * A manifest as it is exchanged among peers: its head is there, pieces of its files may be missing. What is written is
 * verified, lasts over a restart, and is handed on to others from the moment it is on the disk (docs/MANIFESTS.md).
 */
import type { Manifest } from '@mu/client/manifest/parse';
import type { ManifestKey } from '../journal/journal.ts';
import type { Bitfield } from '../swarm/bitfield.ts';
import type { PieceList } from '../swarm/piece-list.ts';

/** A piece with its Merkle path, from the leaf upwards, hashes of 32 bytes. */
export interface CarriedPiece {
  readonly bytes: Uint8Array;
  readonly aunts: readonly Uint8Array[];
}

export interface Carried {
  readonly key: ManifestKey;
  readonly manifest: Manifest;
  /** Of all files of the head, in its order. */
  readonly pieces: PieceList;
  /** Section keys that are held, by infrastructure: secret. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** A copy: one bit for each piece that is verified and on the disk. */
  have(): Bitfield;
  /** Undefined where it is not held, or the disk has changed it: then it is not held any more. */
  read(piece: number): Promise<CarriedPiece | undefined>;
  /** Its length is right, and its path leads to its file's root. */
  verify(piece: number, sent: CarriedPiece): boolean;
  /**
   * Writes a verified piece. @throws the system's error, where the disk is full for one; Refusal `too_large` where nothing had
   * come for long, and the room that was kept for it is others' now
   */
  write(piece: number, bytes: Uint8Array): Promise<void>;
  /** Keeps keys that came from a peer. @returns false for one that opens nothing: none is kept then. @throws where the disk takes them not */
  addKeys(keys: ReadonlyMap<string, Uint8Array>): Promise<boolean>;
}

/** What the exchange asks of the store. */
export interface CarriedManifests {
  /**
   * Undefined where not even the head is held. The same object for as long as the manifest is held; it is asked for again and
   * again, so that what its user has handed over meanwhile, or the disk has lost, is seen.
   */
  carried(key: ManifestKey): Promise<Carried | undefined>;
  /**
   * Takes up a manifest of which the head has come, with no pieces yet.
   * @throws ManifestError where it is not the head of that key and version, or has more pieces than are exchanged; Refusal
   * `too_large` where its files do not fit the disk
   */
  adopt(
    key: ManifestKey & { readonly chainId: string; readonly version: Uint8Array },
    headBytes: Uint8Array,
  ): Promise<Carried>;
  /** A provider has given something of a manifest that is held. @throws the system's error where that cannot be noted */
  cameFrom(key: ManifestKey, provider: string): void;
}
