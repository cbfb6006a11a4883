/**
 * The application as a consensus engine sees it: ABCI 2.0 (CometBFT 0.38, spec/abci/abci++_methods.md).
 *
 * The application is one object. The embedded engine calls it in the same process, a socket server calls it for
 * CometBFT; neither knows what is behind it. Implementations on the consensus side are synchronous; a driver awaits, so
 * that an application behind a socket is driven the same way.
 */
import type {
  RequestApplySnapshotChunk,
  RequestCheckTx,
  RequestExtendVote,
  RequestFinalizeBlock,
  RequestInfo,
  RequestInitChain,
  RequestLoadSnapshotChunk,
  RequestOfferSnapshot,
  RequestPrepareProposal,
  RequestProcessProposal,
  RequestQuery,
  RequestVerifyVoteExtension,
  ResponseApplySnapshotChunk,
  ResponseCheckTx,
  ResponseCommit,
  ResponseExtendVote,
  ResponseFinalizeBlock,
  ResponseInfo,
  ResponseInitChain,
  ResponseListSnapshots,
  ResponseLoadSnapshotChunk,
  ResponseOfferSnapshot,
  ResponsePrepareProposal,
  ResponseProcessProposal,
  ResponseQuery,
  ResponseVerifyVoteExtension,
} from 'cosmjs-types/tendermint/abci/types';

/** What a call to the application yields: at once, or later where a socket lies between. */
export type Reply<T> = T | Promise<T>;

/** The methods of ABCI 2.0, each with the request and response of its protobuf. */
export interface Application {
  info(request: RequestInfo): Reply<ResponseInfo>;
  query(request: RequestQuery): Reply<ResponseQuery>;
  checkTx(request: RequestCheckTx): Reply<ResponseCheckTx>;
  initChain(request: RequestInitChain): Reply<ResponseInitChain>;
  prepareProposal(request: RequestPrepareProposal): Reply<ResponsePrepareProposal>;
  processProposal(request: RequestProcessProposal): Reply<ResponseProcessProposal>;
  extendVote(request: RequestExtendVote): Reply<ResponseExtendVote>;
  verifyVoteExtension(request: RequestVerifyVoteExtension): Reply<ResponseVerifyVoteExtension>;
  finalizeBlock(request: RequestFinalizeBlock): Reply<ResponseFinalizeBlock>;
  commit(): Reply<ResponseCommit>;
  listSnapshots(): Reply<ResponseListSnapshots>;
  offerSnapshot(request: RequestOfferSnapshot): Reply<ResponseOfferSnapshot>;
  loadSnapshotChunk(request: RequestLoadSnapshotChunk): Reply<ResponseLoadSnapshotChunk>;
  applySnapshotChunk(request: RequestApplySnapshotChunk): Reply<ResponseApplySnapshotChunk>;
}
