/** An application for the tests of the socket: every method answers at once with nothing in particular. */
import {
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
import type { Application } from '../src/application.ts';

const plain: Application = {
  info: ({ version }) => ResponseInfo.fromPartial({ data: 'test', version, lastBlockHeight: 7n }),
  query: ({ data, path, height }) => ResponseQuery.fromPartial({ key: data, value: data, log: path, height }),
  checkTx: ({ tx, type }) => ResponseCheckTx.fromPartial({ data: tx, code: type }),
  initChain: ({ chainId }) => ResponseInitChain.fromPartial({ appHash: Buffer.from(chainId) }),
  prepareProposal: ({ txs }) => ResponsePrepareProposal.fromPartial({ txs }),
  processProposal: () => ResponseProcessProposal.fromPartial({ status: 1 }),
  extendVote: ({ hash }) => ResponseExtendVote.fromPartial({ voteExtension: hash }),
  verifyVoteExtension: () => ResponseVerifyVoteExtension.fromPartial({ status: 1 }),
  finalizeBlock: ({ hash }) => ResponseFinalizeBlock.fromPartial({ appHash: hash }),
  commit: () => ResponseCommit.fromPartial({ retainHeight: 3n }),
  listSnapshots: () => ResponseListSnapshots.fromPartial({ snapshots: [{ height: 5n, chunks: 2 }] }),
  offerSnapshot: () => ResponseOfferSnapshot.fromPartial({ result: 1 }),
  loadSnapshotChunk: ({ chunk }) => ResponseLoadSnapshotChunk.fromPartial({ chunk: Buffer.from([chunk]) }),
  applySnapshotChunk: ({ sender }) => ResponseApplySnapshotChunk.fromPartial({ result: 1, rejectSenders: [sender] }),
};

/** @param special methods that answer otherwise */
export function testApp(special: Partial<Application> = {}): Application {
  return { ...plain, ...special };
}

/** Answers that the test gives when it likes, in the order it likes. */
export class Controlled<T> {
  readonly asked: { readonly value: T; readonly answer: (value: T) => void }[] = [];
  readonly #watchers: { readonly count: number; readonly reached: () => void }[] = [];

  ask(value: T): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.asked.push({ value, answer: resolve });
    for (const { count, reached } of this.#watchers) if (this.asked.length >= count) reached();
    return promise;
  }

  /** Resolves when so many have been asked, since the beginning. */
  whenAsked(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watchers.push({ count, reached: resolve });
    if (this.asked.length >= count) resolve();
    return promise;
  }
}
