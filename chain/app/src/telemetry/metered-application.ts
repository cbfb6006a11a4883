/** An application whose work is counted and timed. It answers what the other one answers, as soon as that does. */
import type { Application, Reply } from '@mu/abci/application';
import { isPromise } from '@mu/abci/methods';
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
import type { NodeMetrics, Phase } from './metrics.ts';

/** What is told of an application's work. */
export type WorkReport = Pick<NodeMetrics, 'phase' | 'checked' | 'executed' | 'committed'>;

export class MeteredApplication implements Application {
  readonly #app: Application;
  readonly #report: WorkReport;
  readonly #now: () => number;
  #height = 0n;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(app: Application, report: WorkReport, now: () => number = () => performance.now()) {
    this.#app = app;
    this.#report = report;
    this.#now = now;
  }

  info(request: RequestInfo): Reply<ResponseInfo> {
    return this.#app.info(request);
  }

  query(request: RequestQuery): Reply<ResponseQuery> {
    return this.#app.query(request);
  }

  checkTx(request: RequestCheckTx): Reply<ResponseCheckTx> {
    const reply = this.#app.checkTx(request);
    const kind = request.type === CheckTxType.RECHECK ? 'recheck' : 'new';
    return watched(reply, ({ code }) => this.#report.checked(kind, code === 0));
  }

  initChain(request: RequestInitChain): Reply<ResponseInitChain> {
    return this.#app.initChain(request);
  }

  prepareProposal(request: RequestPrepareProposal): Reply<ResponsePrepareProposal> {
    return this.#timed('prepare', () => this.#app.prepareProposal(request));
  }

  processProposal(request: RequestProcessProposal): Reply<ResponseProcessProposal> {
    return this.#timed('process', () => this.#app.processProposal(request));
  }

  extendVote(request: RequestExtendVote): Reply<ResponseExtendVote> {
    return this.#app.extendVote(request);
  }

  verifyVoteExtension(request: RequestVerifyVoteExtension): Reply<ResponseVerifyVoteExtension> {
    return this.#app.verifyVoteExtension(request);
  }

  finalizeBlock(request: RequestFinalizeBlock): Reply<ResponseFinalizeBlock> {
    const reply = this.#timed('finalize', () => this.#app.finalizeBlock(request));
    return watched(reply, ({ txResults }) => {
      this.#height = request.height;
      this.#report.executed(txResults);
    });
  }

  commit(): Reply<ResponseCommit> {
    const reply = this.#timed('commit', () => this.#app.commit());
    return watched(reply, () => this.#report.committed(this.#height));
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

  #timed<T>(phase: Phase, run: () => Reply<T>): Reply<T> {
    const begin = this.#now();
    return watched(run(), () => this.#report.phase(phase, (this.#now() - begin) / 1000));
  }
}

/** The same reply; looked at when it is there. One that fails is the caller's to see. */
function watched<T>(reply: Reply<T>, look: (value: T) => void): Reply<T> {
  if (isPromise(reply)) reply.then(look, () => undefined);
  else look(reply);
  return reply;
}
