/** What the engine must know to make the next block, as CometBFT 0.38 keeps it (state/state.go). */

import { fromBase64, toBase64 } from '@mu/lib/bytes';
import { emptyBlockId } from '@mu/lib/comet-header';
import { merkleRoot } from '@mu/lib/merkle';
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import type { ResponseFinalizeBlock, ResponseInitChain, ValidatorUpdate } from 'cosmjs-types/tendermint/abci/types';
import { ConsensusParams as ConsensusParamsProto } from 'cosmjs-types/tendermint/types/params';
import { BlockID, type Header } from 'cosmjs-types/tendermint/types/types';
import { resultsHash } from './block.ts';
import { type ConsensusParams, updateConsensusParams } from './consensus-params.ts';
import type { GenesisDoc } from './genesis.ts';
import { formatTime, parseTime } from './time.ts';
import { ValidatorSet } from './validator-set.ts';

export interface State {
  chainId: string;
  initialHeight: bigint;
  /** The application's protocol version, for headers. */
  appVersion: bigint;
  /** 0 before the first block. */
  lastBlockHeight: bigint;
  lastBlockId: BlockID;
  /** Genesis time before the first block. */
  lastBlockTime: Timestamp;
  /** Of the last block; empty before the first one. */
  lastValidators: ValidatorSet;
  /** Of the next block. */
  validators: ValidatorSet;
  /** Of the block after the next. */
  nextValidators: ValidatorSet;
  /** Of the next block. */
  consensusParams: ConsensusParams;
  lastResultsHash: Uint8Array;
  appHash: Uint8Array;
}

/** The state before anything happened. */
export function genesisState(doc: GenesisDoc): State {
  return {
    chainId: doc.chainId,
    initialHeight: doc.initialHeight,
    appVersion: doc.consensusParams.version.app,
    lastBlockHeight: 0n,
    lastBlockId: emptyBlockId(),
    lastBlockTime: doc.genesisTime,
    lastValidators: new ValidatorSet([]),
    ...firstValidators(doc.validators.map(({ pubKey, power }) => ({ pubKey, power }))),
    consensusParams: doc.consensusParams,
    lastResultsHash: new Uint8Array(),
    appHash: doc.appHash,
  };
}

function firstValidators(updates: readonly ValidatorUpdate[]): Pick<State, 'validators' | 'nextValidators'> {
  const validators = ValidatorSet.from(updates);
  return { validators, nextValidators: updates.length === 0 ? validators : validators.increment() };
}

/** The state after InitChain. @throws Error when nobody validates or the parameters are out of their limits */
export function stateAfterInitChain(state: State, response: ResponseInitChain): State {
  const validators = response.validators.length === 0 ? {} : firstValidators(response.validators);
  // Before the first block extensions may begin at any height.
  const consensusParams = updateConsensusParams(state.consensusParams, response.consensusParams, 0n);
  const next: State = {
    ...state,
    ...validators,
    consensusParams,
    appVersion: response.consensusParams === undefined ? state.appVersion : consensusParams.version.app,
    // Of no results, as RFC 6962 has it.
    lastResultsHash: merkleRoot([]),
    appHash: response.appHash.length > 0 ? response.appHash : state.appHash,
  };
  if (next.validators.validators.length === 0) {
    throw new Error('validator set is nil in genesis and still empty after InitChain');
  }
  return next;
}

/** The state after a block. @throws Error when the application changed validators or parameters in a forbidden way */
export function stateAfterBlock(
  state: State,
  blockId: BlockID,
  header: Header,
  response: ResponseFinalizeBlock,
): State {
  const consensusParams = updateConsensusParams(state.consensusParams, response.consensusParamUpdates, header.height);
  checkKeyTypes(response.validatorUpdates, state.consensusParams);
  return {
    ...state,
    appVersion: response.consensusParamUpdates === undefined ? state.appVersion : consensusParams.version.app,
    lastBlockHeight: header.height,
    lastBlockId: blockId,
    lastBlockTime: header.time,
    lastValidators: state.validators,
    validators: state.nextValidators,
    nextValidators: state.nextValidators.update(response.validatorUpdates).increment(),
    consensusParams,
    lastResultsHash: resultsHash(response.txResults),
    appHash: response.appHash,
  };
}

function checkKeyTypes(updates: readonly ValidatorUpdate[], params: ConsensusParams): void {
  for (const { pubKey, power } of updates) {
    if (power === 0n) continue;
    const type = pubKey.ed25519 === undefined ? 'secp256k1' : 'ed25519';
    if (!params.validator.pubKeyTypes.includes(type)) {
      throw new Error(`a validator is using pubkey ${type}, which is unsupported for consensus`);
    }
  }
}

/** Bytes to store. */
export function encodeState(state: State): Uint8Array {
  const json = {
    chainId: state.chainId,
    initialHeight: state.initialHeight.toString(),
    appVersion: state.appVersion.toString(),
    lastBlockHeight: state.lastBlockHeight.toString(),
    lastBlockId: toBase64(BlockID.encode(state.lastBlockId).finish()),
    lastBlockTime: formatTime(state.lastBlockTime),
    lastValidators: toBase64(state.lastValidators.encode()),
    validators: toBase64(state.validators.encode()),
    nextValidators: toBase64(state.nextValidators.encode()),
    consensusParams: toBase64(ConsensusParamsProto.encode(state.consensusParams).finish()),
    lastResultsHash: toBase64(state.lastResultsHash),
    appHash: toBase64(state.appHash),
  };
  return Buffer.from(JSON.stringify(json));
}

/** The state of stored bytes. */
export function decodeState(bytes: Uint8Array): State {
  const json = JSON.parse(Buffer.from(bytes).toString()) as Record<string, string>;
  const field = (name: string): Uint8Array => fromBase64(json[name]!);
  return {
    chainId: json['chainId']!,
    initialHeight: BigInt(json['initialHeight']!),
    appVersion: BigInt(json['appVersion']!),
    lastBlockHeight: BigInt(json['lastBlockHeight']!),
    lastBlockId: BlockID.decode(field('lastBlockId')),
    lastBlockTime: parseTime(json['lastBlockTime']!)!,
    lastValidators: ValidatorSet.decode(field('lastValidators')),
    validators: ValidatorSet.decode(field('validators')),
    nextValidators: ValidatorSet.decode(field('nextValidators')),
    consensusParams: decodeConsensusParams(field('consensusParams')),
    lastResultsHash: field('lastResultsHash'),
    appHash: field('appHash'),
  };
}

/** Parameters of bytes that contain all of them. */
export function decodeConsensusParams(bytes: Uint8Array): ConsensusParams {
  const { block, evidence, validator, version, abci } = ConsensusParamsProto.decode(bytes);
  if (!block || !evidence || !validator || !version || !abci)
    throw new Error('stored consensus parameters are incomplete');
  return { block, evidence, validator, version, abci };
}
