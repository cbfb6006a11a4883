/**
 * What the validators of a CometBFT 0.38 chain sign, byte for byte (types/block.go, types/canonical.go): the hash of a
 * header and the bytes of a vote. A node makes them, a light client makes them again.
 */
import { BinaryWriter } from 'cosmjs-types/binary';
import { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import { BlockID, type Header, SignedMsgType } from 'cosmjs-types/tendermint/types/types';
import { Consensus } from 'cosmjs-types/tendermint/version/types';
import { concatBytes } from './bytes.ts';
import { merkleRoot } from './merkle.ts';
import { encodeVarint } from './varint.ts';

/** CometBFT 0.38's block protocol; part of every header. */
export const blockProtocol = 11n;

const nothing = new Uint8Array();

/** The block id of nothing: what the first header refers to, and what a vote for no block is about. */
export function emptyBlockId(): BlockID {
  return { hash: nothing, partSetHeader: { total: 0, hash: nothing } };
}

/** A field of a header as one leaf: the protobuf wrapper type with the value in field 1, nothing when it is empty. */
function bytesLeaf(value: Uint8Array): Uint8Array {
  return value.length === 0 ? nothing : new BinaryWriter().uint32(10).bytes(value).finish();
}

function textLeaf(value: string): Uint8Array {
  return value === '' ? nothing : new BinaryWriter().uint32(10).string(value).finish();
}

function intLeaf(value: bigint): Uint8Array {
  return value === 0n ? nothing : new BinaryWriter().uint32(8).int64(value).finish();
}

/** Hash of a header; the block's hash. 32 bytes. */
export function headerHash(header: Header): Uint8Array {
  return merkleRoot([
    Consensus.encode(header.version).finish(),
    textLeaf(header.chainId),
    intLeaf(header.height),
    Timestamp.encode(header.time).finish(),
    BlockID.encode(header.lastBlockId).finish(),
    bytesLeaf(header.lastCommitHash),
    bytesLeaf(header.dataHash),
    bytesLeaf(header.validatorsHash),
    bytesLeaf(header.nextValidatorsHash),
    bytesLeaf(header.consensusHash),
    bytesLeaf(header.appHash),
    bytesLeaf(header.lastResultsHash),
    bytesLeaf(header.evidenceHash),
    bytesLeaf(header.proposerAddress),
  ]);
}

/** What a precommit is about. */
export interface Precommit {
  height: bigint;
  round: number;
  blockId: BlockID;
  timestamp: Timestamp;
}

/** The bytes a validator signs for a precommit: the canonical vote, after its length. */
export function precommitSignBytes(chainId: string, vote: Precommit): Uint8Array {
  const writer = new BinaryWriter();
  writer.uint32(8).int32(SignedMsgType.SIGNED_MSG_TYPE_PRECOMMIT);
  if (vote.height !== 0n) writer.uint32(17).sfixed64(vote.height);
  if (vote.round !== 0) writer.uint32(25).sfixed64(BigInt(vote.round));
  // The canonical block id has the fields of the plain one, in the same places.
  BlockID.encode(vote.blockId, writer.uint32(34).fork()).ldelim();
  Timestamp.encode(vote.timestamp, writer.uint32(42).fork()).ldelim();
  if (chainId !== '') writer.uint32(50).string(chainId);
  const canonical = writer.finish();
  return concatBytes(encodeVarint(canonical.length), canonical);
}
