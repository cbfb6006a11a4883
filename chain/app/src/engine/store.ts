/**
 * Blocks, their results, the engine's state and the transaction index in one LMDB environment. Every method that saves
 * is one transaction that is on the disk when it returns.
 */
import { readU64be, u64be } from '@mu/lib/bytes';
import { ExtendedVoteInfo, ResponseFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import { Block } from 'cosmjs-types/tendermint/types/block';
import { ConsensusParams as ConsensusParamsProto } from 'cosmjs-types/tendermint/types/params';
import { BlockMeta, Commit } from 'cosmjs-types/tendermint/types/types';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { ConsensusParams } from './consensus-params.ts';
import { decodeConsensusParams, decodeState, encodeState, type State } from './state.ts';
import { type IndexedBlock, TxIndex } from './tx-index.ts';
import { ValidatorSet } from './validator-set.ts';
import type { VoteExtension } from './vote-extension.ts';

type BinaryDatabase = Database<Buffer, Buffer>;

const format = '1';
const stateKey = Buffer.from('state');
const formatKey = Buffer.from('format');
const baseKey = Buffer.from('base');
/** Heights forgotten per block at most, so that a late pruning does not hold up the chain. */
const maxPrunedHeights = 1000n;

export class EngineStore {
  readonly txs: TxIndex;
  readonly #environment: RootDatabase;
  readonly #meta: BinaryDatabase;
  readonly #blocks: BinaryDatabase;
  readonly #metas: BinaryDatabase;
  readonly #heights: BinaryDatabase;
  readonly #commits: BinaryDatabase;
  readonly #responses: BinaryDatabase;
  readonly #extensions: BinaryDatabase;
  readonly #validators: BinaryDatabase;
  readonly #params: BinaryDatabase;
  #height: bigint;
  #base: bigint;

  /** @param path the folder, created where it is missing @throws Error when the folder is of another format */
  constructor(path: string) {
    // Without overlapping sync a synchronous transaction is on the disk when it returns.
    this.#environment = open({ path, maxDbs: 16, overlappingSync: false, noSubdir: false, encoding: 'binary' });
    this.#meta = this.#open('meta');
    this.#checkFormat(path);
    this.#blocks = this.#open('blocks');
    this.#metas = this.#open('block_metas');
    this.#heights = this.#open('height_by_hash');
    this.#commits = this.#open('commits');
    this.#responses = this.#open('responses');
    this.#extensions = this.#open('vote_extensions');
    this.#validators = this.#open('validators');
    this.#params = this.#open('consensus_params');
    this.txs = new TxIndex({
      results: this.#open('tx_results'),
      hashes: this.#open('tx_hashes'),
      txEvents: this.#open('tx_events'),
      blockEvents: this.#open('block_events'),
    });
    this.#height = this.#lastHeight();
    const base = this.#meta.get(baseKey);
    this.#base = base === undefined ? 0n : readU64be(base);
  }

  /** Height of the last block stored; 0 when there is none. It may be one above the state's after a crash. */
  get height(): bigint {
    return this.#height;
  }

  /** Height of the first block still stored; 0 when there is none. */
  get base(): bigint {
    return this.#base;
  }

  saveBlock(block: Block, meta: BlockMeta, bytes: Uint8Array): void {
    const key = heightKey(block.header.height);
    this.#environment.transactionSync(() => {
      this.#blocks.putSync(key, buffer(bytes));
      this.#metas.putSync(key, buffer(BlockMeta.encode(meta).finish()));
      this.#heights.putSync(buffer(meta.blockId.hash), key);
      if (this.#base === 0n) this.#meta.putSync(baseKey, key);
    });
    if (this.#base === 0n) this.#base = block.header.height;
    this.#height = block.header.height;
  }

  /** Results of a block, the commit that makes it final, and what the vote for it said beside, where it said something. */
  saveResponse(height: bigint, response: Uint8Array, commit: Commit, extension: VoteExtension | undefined): void {
    const key = heightKey(height);
    this.#environment.transactionSync(() => {
      this.#responses.putSync(key, buffer(response));
      this.#commits.putSync(key, buffer(Commit.encode(commit).finish()));
      if (extension === undefined) return;
      const record = ExtendedVoteInfo.fromPartial({ ...extension });
      this.#extensions.putSync(key, buffer(ExtendedVoteInfo.encode(record).finish()));
    });
  }

  /** The state after InitChain, with the validators of the first two heights. */
  saveGenesisState(state: State): void {
    this.#environment.transactionSync(() => {
      this.#putState(state);
      this.#putValidators(state.initialHeight, state.validators);
      this.#putValidators(state.initialHeight + 1n, state.nextValidators);
      this.#putParams(state.initialHeight, state.consensusParams);
    });
  }

  /** Puts an earlier state in place of the one after the last block, which stays stored and is executed again. */
  goBackTo(state: State): void {
    this.#environment.transactionSync(() => this.#putState(state));
  }

  /** The state after a block, the block's place in the index, and what the application no longer needs forgotten. */
  saveState(state: State, block: IndexedBlock, retainHeight: bigint): void {
    const next = state.lastBlockHeight + 1n;
    let base = this.#base;
    this.#environment.transactionSync(() => {
      this.#putState(state);
      this.#putValidators(next + 1n, state.nextValidators);
      this.#putParams(next, state.consensusParams);
      this.txs.add(block);
      base = this.#prune(retainHeight, state.lastBlockHeight);
    });
    this.#base = base;
  }

  state(): State | undefined {
    const bytes = this.#meta.get(stateKey);
    return bytes === undefined ? undefined : decodeState(bytes);
  }

  block(height: bigint): Block | undefined {
    const bytes = this.#blocks.get(heightKey(height));
    return bytes === undefined ? undefined : Block.decode(bytes);
  }

  meta(height: bigint): BlockMeta | undefined {
    const bytes = this.#metas.get(heightKey(height));
    return bytes === undefined ? undefined : BlockMeta.decode(bytes);
  }

  heightOf(hash: Uint8Array): bigint | undefined {
    // LMDB refuses keys that are empty or longer than its pages allow; no block has such a hash.
    if (hash.length !== 32) return undefined;
    const key = this.#heights.get(buffer(hash));
    return key === undefined ? undefined : readU64be(key);
  }

  commit(height: bigint): Commit | undefined {
    const bytes = this.#commits.get(heightKey(height));
    return bytes === undefined ? undefined : Commit.decode(bytes);
  }

  extension(height: bigint): VoteExtension | undefined {
    const bytes = this.#extensions.get(heightKey(height));
    return bytes === undefined ? undefined : ExtendedVoteInfo.decode(bytes);
  }

  response(height: bigint): ResponseFinalizeBlock | undefined {
    const bytes = this.#responses.get(heightKey(height));
    return bytes === undefined ? undefined : ResponseFinalizeBlock.decode(bytes);
  }

  validators(height: bigint): ValidatorSet | undefined {
    const bytes = resolved(this.#validators, height);
    return bytes === undefined ? undefined : ValidatorSet.decode(bytes);
  }

  consensusParams(height: bigint): ConsensusParams | undefined {
    const bytes = resolved(this.#params, height);
    return bytes === undefined ? undefined : decodeConsensusParams(bytes);
  }

  async close(): Promise<void> {
    await this.#environment.close();
  }

  #open(name: string): BinaryDatabase {
    return this.#environment.openDB({ name, encoding: 'binary', keyEncoding: 'binary' });
  }

  #checkFormat(path: string): void {
    const stored = this.#meta.get(formatKey)?.toString();
    if (stored === undefined) this.#meta.putSync(formatKey, Buffer.from(format));
    else if (stored !== format) {
      throw new Error(
        `${path} holds blocks of format ${stored} and this mud reads format ${format}: run the mud that wrote it`,
      );
    }
  }

  #lastHeight(): bigint {
    for (const key of this.#blocks.getKeys({ reverse: true, limit: 1 })) return readU64be(key);
    return 0n;
  }

  #putState(state: State): void {
    this.#meta.putSync(stateKey, buffer(encodeState(state)));
  }

  #putValidators(height: bigint, set: ValidatorSet): void {
    putUnlessSame(this.#validators, height, set.encode());
  }

  #putParams(height: bigint, params: ConsensusParams): void {
    putUnlessSame(this.#params, height, ConsensusParamsProto.encode(params).finish());
  }

  /** Removes blocks and results below the height, never the last block. Gives the new base. */
  #prune(retainHeight: bigint, last: bigint): bigint {
    const wanted = retainHeight < last ? retainHeight : last;
    const end = wanted < this.#base + maxPrunedHeights ? wanted : this.#base + maxPrunedHeights;
    if (this.#base === 0n || end <= this.#base) return this.#base;
    for (let height = this.#base; height < end; height++) {
      const key = heightKey(height);
      const meta = this.meta(height);
      if (meta !== undefined) this.#heights.removeSync(buffer(meta.blockId.hash));
      for (const db of [this.#blocks, this.#metas, this.#commits, this.#responses, this.#extensions])
        db.removeSync(key);
    }
    this.#meta.putSync(baseKey, heightKey(end));
    return end;
  }
}

const asBefore = 0;
const asWritten = 1;

/** What rarely changes is written once; later heights refer to the height that holds it. */
function putUnlessSame(db: BinaryDatabase, height: bigint, bytes: Uint8Array): void {
  const previous = db.get(heightKey(height - 1n));
  const origin = previous === undefined ? undefined : previous[0] === asBefore ? readU64be(previous, 1) : height - 1n;
  const known = origin === undefined ? undefined : db.get(heightKey(origin));
  const isSame = known?.subarray(1).equals(bytes);
  const record = isSame
    ? Buffer.concat([Buffer.from([asBefore]), u64be(origin!)])
    : Buffer.concat([Buffer.from([asWritten]), bytes]);
  db.putSync(heightKey(height), record);
}

function resolved(db: BinaryDatabase, height: bigint): Uint8Array | undefined {
  const record = db.get(heightKey(height));
  if (record === undefined) return undefined;
  const held = record[0] === asBefore ? db.get(heightKey(readU64be(record, 1))) : record;
  return held?.subarray(1);
}

function heightKey(height: bigint): Buffer {
  return buffer(u64be(height));
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
