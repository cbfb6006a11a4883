/** Vote extensions as CometBFT 0.38 makes them (types/vote.go), where the consensus parameters enable them. */
import { concatBytes } from '@mu/lib/bytes';
import { encodeVarint } from '@mu/lib/varint';
import { BinaryWriter } from 'cosmjs-types/binary';
import type { ConsensusParams } from './consensus-params.ts';

/** What a validator adds to its precommit. */
export interface VoteExtension {
  readonly voteExtension: Uint8Array;
  readonly extensionSignature: Uint8Array;
}

export const noExtension: VoteExtension = {
  voteExtension: new Uint8Array(),
  extensionSignature: new Uint8Array(),
};

/** Whether precommits of a height carry extensions (ABCIParams.VoteExtensionsEnabled). */
export function extensionsEnabled({ abci }: ConsensusParams, height: bigint): boolean {
  return abci.voteExtensionsEnableHeight > 0n && height >= abci.voteExtensionsEnableHeight;
}

/** The bytes a validator signs for its extension: the canonical form of round 0, after its length. */
export function extensionSignBytes(chainId: string, height: bigint, extension: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  if (extension.length > 0) writer.uint32(10).bytes(extension);
  if (height !== 0n) writer.uint32(17).sfixed64(height);
  if (chainId !== '') writer.uint32(34).string(chainId);
  const canonical = writer.finish();
  return concatBytes(encodeVarint(canonical.length), canonical);
}
