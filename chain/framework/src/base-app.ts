/**
 * The application: ABCI 2.0 over modules and a commit store. One object, whoever drives it. It owns the order in which a
 * block is executed and nothing of what the modules mean.
 */
import type { Registry } from '@bufbuild/protobuf';
import {
  ResponseApplySnapshotChunk_Result as ApplyResult,
  CheckTxType,
  ResponseOfferSnapshot_Result as OfferResult,
  ResponseProcessProposal_ProposalStatus as ProposalStatus,
  type RequestCheckTx,
  type RequestFinalizeBlock,
  type RequestInitChain,
  type RequestPrepareProposal,
  type RequestProcessProposal,
  type RequestQuery,
  ResponseApplySnapshotChunk,
  type ResponseCheckTx,
  ResponseCommit,
  ResponseExtendVote,
  type ResponseFinalizeBlock,
  ResponseInfo,
  ResponseInitChain,
  ResponseListSnapshots,
  ResponseLoadSnapshotChunk,
  ResponseOfferSnapshot,
  ResponsePrepareProposal,
  ResponseProcessProposal,
  type ResponseQuery,
  ResponseVerifyVoteExtension,
  ResponseVerifyVoteExtension_VerifyStatus as VerifyStatus,
} from 'cosmjs-types/tendermint/abci/types';
import './encoding.ts';
import type { Application } from '@mu/abci/application';
import type { AnteStep } from './ante.ts';
import { answerQuery } from './app-query.ts';
import { AppState } from './app-state.ts';
import { BlockExecutor, type BlockPhase, toAbciTxResult } from './block-executor.ts';
import { type BlockRecord, decodeBlockRecord, encodeBlockRecord, fromTimestamp } from './block-record.ts';
import { loadConstants, readConstants, storeConstants } from './chain-constants.ts';
import {
  blockGas,
  cometProblem,
  type FullConsensusParams,
  genesisConsensusParams,
  type ParamStore,
  starvation,
} from './consensus-params.ts';
import { type BlockInfo, type ChainConstants, type Context, freshContext } from './context.ts';
import { errInvalidHeight, errInvalidRequest, toFailure } from './errors.ts';
import { toAbciEvents } from './events.ts';
import { MessageRegistry } from './message-registry.ts';
import type { AppModule, Json } from './module.ts';
import { checkProposal, fillProposal } from './proposal.ts';
import { QueryRouter } from './query-router.ts';
import { BranchMultiStore } from './store/branch-store.ts';
import { type CommitStore, emptyAppHash } from './store/commit-store.ts';
import type { Change } from './store/kv-store.ts';
import { encodeSystemTx, type SystemTxSource } from './system-tx.ts';
import { type Tx, TxDecoder } from './tx.ts';
import { runTx, type TxResult } from './tx-runner.ts';

export interface BaseAppOptions {
  readonly name: string;
  readonly version: string;
  readonly store: CommitStore;
  /** in the order of InitGenesis, BeginBlock and EndBlock */
  readonly modules: readonly AppModule[];
  readonly descriptors: Registry;
  /** made once the chain's constants can be known; checks run in this order */
  readonly ante: readonly AnteStep[];
  readonly systemTx?: SystemTxSource;
  /** keeps the consensus parameters; every change is validated by whoever makes it */
  readonly params: ParamStore;
  /** Checks every module's invariants after each block and throws when one is broken: for tests and simulations. */
  readonly checkInvariants?: boolean;
  /** told as each part of a block begins: whoever measures has a clock, the application has none */
  readonly onPhase?: (phase: BlockPhase) => void;
}

/** The state of a block that was executed and not committed yet. */
interface PendingBlock {
  readonly record: BlockRecord;
  readonly changes: readonly Change[];
  readonly txs: readonly Uint8Array[];
}

