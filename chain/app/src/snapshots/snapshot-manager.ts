/** Snapshots of a node: taken in the background after a commit, offered to peers, restored from what peers offer. */
import { webcrypto } from 'node:crypto';
import { equalBytes, toHex } from '@mu/lib/bytes';
import {
  ResponseApplySnapshotChunk_Result as Applied,
  ResponseOfferSnapshot_Result as Offered,
  type RequestApplySnapshotChunk,
  type RequestLoadSnapshotChunk,
  type RequestOfferSnapshot,
  ResponseApplySnapshotChunk,
  ResponseListSnapshots,
  ResponseLoadSnapshotChunk,
  ResponseOfferSnapshot,
  type Snapshot,
} from 'cosmjs-types/tendermint/abci/types';
import type { Logger } from 'pino';
import { fromEnvelope, maxChunkBytes, SnapshotError, type SnapshotInfo, snapshotFormat, toEnvelope } from './format.ts';
import { Restore } from './restore.ts';
import type { SnapshotFiles } from './snapshot-files.ts';
import type { SnapshotTaker } from './snapshot-thread.ts';
import type { ImportTarget } from './state-import.ts';

const hashLength = 32;

/** What snapshots need of the committed state. */
export interface SnapshotStore extends ImportTarget {
  readonly last: { readonly height: bigint };
  /** Keeps a version from being pruned until the returned function is called. */
  hold(height: bigint): () => void;
  /** Waits until every commit is in the files. */
  settled(): Promise<void>;
}

export interface SnapshotManagerOptions {
  readonly store: SnapshotStore;
  /** of all stores */
  readonly names: readonly string[];
  readonly files: SnapshotFiles;
  readonly taker: SnapshotTaker;
  /** blocks between two snapshots; 0: none are taken */
  readonly interval: number;
  /** how many are kept; 0: all */
  readonly keepRecent: number;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** The store holds another state now: whoever knows something of it asks again. */
  readonly onRestored: () => void;
}

/** A restore under way, and who sent its chunks. */
interface Session {
  readonly restore: Restore;
  readonly senders: Set<string>;
}

