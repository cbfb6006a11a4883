/** What a store of manifests is made with, and what it gives to those who start workloads. */
import type { Manifest } from '@mu/client/manifest/parse';
import type { ManifestKey, ManifestRecord, Table } from '../journal/journal.ts';
import type { HeldFile } from './held-manifest.ts';
import type { SectionKeys } from './manifest-folder.ts';
import type { PieceBuffers } from './piece-buffers.ts';

/** A manifest as it stands on disk, checked again. */
export interface StoredManifest extends Manifest {
  readonly infrastructures: readonly string[];
  /** Section keys by infrastructure: secret. */
  readonly keys: SectionKeys;
  /** A file that has come whole, where it lies. @throws Refusal `wrong_file` when the disk has changed it */
  fileOf(path: string): Promise<HeldFile>;
}

export interface ManifestStoreOptions {
  readonly folder: string;
  /** The journal's table: its entries decide what is held. */
  readonly index: Table<ManifestKey, ManifestRecord>;
  readonly random: (length: number) => Uint8Array;
  /** Pieces or keys from peers have made something startable. Not told of what `commit` gives back. */
  readonly onRunnable?: (record: ManifestRecord) => void;
  /** Bytes that stay free on the disk; `keepFreeBytes` where absent. */
  readonly keepFree?: number;
  /** Milliseconds since some moment, by which promises of room end; a clock that is never set where absent. */
  readonly now?: () => number;
  /** Memory for checks; where absent, of its own. */
  readonly buffers?: PieceBuffers;
}