export class BaseApp implements Application {
  readonly messages: MessageRegistry;
  readonly queries = new QueryRouter();
  readonly #options: BaseAppOptions;
  readonly #store: CommitStore;
  readonly #decoder: TxDecoder;
  readonly #executor: BlockExecutor;
  #chain: ChainConstants | undefined;
  /** of the first block, from InitChain until that block is committed */
  #genesis: BlockInfo | undefined;
  #pending: PendingBlock | undefined;
  #check: Context | undefined;

  constructor(options: BaseAppOptions) {
    this.#options = options;
    this.#store = options.store;
    this.messages = new MessageRegistry(options.descriptors);
    for (const module of options.modules) {
      module.registerMsgs(this.messages);
      module.registerQueries(this.queries);
    }
    this.#decoder = new TxDecoder(options.descriptors, this.messages);
    const runner = { ante: options.ante, reservedSigner: options.systemTx?.signer };
    this.#executor = new BlockExecutor({
      ...options,
      runner,
      decode: (raw, chain) => this.decode(raw, chain),
      gasLimit: (ctx) => blockGas(options.params.get(ctx)),
    });
    this.#load();
  }

  /** Whether there is a state to read: before InitChain there is none. */
  get isInitialized(): boolean {
    return this.#chain !== undefined;
  }

  /** Constants of the chain. @throws Error before InitChain */
  get chain(): ChainConstants {
    if (this.#chain === undefined) throw errInvalidRequest.wrap('the chain has no genesis yet');
    return this.#chain;
  }

  /** How often a transaction was found decoded already, for metrics. */
  get decodeCache(): TxDecoder['cache'] {
    return this.#decoder.cache;
  }

  decode(raw: Uint8Array, chain: ChainConstants): Tx {
    return this.#decoder.decode(raw, chain.bech32Prefix);
  }

  /**
   * A context on committed state, for queries.
   * @param height 0 for the latest
   * @throws AbciError invalid height (26) when that version is not kept
   */
  queryContext(height = 0n): Context {
    const isLatest = height === 0n || height === this.#store.last.height;
    return freshContext({
      chain: this.chain,
      block: isLatest ? this.#lastBlock() : this.#blockAt(height),
      mode: 'query',
      stores: new BranchMultiStore(isLatest ? this.#store : this.#store.at(height)),
    });
  }

  info(): ResponseInfo {
    const { height, appHash } = this.#store.last;
    return ResponseInfo.fromPartial({
      data: this.#options.name,
      version: this.#options.version,
      // Headers carry the same number: state sync compares the two.
      appVersion: height === 0n ? 0n : this.#params().version.app,
      lastBlockHeight: height,
      lastBlockAppHash: height === 0n ? new Uint8Array() : appHash,
    });
  }

  initChain(request: RequestInitChain): ResponseInitChain {
    const params = genesisConsensusParams(request.consensusParams);
    const problem = starvation(params) ?? cometProblem(params);
    if (problem !== undefined) throw errInvalidRequest.wrap(`consensus_params: ${problem}`);
    const state = new AppState(request.appStateBytes);
    const constants = readConstants(request.chainId, { app: state.get('app') ?? {} });
    const block = {
      height: request.initialHeight === 0n ? 1n : request.initialHeight,
      timeNs: fromTimestamp(request.time),
      proposer: new Uint8Array(),
    };
    const stores = this.#store.beginGenesis();
    const ctx = freshContext({ chain: constants, block, mode: 'genesis', stores });
    storeConstants(stores, constants);
    this.#options.params.set(ctx, params);
    for (const module of this.#options.modules) state.init(ctx, module);
    stores.end();
    this.#chain = constants;
    this.#genesis = block;
    this.#resetCheck();
    return ResponseInitChain.fromPartial({ appHash: emptyAppHash, consensusParams: params });
  }

  checkTx(request: RequestCheckTx): ResponseCheckTx {
    let result: TxResult;
    try {
      const tx = this.decode(request.tx, this.chain);
      const mode = request.type === CheckTxType.RECHECK ? 'recheck' : 'check';
      const ctx = (this.#check as Context).with({ mode });
      result = runTx(this.#executor.runner, ctx, tx);
    } catch (thrown) {
      result = { failure: toFailure(thrown), gasWanted: 0n, gasUsed: 0n, data: new Uint8Array(), events: [] };
    }
    // Of a recheck the engine reads the code alone, and it asks for thousands after each block.
    return toAbciTxResult(request.type === CheckTxType.RECHECK ? { ...result, events: [] } : result);
  }

  /** Runs a transaction on the checked state without keeping anything: what it would use and answer. */
  simulate(raw: Uint8Array): TxResult {
    const tx = this.decode(raw, this.chain);
    const stores = new BranchMultiStore((this.#check as Context).stores);
    return runTx(this.#executor.runner, (this.#check as Context).with({ mode: 'simulate', stores }), tx);
  }

  prepareProposal(request: RequestPrepareProposal): ResponsePrepareProposal {
    const first = this.#systemTx(request.height);
    const txs = fillProposal(first, request.txs, {
      maxBytes: request.maxTxBytes,
      maxGas: blockGas(this.#params()),
      decode: (raw) => this.decode(raw, this.chain),
    });
    return ResponsePrepareProposal.fromPartial({ txs });
  }

  processProposal(request: RequestProcessProposal): ResponseProcessProposal {
    const reason = checkProposal(this.#systemTx(request.height), request.txs, {
      maxGas: blockGas(this.#params()),
      decode: (raw) => this.decode(raw, this.chain),
    });
    const status = reason === undefined ? ProposalStatus.ACCEPT : ProposalStatus.REJECT;
    return ResponseProcessProposal.fromPartial({ status });
  }

  finalizeBlock(request: RequestFinalizeBlock): ResponseFinalizeBlock {
    const expectedHeight = this.#nextHeight();
    if (request.height !== expectedHeight) {
      throw errInvalidHeight.wrap(`the next block is ${expectedHeight}, not ${request.height}`);
    }
    const block = {
      height: request.height,
      timeNs: fromTimestamp(request.time),
      proposer: request.proposerAddress,
    };
    this.#options.onPhase?.('due');
    // Computed before anything of this block is written: a function of the state committed at H−1 and of H alone.
    const systemTx = this.#systemTx(request.height);
    const stores = new BranchMultiStore(this.#store);
    const ctx = freshContext({ chain: this.chain, block, mode: 'finalize', stores });
    const done = this.#executor.execute(ctx, { txs: request.txs, systemTx });
    const changes = stores.changes();
    this.#pending = { record: block, changes, txs: request.txs };
    this.#options.onPhase?.('trees');
    const appHash = this.#store.workingHash(request.height, changes);
    this.#options.onPhase?.('answer');
    // No fromPartial: it would copy every event of every transaction.
    return {
      events: toAbciEvents(done.events),
      txResults: done.txs.map(toAbciTxResult),
      validatorUpdates: [],
      // All of them in every block, as the SDK does: the engine follows the state whatever it has now.
      consensusParamUpdates: this.#options.params.get(ctx),
      appHash,
    };
  }

  commit(): ResponseCommit {
    if (this.#pending === undefined) throw errInvalidRequest.wrap('there is no finalized block to commit');
    const { record, changes, txs } = this.#pending;
    this.#store.commit(record.height, changes, encodeBlockRecord(record));
    for (const raw of txs) this.#decoder.forget(raw);
    this.#pending = undefined;
    this.#genesis = undefined;
    this.#resetCheck();
    return ResponseCommit.fromPartial({ retainHeight: 0n });
  }

  query(request: RequestQuery): ResponseQuery {
    return answerQuery(
      {
        store: this.#store,
        queries: this.queries,
        version: this.#options.version,
        context: (height) => this.queryContext(height),
        simulate: (raw) => this.simulate(raw),
      },
      request,
    );
  }

  // This application has nothing to say in a vote: where the parameters enable extensions, each is empty.
  extendVote(): ResponseExtendVote {
    return ResponseExtendVote.fromPartial({});
  }

  verifyVoteExtension(request: { readonly voteExtension: Uint8Array }): ResponseVerifyVoteExtension {
    const status = request.voteExtension.length === 0 ? VerifyStatus.ACCEPT : VerifyStatus.REJECT;
    return ResponseVerifyVoteExtension.fromPartial({ status });
  }

  // Snapshots are the matter of whoever keeps the state's files. Here none is listed, and one that is offered is refused.
  listSnapshots(): ResponseListSnapshots {
    return ResponseListSnapshots.fromPartial({});
  }

  offerSnapshot(): ResponseOfferSnapshot {
    return ResponseOfferSnapshot.fromPartial({ result: OfferResult.REJECT });
  }

  loadSnapshotChunk(): ResponseLoadSnapshotChunk {
    return ResponseLoadSnapshotChunk.fromPartial({});
  }

  applySnapshotChunk(): ResponseApplySnapshotChunk {
    return ResponseApplySnapshotChunk.fromPartial({ result: ApplyResult.ABORT });
  }

  /**
   * The state of all modules as genesis `app_state` of a chain that goes on from there.
   * @param height 0 for the latest
   * @throws AbciError invalid height (26) when that version is not kept
   */
  exportState(height = 0n): { [module: string]: Json } {
    const ctx = this.queryContext(height);
    const { bech32Prefix, denom, authority } = this.chain;
    const state: { [module: string]: Json } = {
      app: { bech32_prefix: bech32Prefix, denom, ...(authority === undefined ? {} : { authority }) },
    };
    for (const module of this.#options.modules) state[module.name] = module.genesis.export(ctx);
    return state;
  }

  /** Consensus parameters as of a height, 0 for the latest. @throws AbciError invalid height (26) */
  consensusParams(height = 0n): FullConsensusParams {
    return this.#options.params.get(this.queryContext(height));
  }

  #nextHeight(): bigint {
    return this.#genesis?.height ?? this.#store.last.height + 1n;
  }

  #lastBlock(): BlockInfo {
    if (this.#genesis !== undefined) return { ...this.#genesis, height: this.#store.last.height };
    if (this.#chain === undefined) throw errInvalidRequest.wrap('no block is committed yet');
    return this.#blockAt(this.#store.last.height);
  }

  /** A state that came from a snapshot has no record of its block: its time is not known until the next one. */
  #blockAt(height: bigint): BlockInfo {
    const record = this.#store.note(height);
    return record === undefined ? { height, timeNs: 0n, proposer: new Uint8Array() } : decodeBlockRecord(record);
  }

  #systemTx(height: bigint): Uint8Array | undefined {
    if (this.#options.systemTx === undefined) return undefined;
    const ctx = this.queryContext().with({ mode: 'proposal' });
    return encodeSystemTx(this.#options.systemTx.due(ctx, height), height);
  }

  #resetCheck(): void {
    this.#check = freshContext({
      chain: this.chain,
      block: this.#lastBlock(),
      mode: 'check',
      stores: new BranchMultiStore(this.#store),
      blockGasLimit: blockGas(this.#params()),
    });
  }

  /** Consensus parameters of the next block: those of the last committed state. */
  #params(): FullConsensusParams {
    return this.#options.params.get(this.queryContext());
  }

  /** Takes up what the store holds now: after a restore or a rollback. */
  reload(): void {
    this.#genesis = undefined;
    this.#pending = undefined;
    this.#load();
  }

  /** Takes up what the store holds from an earlier run. */
  #load(): void {
    if (this.#store.last.height === 0n) return;
    this.#chain = loadConstants(this.#store);
    if (this.#chain === undefined) throw new Error('the committed state does not say of which chain it is');
    this.#resetCheck();
  }
}
