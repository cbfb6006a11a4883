/** Blocks, commits and validators as CosmJS reads them from the RPC, in the form of CometBFT's protobuf. */
import type { BlockIdFlag, comet38, ReadonlyDateWithNanoseconds, ValidatorPubkey } from '@cosmjs/tendermint-rpc';
import { emptyBlockId } from '@mu/lib/comet-header';
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import type { PublicKey } from 'cosmjs-types/tendermint/crypto/keys';
import type { BlockID, Commit, CommitSig, Header } from 'cosmjs-types/tendermint/types/types';
import type { BlockIDFlag, Validator } from 'cosmjs-types/tendermint/types/validator';

const nothing = new Uint8Array();
/** Go's zero time: what a signature without a time has. */
const zeroTime: Timestamp = { seconds: -62_135_596_800n, nanos: 0 };

export function headerFromRpc(header: comet38.Header): Header {
  const { block, app } = header.version;
  return {
    version: { block: BigInt(block), app: BigInt(app) },
    chainId: header.chainId,
    height: BigInt(header.height),
    time: timeFromRpc(header.time),
    lastBlockId: header.lastBlockId === null ? emptyBlockId() : blockIdFromRpc(header.lastBlockId),
    lastCommitHash: header.lastCommitHash,
    dataHash: header.dataHash,
    validatorsHash: header.validatorsHash,
    nextValidatorsHash: header.nextValidatorsHash,
    consensusHash: header.consensusHash,
    appHash: header.appHash,
    lastResultsHash: header.lastResultsHash,
    evidenceHash: header.evidenceHash,
    proposerAddress: header.proposerAddress,
  };
}

export function commitFromRpc({ height, round, blockId, signatures }: comet38.Commit): Commit {
  return {
    height: BigInt(height),
    round,
    blockId: blockIdFromRpc(blockId),
    signatures: signatures.map(
      ({ blockIdFlag, validatorAddress, timestamp, signature }): CommitSig => ({
        blockIdFlag: flagFromRpc(blockIdFlag),
        validatorAddress: validatorAddress ?? nothing,
        timestamp: timestamp === undefined ? zeroTime : timeFromRpc(timestamp),
        signature: signature ?? nothing,
      }),
    ),
  };
}

/** Priorities are left out: no header covers them and nothing here uses them. @throws Error without a key */
export function validatorFromRpc({ address, pubkey, votingPower }: comet38.Validator): Validator {
  if (pubkey === undefined) throw new Error('a validator has no key');
  return { address, pubKey: keyFromRpc(pubkey), votingPower, proposerPriority: 0n };
}

function keyFromRpc({ algorithm, data }: ValidatorPubkey): PublicKey {
  return algorithm === 'ed25519' ? { ed25519: data } : { secp256k1: data };
}

function blockIdFromRpc({ hash, parts }: comet38.BlockId): BlockID {
  return { hash, partSetHeader: { total: parts.total, hash: parts.hash } };
}

/** The numbers are the same. */
function flagFromRpc(flag: BlockIdFlag): BlockIDFlag {
  return flag as number as BlockIDFlag;
}

/** CosmJS holds whole milliseconds and, beside them, the nanoseconds within one. */
function timeFromRpc(time: ReadonlyDateWithNanoseconds): Timestamp {
  const ms = time.getTime();
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 + (time.nanoseconds ?? 0) };
}
