/** Consensus parameters as CometBFT 0.38 keeps, changes and hashes them (types/params.go). */
import {
  blockBytes,
  cometProblem,
  defaultConsensusParams,
  extensionsProblem,
  type FullConsensusParams,
  mergeConsensusParams,
} from '@mu/framework/consensus-params';
import { sha256 } from '@mu/lib/hashes';
import { type ConsensusParams as ConsensusParamsUpdate, HashedParams } from 'cosmjs-types/tendermint/types/params';

export { blockBytes as blockBytesLimit, defaultConsensusParams };

/** All parameters; an update from the application leaves out what stays. */
export type ConsensusParams = FullConsensusParams;

/** SHA-256 over the two parameters that headers commit to: block bytes and block gas. */
export function consensusHash(params: ConsensusParams): Uint8Array {
  const { maxBytes, maxGas } = params.block;
  return sha256(HashedParams.encode({ blockMaxBytes: maxBytes, blockMaxGas: maxGas }).finish());
}

/**
 * The parameters after an application's update in a block of this height.
 * @throws Error with CometBFT's text when a value is outside of its limits, or the change is not allowed
 */
export function updateConsensusParams(
  params: ConsensusParams,
  update: ConsensusParamsUpdate | undefined,
  height: bigint,
): ConsensusParams {
  if (update === undefined) return params;
  const next = mergeConsensusParams(params, update);
  checkConsensusParams(next);
  const problem = extensionsProblem(params.abci, update.abci, height);
  if (problem !== undefined) throw new Error(problem);
  return next;
}

/** @throws Error with CometBFT's text when a value is outside of its limits */
export function checkConsensusParams(params: ConsensusParams): void {
  const problem = cometProblem(params);
  if (problem !== undefined) throw new Error(problem);
}
