/**
 * Restores a state from the chunks of a snapshot, as they come one after another. The whole is done on the thread that asks:
 * a node without a state has nothing else to do.
 */
import { createHash, type Hash } from 'node:crypto';
import { createInflate, type Inflate } from 'node:zlib';
import { equalBytes } from '@mu/lib/bytes';
import { SnapshotError, type SnapshotInfo } from './format.ts';
import { ItemReader } from './item-reader.ts';
import type { SnapshotFiles } from './snapshot-files.ts';
import { type ImportTarget, StateImport } from './state-import.ts';

const inflateBytes = 262_144;
/** What a stream may unpack to: state of accounts and leases is packed to a third or so; a bomb to a thousandth. */
const freeBytes = 1_073_741_824;
const maxRatio = 100;

export interface RestoreOptions {
  readonly target: ImportTarget;
  /** of all stores */
  readonly names: readonly string[];
  readonly snapshot: SnapshotInfo;
  /** what a header that the light client verified says about the state; undefined where the operator vouches for it */
  readonly appHash: Uint8Array | undefined;
  /** bytes that every snapshot may unpack to; above them it depends on its size */
  readonly freeBytes?: number;
}

export class Restore {
  readonly snapshot: SnapshotInfo;
  readonly #appHash: Uint8Array | undefined;
  readonly #freeBytes: number;
  readonly #inflate: Inflate = createInflate({ chunkSize: inflateBytes });
  readonly #items = new ItemReader();
  readonly #state: StateImport;
  readonly #hash: Hash = createHash('sha256');
  readonly #consumed: Promise<void>;
  #received = 0;
  #unpacked = 0;
  #next = 0;
  #isOver = false;

  /** @throws Error when there is a state already */
  constructor(options: RestoreOptions) {
    this.snapshot = options.snapshot;
    this.#appHash = options.appHash;
    this.#freeBytes = options.freeBytes ?? freeBytes;
    this.#state = new StateImport(options.target, options.names, Number(options.snapshot.height));
    this.#consumed = this.#consume();
    // Whoever adds a chunk or finishes learns of it.
    this.#consumed.catch(() => undefined);
  }

  /** Index of the chunk that comes next. */
  get next(): number {
    return this.#next;
  }

  /** Whether all chunks have been added. */
  get isComplete(): boolean {
    return this.#next === this.snapshot.chunkHashes.length;
  }

  /**
   * @param chunk whose hash is that of the metadata
   * @throws SnapshotError when the content cannot be that of a state; nothing can be added after it
   */
  async add(chunk: Uint8Array): Promise<void> {
    this.#received += chunk.length;
    this.#hash.update(chunk);
    const { promise: taken, resolve } = Promise.withResolvers<void>();
    this.#inflate.write(chunk, (error) => {
      // Where it failed, the other side of the stream says why.
      if (error === null || error === undefined) resolve();
    });
    await Promise.race([taken, this.#consumed]);
    if (this.#isOver) {
      await this.#consumed;
      throw new SnapshotError('bytes follow the end of the stream');
    }
    this.#next += 1;
  }

  /**
   * The state becomes the latest version if it is the promised one.
   * @throws SnapshotError when it is not; nothing of it stays after `drop`
   */
  async finish(): Promise<void> {
    this.#inflate.end();
    await this.#consumed;
    if (this.#inflate.bytesWritten !== this.#received) throw new SnapshotError('bytes follow the end of the stream');
    this.#items.end();
    if (!equalBytes(this.#hash.digest(), this.snapshot.hash)) {
      throw new SnapshotError('the hash over all chunks is not the one that was offered');
    }
    await this.#state.finish(this.#appHash);
  }

  /** Ends it: nothing of it stays. */
  async drop(): Promise<void> {
    this.#inflate.destroy();
    await this.#consumed.catch(() => undefined);
    this.#state.drop();
  }

  async #consume(): Promise<void> {
    try {
      for await (const piece of this.#inflate) {
        this.#unpacked += (piece as Buffer).length;
        if (this.#unpacked > this.#freeBytes + maxRatio * this.#received) {
          throw new SnapshotError(`${this.#received} bytes unpack to more than ${this.#unpacked}`);
        }
        for (const item of this.#items.add(piece as Buffer)) {
          this.#state.add(item);
          if (this.#state.isFull) await this.#state.flush();
        }
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code?.startsWith('Z_') === true) {
        throw new SnapshotError(`the stream cannot be unpacked: ${(error as Error).message}`);
      }
      throw error;
    } finally {
      this.#isOver = true;
    }
  }
}

/**
 * Restores a snapshot that this machine has.
 * @param appHash undefined where the operator vouches for the snapshot
 * @throws SnapshotError when it is damaged or of another state, Error when the store is not empty: nothing of it stays
 */
export async function restoreStored(
  files: SnapshotFiles,
  options: Pick<RestoreOptions, 'target' | 'names' | 'snapshot' | 'appHash'>,
): Promise<void> {
  const { height, format, chunkHashes } = options.snapshot;
  const restore = new Restore(options);
  try {
    for (const [index, hash] of chunkHashes.entries()) {
      const chunk = await files.chunk(height, format, index);
      if (chunk === undefined || !equalBytes(createHash('sha256').update(chunk).digest(), hash)) {
        throw new SnapshotError(`chunk ${index} of the snapshot of height ${height} is missing or damaged`);
      }
      await restore.add(chunk);
    }
    await restore.finish();
  } catch (error) {
    await restore.drop();
    throw error;
  }
}
