/**
 * The application as a node offers it to its engine: the state machine, which is synchronous and closed, and around it
 * what may take its time. Every answer is the state machine's own; what stands around it changes only when it comes.
 */
import type { Application, Reply } from '@mu/abci/application';
import {
  CheckTxType,
  type RequestApplySnapshotChunk,
  type RequestCheckTx,
  type RequestExtendVote,
  type RequestFinalizeBlock,
  RequestInfo,
  type RequestInitChain,
  type RequestLoadSnapshotChunk,
  type RequestOfferSnapshot,
  type RequestPrepareProposal,
  type RequestProcessProposal,
  type RequestQuery,
  type RequestVerifyVoteExtension,
  type ResponseApplySnapshotChunk,
  type ResponseCheckTx,
  type ResponseCommit,
  type ResponseExtendVote,
  type ResponseFinalizeBlock,
  type ResponseInfo,
  type ResponseInitChain,
  type ResponseListSnapshots,
  type ResponseLoadSnapshotChunk,
  type ResponseOfferSnapshot,
  type ResponsePrepareProposal,
  type ResponseProcessProposal,
  type ResponseQuery,
  type ResponseVerifyVoteExtension,
} from 'cosmjs-types/tendermint/abci/types';

/** An application that answers at once. */
export type StateMachine = {
  readonly [Method in keyof Application]: (
    ...request: Parameters<Application[Method]>
  ) => Awaited<ReturnType<Application[Method]>>;
};

/** Verifies signatures before the state machine asks for them (`PreVerifier`). */
export interface Warming {
  /** Never rejects. @param share whether this thread has nothing else to do until then */
  warm(txs: readonly Uint8Array[], share?: boolean): Promise<void>;
}

/** Answers queries beside the state machine (`QueryThread`). */
export interface Queries {
  /** whether it can answer at once */
  readonly isReady: boolean;
  /** @throws Error when it cannot; the state machine answers then */
  ask(request: RequestQuery): Promise<ResponseQuery>;
}

/** Takes, serves and restores snapshots of the state (`SnapshotManager`). */
export interface Snapshots {
  /** Called after each commit; returns at once. */
  committed(height: bigint): void;
  listSnapshots(): Promise<ResponseListSnapshots>;
  offerSnapshot(request: RequestOfferSnapshot): Promise<ResponseOfferSnapshot>;
  loadSnapshotChunk(request: RequestLoadSnapshotChunk): Promise<ResponseLoadSnapshotChunk>;
  applySnapshotChunk(request: RequestApplySnapshotChunk): Promise<ResponseApplySnapshotChunk>;
}

export interface NodeApplicationOptions {
  readonly app: StateMachine;
  /** absent where the state machine answers queries itself */
  readonly queries?: Queries | undefined;
  /** Resolves when what was committed is in the files; absent where a commit is at once. */
  readonly settled?: (() => Promise<void>) | undefined;
  /** learns that a commit did not reach the files: nothing may follow it */
  readonly onFailure?: ((error: Error) => void) | undefined;
  /** absent where there are no threads to verify with */
  readonly preVerifier?: Warming | undefined;
  /** whether checks are verified beforehand too, not blocks alone; so where it is not said */
  readonly warmsChecks?: boolean;
  /** absent where the state machine answers for snapshots itself */
  readonly snapshots?: Snapshots | undefined;
}

const infoRequest = RequestInfo.fromPartial({});

/** Whether a query is one that runs on the state that is being checked. */
export function isSimulation(path: string): boolean {
  return path === '/cosmos.tx.v1beta1.Service/Simulate' || /^\/?app\/simulate/.test(path);
}

/** A check that waits for its turn. */
interface Check {
  readonly request: RequestCheckTx;
  readonly resolve: (response: ResponseCheckTx) => void;
  readonly reject: (error: unknown) => void;
}

export class NodeApplication implements Application {
  readonly #app: StateMachine;
  readonly #preVerifier: Warming | undefined;
  readonly #warmsChecks: boolean;
  readonly #queries: Queries | undefined;
  readonly #settled: (() => Promise<void>) | undefined;
  readonly #onFailure: ((error: Error) => void) | undefined;
  readonly #snapshots: Snapshots | undefined;
  #height = 0n;
  /** checks that came since the last batch left */
  #arrived: Check[] = [];
  /** checks without an answer */
  #waiting = 0;
  /** the batches that left, each after the one before */
  #turn: Promise<void> = Promise.resolve();

  constructor({
    app,
    preVerifier,
    warmsChecks = true,
    queries,
    settled,
    onFailure,
    snapshots,
  }: NodeApplicationOptions) {
    this.#app = app;
    this.#preVerifier = preVerifier;
    this.#warmsChecks = warmsChecks && preVerifier !== undefined;
    this.#queries = queries;
    this.#settled = settled;
    this.#onFailure = onFailure;
    this.#snapshots = snapshots;
  }

