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
  type RequestInfo,
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

export interface NodeApplicationOptions {
  readonly app: StateMachine;
  /** absent where there are no threads to verify with */
  readonly preVerifier?: Warming | undefined;
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
  /** checks that came since the last batch left */
  #arrived: Check[] = [];
  /** checks without an answer */
  #waiting = 0;
  /** the batches that left, each after the one before */
  #turn: Promise<void> = Promise.resolve();

  constructor({ app, preVerifier }: NodeApplicationOptions) {
    this.#app = app;
    this.#preVerifier = preVerifier;
  }

  info(request: RequestInfo): Reply<ResponseInfo> {
    return this.#app.info(request);
  }

  query(request: RequestQuery): Reply<ResponseQuery> {
    return this.#app.query(request);
  }

  /**
   * Checks are carried out in the order in which they came: one of a wallet's transactions makes the next one right. What
   * comes in one turn of the event loop is one batch; its signatures are verified while those before it are carried out.
   */
  checkTx(request: RequestCheckTx): Reply<ResponseCheckTx> {
    const isNew = request.type !== CheckTxType.RECHECK;
    // A recheck verifies no signature; it waits only for what came before it.
    if (this.#waiting === 0 && (!isNew || this.#preVerifier === undefined)) return this.#app.checkTx(request);
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

  commit(): Reply<ResponseCommit> {
    return this.#app.commit();
  }

  listSnapshots(): Reply<ResponseListSnapshots> {
    return this.#app.listSnapshots();
  }

  offerSnapshot(request: RequestOfferSnapshot): Reply<ResponseOfferSnapshot> {
    return this.#app.offerSnapshot(request);
  }

  loadSnapshotChunk(request: RequestLoadSnapshotChunk): Reply<ResponseLoadSnapshotChunk> {
    return this.#app.loadSnapshotChunk(request);
  }

  applySnapshotChunk(request: RequestApplySnapshotChunk): Reply<ResponseApplySnapshotChunk> {
    return this.#app.applySnapshotChunk(request);
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
