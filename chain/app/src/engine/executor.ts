/**
 * One block from proposal to saved state, in CometBFT's order: save the block, sign it, FinalizeBlock, save the results,
 * Commit, save the state. After a crash between any two of them the handshake goes on where this stopped.
 */
import type { Application } from '@mu/abci/application';
import { equalBytes } from '@mu/lib/bytes';
import { blockProtocol } from '@mu/lib/comet-header';
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import {
  type CommitInfo,
  type ExtendedCommitInfo,
  ResponseProcessProposal_ProposalStatus as ProposalStatus,
  type RequestFinalizeBlock,
  type ResponseFinalizeBlock,
} from 'cosmjs-types/tendermint/abci/types';
import type { Block } from 'cosmjs-types/tendermint/types/block';
import type { BlockID, Commit, CommitSig, Header } from 'cosmjs-types/tendermint/types/types';
import { BlockIDFlag } from 'cosmjs-types/tendermint/types/validator';
import {
  absentSignature,
  blockIdOf,
  commitHash,
  dataHash,
  emptyCommit,
  evidenceHash,
  maxDataBytes,
  txSizeInBlock,
} from './block.ts';
import { blockBytesLimit, consensusHash } from './consensus-params.ts';
import type { BlockLimits } from './mempool.ts';
import type { PrivateValidator } from './private-validator.ts';
import { type State, stateAfterBlock } from './state.ts';
import type { EngineStore } from './store.ts';
import { addMs, zeroTime } from './time.ts';
import { encodeResponse, encodeResults } from './tx-index.ts';
import type { ValidatorSet } from './validator-set.ts';
import { extensionsEnabled, noExtension, type VoteExtension } from './vote-extension.ts';

/** Points between which a crash must lose nothing; tests fail at each of them. */
export type Step = 'block-saved' | 'vote-signed' | 'finalized' | 'response-saved' | 'committed' | 'state-saved';

/** A vote comes this much after its block's time, as CometBFT's do at least. */
const voteDelayMs = 1;

/** What a finished block leaves. */
export interface Executed {
  state: State;
  response: ResponseFinalizeBlock;
}

/** A block and its identity. */
export interface IdentifiedBlock {
  block: Block;
  blockId: BlockID;
}

/** How much the next block takes. */
export function blockLimits(state: State): BlockLimits {
  const { validators } = state.validators;
  return {
    maxDataBytes: maxDataBytes(blockBytesLimit(state.consensusParams), validators.length),
    maxGas: state.consensusParams.block.maxGas,
  };
}

/** Called around the application's commit: the pool stands still, and is brought up to date before it goes on. */
export type AroundCommit = (commit: () => Promise<Executed>, block: Block) => Promise<Executed>;

export class BlockExecutor {
  readonly #app: Application;
  readonly #store: EngineStore;
  readonly #validator: PrivateValidator;
  readonly #onStep: (step: Step) => void;

  constructor(app: Application, store: EngineStore, validator: PrivateValidator, onStep: (step: Step) => void) {
    this.#app = app;
    this.#store = store;
    this.#validator = validator;
    this.#onStep = onStep;
  }