  info(request: RequestInfo): Reply<ResponseInfo> {
    const info = this.#app.info(request);
    this.#height = info.lastBlockHeight;
    return info;
  }

  /**
   * What is committed is asked of the thread beside; a simulation runs on the state that is being checked, which only the
   * state machine has, and so does everything before the first block.
   */
  query(request: RequestQuery): Reply<ResponseQuery> {
    const queries = this.#queries;
    if (queries?.isReady !== true || this.#height === 0n || isSimulation(request.path)) return this.#app.query(request);
    return this.#askBeside(queries, request);
  }

  /**
   * Checks are carried out in the order in which they came: one of a wallet's transactions makes the next one right. What
   * comes in one turn of the event loop is one batch; its signatures are verified while those before it are carried out.
   */
  checkTx(request: RequestCheckTx): Reply<ResponseCheckTx> {
    const isNew = request.type !== CheckTxType.RECHECK;
    // A recheck verifies no signature; it waits only for what came before it.
    if (this.#waiting === 0 && (!isNew || !this.#warmsChecks)) return this.#app.checkTx(request);
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      this.#arrived.push({ request, resolve, reject });
      if (this.#arrived.length === 1) setImmediate(() => this.#depart());
    });
  }

  initChain(request: RequestInitChain): Reply<ResponseInitChain> {
    return this.#app.initChain(request);
  }

  prepareProposal(request: RequestPrepareProposal): Reply<ResponsePrepareProposal> {
    return this.#app.prepareProposal(request);
  }

  /** A proposal is judged without its signatures; they are verified while the others vote on it. */
  processProposal(request: RequestProcessProposal): Reply<ResponseProcessProposal> {
    void this.#preVerifier?.warm(request.txs);
    return this.#app.processProposal(request);
  }

  extendVote(request: RequestExtendVote): Reply<ResponseExtendVote> {
    return this.#app.extendVote(request);
  }

  verifyVoteExtension(request: RequestVerifyVoteExtension): Reply<ResponseVerifyVoteExtension> {
    return this.#app.verifyVoteExtension(request);
  }

  /** In block sync and in replay nobody has seen the transactions before: all threads verify them first. */
  finalizeBlock(request: RequestFinalizeBlock): Reply<ResponseFinalizeBlock> {
    if (this.#preVerifier === undefined) return this.#app.finalizeBlock(request);
    return this.#preVerifier.warm(request.txs, true).then(() => this.#app.finalizeBlock(request));
  }

  /**
   * The commit before this one is in the files when this one begins: at most one block is on its way, and the engine
   * plays it again after a crash. A commit that does not reach the files ends the node.
   */
  async commit(): Promise<ResponseCommit> {
    await this.#settled?.();
    const response = this.#app.commit();
    this.#height = this.#app.info(infoRequest).lastBlockHeight;
    this.#settled?.().catch((error: unknown) =>
      this.#onFailure?.(error instanceof Error ? error : new Error(String(error))),
    );
    this.#snapshots?.committed(this.#height);
    return response;
  }

  listSnapshots(): Reply<ResponseListSnapshots> {
    return (this.#snapshots ?? this.#app).listSnapshots();
  }

  offerSnapshot(request: RequestOfferSnapshot): Reply<ResponseOfferSnapshot> {
    return (this.#snapshots ?? this.#app).offerSnapshot(request);
  }

  loadSnapshotChunk(request: RequestLoadSnapshotChunk): Reply<ResponseLoadSnapshotChunk> {
    return (this.#snapshots ?? this.#app).loadSnapshotChunk(request);
  }

  applySnapshotChunk(request: RequestApplySnapshotChunk): Reply<ResponseApplySnapshotChunk> {
    return (this.#snapshots ?? this.#app).applySnapshotChunk(request);
  }

  async #askBeside(queries: Queries, request: RequestQuery): Promise<ResponseQuery> {
    try {
      // The thread sees what is in the files; a client that was told of a block finds it there.
      await this.#settled?.();
      return await queries.ask(request);
    } catch {
      return this.#app.query(request);
    }
  }

  #depart(): void {
    const batch = this.#arrived;
    this.#arrived = [];
    const news = batch.filter(({ request }) => request.type !== CheckTxType.RECHECK).map(({ request }) => request.tx);
    const warmed = this.#preVerifier?.warm(news);
    this.#turn = this.#turn.then(() => warmed).then(() => this.#carryOut(batch));
  }

  #carryOut(batch: readonly Check[]): void {
    for (const { request, resolve, reject } of batch) {
      this.#waiting -= 1;
      try {
        resolve(this.#app.checkTx(request));
      } catch (error) {
        reject(error);
      }
    }
  }
}
