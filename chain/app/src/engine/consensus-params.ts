/** Consensus parameters as CometBFT 0.38 keeps, checks, changes and hashes them (types/params.go). */
import { sha256 } from '@mu/lib/hashes';
import {
  type ABCIParams,
  type BlockParams,
  type ConsensusParams as ConsensusParamsUpdate,
  type EvidenceParams,
  HashedParams,
  type ValidatorParams,
  type VersionParams,
} from 'cosmjs-types/tendermint/types/params';
import { maxBlockBytes } from './block.ts';

/** All parameters; an update from the application leaves out what stays. */
export interface ConsensusParams {
  block: BlockParams;
  evidence: EvidenceParams;
  validator: ValidatorParams;
  version: VersionParams;
  abci: ABCIParams;
}

const knownKeyTypes = ['ed25519', 'secp256k1'];

/** CometBFT's own defaults. */
export function defaultConsensusParams(): ConsensusParams {
  return {
    block: { maxBytes: 22_020_096n, maxGas: -1n },
    evidence: { maxAgeNumBlocks: 100_000n, maxAgeDuration: { seconds: 172_800n, nanos: 0 }, maxBytes: 1_048_576n },
    validator: { pubKeyTypes: ['ed25519'] },
    version: { app: 0n },
    abci: { voteExtensionsEnableHeight: 0n },
  };
}

/** SHA-256 over the two parameters that headers commit to: block bytes and block gas. */
export function consensusHash(params: ConsensusParams): Uint8Array {
  const { maxBytes, maxGas } = params.block;
  return sha256(HashedParams.encode({ blockMaxBytes: maxBytes, blockMaxGas: maxGas }).finish());
}

/** The parameters after an application's update. Nothing is checked here. */
export function updateConsensusParams(
  params: ConsensusParams,
  update: ConsensusParamsUpdate | undefined,
): ConsensusParams {
  if (update === undefined) return params;
  return {
    block: update.block ?? params.block,
    evidence: update.evidence ?? params.evidence,
    validator: update.validator ?? params.validator,
    version: update.version ?? params.version,
    abci: update.abci ?? params.abci,
  };
}

/** Limit of a block in bytes; -1 stands for the greatest CometBFT knows. */
export function blockBytesLimit(params: ConsensusParams): bigint {
  return params.block.maxBytes === -1n ? maxBlockBytes : params.block.maxBytes;
}

/** @throws Error with CometBFT's text when a value is outside of its limits */
export function checkConsensusParams(params: ConsensusParams): void {
  const problem = problemOf(params);
  if (problem !== undefined) throw new Error(problem);
}

function problemOf({ block, evidence, validator, abci }: ConsensusParams): string | undefined {
  if (block.maxBytes === 0n) return 'block.MaxBytes cannot be 0';
  if (block.maxBytes < -1n) return `block.MaxBytes must be -1 or greater than 0. Got ${block.maxBytes}`;
  if (block.maxBytes > maxBlockBytes) return `block.MaxBytes is too big. ${block.maxBytes} > ${maxBlockBytes}`;
  if (block.maxGas < -1n) return `block.MaxGas must be greater or equal to -1. Got ${block.maxGas}`;
  if (evidence.maxAgeNumBlocks <= 0n) {
    return `evidence.MaxAgeNumBlocks must be greater than 0. Got ${evidence.maxAgeNumBlocks}`;
  }
  const { seconds, nanos } = evidence.maxAgeDuration;
  if (seconds * 1_000_000_000n + BigInt(nanos) <= 0n) return 'evidence.MaxAgeDuration must be greater than 0';
  const limit = block.maxBytes === -1n ? maxBlockBytes : block.maxBytes;
  if (evidence.maxBytes > limit) {
    return `evidence.MaxBytesEvidence is greater than upper bound, ${evidence.maxBytes} > ${block.maxBytes}`;
  }
  if (evidence.maxBytes < 0n) return `evidence.MaxBytes must be non negative. Got: ${evidence.maxBytes}`;
  if (validator.pubKeyTypes.length === 0) return 'len(Validator.PubKeyTypes) must be greater than 0';
  const unknown = validator.pubKeyTypes.find((type) => !knownKeyTypes.includes(type));
  if (unknown !== undefined) return `params.Validator.PubKeyTypes: ${unknown} is an unknown pubkey type`;
  if (abci.voteExtensionsEnableHeight !== 0n) {
    return 'ABCI.VoteExtensionsEnableHeight must be 0: the embedded engine makes no vote extensions';
  }
  return undefined;
}