export class SnapshotManager {
  readonly #options: SnapshotManagerOptions;
  /** a snapshot that was cut off by a crash has left nothing */
  readonly #cleaned: Promise<void>;
  #taking: Promise<void> | undefined;
  #session: Session | undefined;
  /** requests of the snapshot connection, each after the one before */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: SnapshotManagerOptions) {
    this.#options = options;
    // A restore that was cut off by a crash belongs to no version.
    options.store.dropImport();
    this.#cleaned = options.files.removeUnfinished();
    this.#cleaned.catch((error: unknown) => {
      options.log.error({ error: String(error) }, 'the folder of snapshots cannot be used');
    });
  }

  /** The newest snapshot, for metrics. */
  async newest(): Promise<{ readonly height: bigint; readonly takenAtMs: number } | undefined> {
    return (await this.#options.files.list())[0];
  }

  /** Resolves when no snapshot is being taken. */
  async idle(): Promise<void> {
    await this.#taking;
  }

  /** Called after each commit; returns at once. */
  committed(height: bigint): void {
    const { interval, log, store } = this.#options;
    if (this.#closed || interval === 0 || height % BigInt(interval) !== 0n) return;
    if (this.#taking !== undefined) {
      log.warn({ height: Number(height) }, 'no snapshot of this height: the one before is still being taken');
      return;
    }
    const release = store.hold(height);
    this.#taking = this.#take(height)
      .catch((error: unknown) => {
        if (!this.#closed) log.error({ height: Number(height), error: String(error) }, 'no snapshot was taken');
      })
      .finally(() => {
        release();
        this.#taking = undefined;
      });
  }

  async listSnapshots(): Promise<ResponseListSnapshots> {
    const snapshots = (await this.#options.files.list()).map(toEnvelope);
    return ResponseListSnapshots.fromPartial({ snapshots });
  }

  /** A chunk as it was made. Nothing is sent where there is none, or where the disk has another one than was written. */
  async loadSnapshotChunk(request: RequestLoadSnapshotChunk): Promise<ResponseLoadSnapshotChunk> {
    const { height, format, chunk: index } = request;
    const { files, log } = this.#options;
    const expected = (await files.get(height, format))?.chunkHashes[index];
    const chunk = expected === undefined ? undefined : await files.chunk(height, format, index);
    if (chunk === undefined || expected === undefined) return ResponseLoadSnapshotChunk.fromPartial({});
    if (!equalBytes(await sha256(chunk), expected)) {
      log.error({ height: Number(height), chunk: index }, 'a chunk of a snapshot is damaged: delete the snapshot');
      return ResponseLoadSnapshotChunk.fromPartial({});
    }
    return ResponseLoadSnapshotChunk.fromPartial({ chunk });
  }

  /** Begins to restore a snapshot; one that was being restored is given up. */
  offerSnapshot(request: RequestOfferSnapshot): Promise<ResponseOfferSnapshot> {
    return this.#inTurn(async () => ResponseOfferSnapshot.fromPartial({ result: await this.#offer(request) }));
  }

  applySnapshotChunk(request: RequestApplySnapshotChunk): Promise<ResponseApplySnapshotChunk> {
    return this.#inTurn(async () => ResponseApplySnapshotChunk.fromPartial(await this.#apply(request)));
  }

  /** Ends what is under way: a snapshot that is being taken, or restored, leaves nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.taker.close();
    await this.#taking;
    await this.#turn;
    await this.#giveUp();
    await this.#options.files.removeUnfinished(process.pid);
  }

  async #take(height: bigint): Promise<void> {
    const { store, taker, files, keepRecent, log } = this.#options;
    const begin = performance.now();
    await Promise.all([store.settled(), this.#cleaned]);
    if (this.#closed) return;
    const { chunkHashes, bytes, nodes } = await taker.take(height);
    const ms = Math.round(performance.now() - begin);
    log.info({ height: Number(height), chunks: chunkHashes.length, bytes, nodes, ms }, 'snapshot taken');
    await files.prune(keepRecent);
  }

  async #offer({ snapshot, appHash }: RequestOfferSnapshot): Promise<Offered> {
    await this.#giveUp();
    const { store, names, log } = this.#options;
    if (store.last.height !== 0n) {
      log.error(
        { height: Number(store.last.height) },
        'a snapshot is not restored over a state: empty the data folder first, or start without state sync',
      );
      return Offered.ABORT;
    }
    if (snapshot === undefined) return Offered.REJECT;
    if (snapshot.format !== snapshotFormat) return Offered.REJECT_FORMAT;
    const info = this.#checked(snapshot, appHash);
    if (info === undefined) return Offered.REJECT;
    const restore = new Restore({ target: store, names, snapshot: info, appHash });
    this.#session = { restore, senders: new Set() };
    log.info({ height: Number(info.height), chunks: info.chunkHashes.length }, 'restoring a snapshot');
    return Offered.ACCEPT;
  }

  #checked(snapshot: Snapshot, appHash: Uint8Array): SnapshotInfo | undefined {
    try {
      if (appHash.length !== hashLength) throw new SnapshotError(`the app hash has ${appHash.length} bytes`);
      return fromEnvelope(snapshot);
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      this.#options.log.warn({ problem: error.message }, 'a snapshot was offered that cannot be one');
      return undefined;
    }
  }

  async #apply({ index, chunk, sender }: RequestApplySnapshotChunk): Promise<Partial<ResponseApplySnapshotChunk>> {
    const session = this.#session;
    if (session === undefined) return { result: Applied.ABORT };
    const { restore, senders } = session;
    if (index !== restore.next) {
      // The engine has lost its place: it begins again from the first chunk.
      await this.#giveUp();
      return { result: Applied.RETRY_SNAPSHOT };
    }
    const expected = restore.snapshot.chunkHashes[index] as Uint8Array;
    if (chunk.length > maxChunkBytes || !equalBytes(await sha256(chunk), expected)) {
      this.#options.log.warn({ chunk: index, sender }, 'a peer sent another chunk than was offered');
      return { result: Applied.RETRY, refetchChunks: [index], rejectSenders: sender === '' ? [] : [sender] };
    }
    if (sender !== '') senders.add(sender);
    return this.#restored(session, chunk);
  }

  async #restored({ restore, senders }: Session, chunk: Uint8Array): Promise<Partial<ResponseApplySnapshotChunk>> {
    const { log, onRestored } = this.#options;
    const { height, hash } = restore.snapshot;
    try {
      await restore.add(chunk);
      if (!restore.isComplete) return { result: Applied.ACCEPT };
      await restore.finish();
    } catch (error) {
      await this.#giveUp();
      if (!(error instanceof SnapshotError)) {
        log.error({ error: String(error) }, 'the snapshot could not be written: nothing of it stays');
        return { result: Applied.ABORT };
      }
      // Its chunks are those that were offered: whoever has sent one offers a state that is not the chain's.
      log.warn({ height: Number(height), problem: error.message }, 'the snapshot is not of this chain');
      return { result: Applied.REJECT_SNAPSHOT, rejectSenders: [...senders] };
    }
    this.#session = undefined;
    onRestored();
    log.info({ height: Number(height), snapshot: toHex(hash) }, 'snapshot restored');
    return { result: Applied.ACCEPT };
  }

  async #giveUp(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.restore.drop();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** Beside this thread: a chunk of ten megabytes is not for a moment between two blocks. */
async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
}