  /**
   * The next block from the application's choice among the transactions. Nothing is stored.
   * @throws Error when the application's own proposal is too large, or it refuses it
   */
  async propose(state: State, txs: Uint8Array[], time: Timestamp): Promise<Block> {
    const height = nextHeight(state);
    const lastCommit = height === state.initialHeight ? emptyCommit() : this.#store.commit(state.lastBlockHeight);
    if (lastCommit === undefined)
      throw new Error(`the commit of block ${state.lastBlockHeight} is missing from the store`);
    const limits = blockLimits(state);
    const common = {
      misbehavior: [],
      height,
      time,
      nextValidatorsHash: state.nextValidators.hash(),
      proposerAddress: this.#validator.address,
    };
    const prepared = await this.#app.prepareProposal({
      ...common,
      maxTxBytes: limits.maxDataBytes,
      txs,
      localLastCommit: extendedCommitInfo(
        lastCommit,
        state.lastValidators,
        this.#store.extension(state.lastBlockHeight),
      ),
    });
    const size = prepared.txs.reduce((sum, tx) => sum + txSizeInBlock(tx), 0);
    if (BigInt(size) > limits.maxDataBytes) {
      throw new Error(
        `PrepareProposal gave ${size} bytes of transactions where ${limits.maxDataBytes} fit into block ${height}`,
      );
    }
    const block = makeBlock(state, height, time, prepared.txs, lastCommit, this.#validator.address);
    const { status } = await this.#app.processProposal({
      ...common,
      txs: prepared.txs,
      proposedLastCommit: commitInfo(lastCommit, state.lastValidators),
      hash: blockIdOf(block).blockId.hash,
    });
    if (status !== ProposalStatus.ACCEPT) {
      throw new Error(
        `the application refuses its own proposal for block ${height}: a network would never agree on it, so nothing was stored`,
      );
    }
    return block;
  }

  /** Stores a proposed block, so that after a crash this one is signed and executed, and no other of its height. */
  save(block: Block): IdentifiedBlock {
    const { blockId, bytes } = blockIdOf(block);
    const meta = {
      blockId,
      blockSize: BigInt(bytes.length),
      header: block.header,
      numTxs: BigInt(block.data.txs.length),
    };
    this.#store.saveBlock(block, meta, bytes);
    this.#onStep('block-saved');
    return { block, blockId };
  }

  /** Signs, executes and commits a stored block. @throws Error on an answer that breaks the protocol */
  async execute(state: State, { block, blockId }: IdentifiedBlock, around: AroundCommit): Promise<Executed> {
    const commit = this.#sign(state, block.header, blockId);
    this.#onStep('vote-signed');
    const request = finalizeRequest(block, blockId, state.lastValidators);
    const extension = await this.#extend(state, request);
    const response = await this.#app.finalizeBlock(request);
    if (response.txResults.length !== block.data.txs.length) {
      throw new Error(
        `expected tx results length to match size of transactions in block. Expected ${block.data.txs.length}, got ${response.txResults.length}`,
      );
    }
    this.#onStep('finalized');
    const encodedResults = encodeResults(response.txResults);
    const next = stateAfterBlock(state, blockId, block.header, response);
    this.#requireOwnKey(next);
    this.#store.saveResponse(block.header.height, encodeResponse(response, encodedResults), commit, extension);
    this.#onStep('response-saved');
    return around(async () => {
      const { retainHeight } = await this.#app.commit();
      this.#onStep('committed');
      this.#saveState(next, block, response, encodedResults, retainHeight);
      return { state: next, response };
    }, block);
  }

  /** What the application adds to our vote; undefined where the parameters do not enable it. */
  async #extend(state: State, request: RequestFinalizeBlock): Promise<VoteExtension | undefined> {
    const { height, decidedLastCommit, ...common } = request;
    if (!extensionsEnabled(state.consensusParams, height)) return undefined;
    const { voteExtension } = await this.#app.extendVote({ ...common, height, proposedLastCommit: decidedLastCommit });
    const extensionSignature = this.#validator.signExtension(state.chainId, height, voteExtension);
    return { voteExtension, extensionSignature };
  }

  /** For a block that the application has committed already: only the state is missing. */
  finish(state: State, { block, blockId }: IdentifiedBlock, response: ResponseFinalizeBlock): Executed {
    const next = stateAfterBlock(state, blockId, block.header, response);
    this.#saveState(next, block, response, encodeResults(response.txResults), 0n);
    return { state: next, response };
  }

  /** Executes and commits a block of the past again, for an application that has lost it. Gives the app hash. */
  async replay(block: Block, lastValidators: ValidatorSet): Promise<Uint8Array> {
    const { blockId } = blockIdOf(block);
    const response = await this.#app.finalizeBlock(finalizeRequest(block, blockId, lastValidators));
    await this.#app.commit();
    return response.appHash;
  }

  #saveState(
    state: State,
    block: Block,
    response: ResponseFinalizeBlock,
    encodedResults: readonly Uint8Array[],
    retainHeight: bigint,
  ): void {
    const { txResults: results, events } = response;
    const indexed = { height: block.header.height, txs: block.data.txs, results, encodedResults, events };
    this.#store.saveState(state, indexed, retainHeight);
    this.#onStep('state-saved');
  }

  /** The commit of a block: our own signature, everybody else absent. The same block gives the same commit. */
  #sign(state: State, header: Header, blockId: BlockID): Commit {
    this.#requireOwnKey(state);
    const timestamp = addMs(header.time, voteDelayMs);
    const vote = { height: header.height, round: 0, blockId, timestamp };
    const signature = this.#validator.signPrecommit(header.chainId, vote);
    const signatures = state.validators.validators.map(({ address }): CommitSig => {
      if (!equalBytes(address, this.#validator.address)) return absentSignature(zeroTime);
      return { blockIdFlag: BlockIDFlag.BLOCK_ID_FLAG_COMMIT, validatorAddress: address, timestamp, signature };
    });
    return { height: header.height, round: 0, blockId, signatures };
  }

  #requireOwnKey(state: State): void {
    for (const set of [state.validators, state.nextValidators]) {
      if (set.find(this.#validator.address) !== undefined) continue;
      throw new Error(
        `the key of this node (${Buffer.from(this.#validator.address).toString('hex').toUpperCase()}) is not among the validators, and the embedded engine has no other signer`,
      );
    }
  }
}

/** Height of the block after the state. */
export function nextHeight(state: State): bigint {
  return state.lastBlockHeight === 0n ? state.initialHeight : state.lastBlockHeight + 1n;
}

function makeBlock(
  state: State,
  height: bigint,
  time: Timestamp,
  txs: Uint8Array[],
  lastCommit: Commit,
  proposerAddress: Uint8Array,
): Block {
  const header: Header = {
    version: { block: blockProtocol, app: state.appVersion },
    chainId: state.chainId,
    height,
    time,
    lastBlockId: state.lastBlockId,
    lastCommitHash: commitHash(lastCommit),
    dataHash: dataHash({ txs }),
    validatorsHash: state.validators.hash(),
    nextValidatorsHash: state.nextValidators.hash(),
    consensusHash: consensusHash(state.consensusParams),
    appHash: state.appHash,
    lastResultsHash: state.lastResultsHash,
    evidenceHash: evidenceHash([]),
    proposerAddress,
  };
  return { header, data: { txs }, evidence: { evidence: [] }, lastCommit };
}

function finalizeRequest(block: Block, blockId: BlockID, lastValidators: ValidatorSet): RequestFinalizeBlock {
  const { height, time, nextValidatorsHash, proposerAddress } = block.header;
  return {
    txs: block.data.txs,
    decidedLastCommit: commitInfo(block.lastCommit ?? emptyCommit(), lastValidators),
    misbehavior: [],
    hash: blockId.hash,
    height,
    time,
    nextValidatorsHash,
    proposerAddress,
  };
}

/** Who voted for the previous block; empty for the first one. */
function commitInfo({ round, signatures }: Commit, validators: ValidatorSet): CommitInfo {
  return {
    round,
    votes: signatures.map(({ blockIdFlag }, index) => ({ validator: abciValidator(validators, index), blockIdFlag })),
  };
}

/** @param extension of the one vote that a commit of this engine has */
function extendedCommitInfo(
  commit: Commit,
  validators: ValidatorSet,
  extension: VoteExtension = noExtension,
): ExtendedCommitInfo {
  const { round, votes } = commitInfo(commit, validators);
  const { voteExtension, extensionSignature } = extension;
  const said = (flag: BlockIDFlag): VoteExtension =>
    flag === BlockIDFlag.BLOCK_ID_FLAG_COMMIT ? { voteExtension, extensionSignature } : noExtension;
  return { round, votes: votes.map((vote) => ({ ...vote, ...said(vote.blockIdFlag) })) };
}

function abciValidator(validators: ValidatorSet, index: number): { address: Uint8Array; power: bigint } {
  const validator = validators.validators[index];
  if (validator === undefined) throw new Error("a commit has more signatures than its height's validators");
  return { address: validator.address, power: validator.votingPower };
}
