/**
 * Blocks and the hashes in them, byte for byte CometBFT 0.38's (types/block.go, types/canonical.go,
 * types/part_set.go): what a light client recomputes.
 */

import { concatBytes } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { merkleProofs, merkleRoot } from '@mu/lib/merkle';
import { encodeVarint } from '@mu/lib/varint';
import { BinaryWriter } from 'cosmjs-types/binary';
import { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import { Block } from 'cosmjs-types/tendermint/types/block';
import { Evidence } from 'cosmjs-types/tendermint/types/evidence';
import {
  BlockID,
  type Commit,
  CommitSig,
  type Data,
  type Header,
  type PartSetHeader,
  SignedMsgType,
} from 'cosmjs-types/tendermint/types/types';
import { BlockIDFlag } from 'cosmjs-types/tendermint/types/validator';
import { Consensus } from 'cosmjs-types/tendermint/version/types';

/** CometBFT 0.38's block protocol; part of every header. */
export const blockProtocol = 11n;
/** CometBFT 0.38's peer-to-peer protocol, told to the application in Info. */
export const p2pProtocol = 8n;
/** Clients choose their decoder by this. */
export const cometVersion = '0.38.26';

const partBytes = 65_536;
/** The greatest block CometBFT knows (types.MaxBlockSizeBytes), in bytes. */
export const maxBlockBytes = 104_857_600n;
const maxHeaderBytes = 626n;
const maxOverheadForBlock = 11n;
const maxCommitOverheadBytes = 94n;
// 3,309 bytes is the longest signature this version of CometBFT knows; the rest are the other fields and framing.
const maxCommitSigBytes = 3309n + 20n + 1n + 14n + 11n + 3n;

const nothing = new Uint8Array();

/** The block id of nothing: what the first header refers to. */
export function emptyBlockId(): BlockID {
  return { hash: nothing, partSetHeader: { total: 0, hash: nothing } };
}

/** The commit of nothing: what the first block carries. */
export function emptyCommit(): Commit {
  return { height: 0n, round: 0, blockId: emptyBlockId(), signatures: [] };
}

/** Bytes that transactions may take in a block of maxBytes without evidence (types.MaxDataBytes). */
export function maxDataBytes(maxBytes: bigint, validators: number): bigint {
  const commit = maxCommitOverheadBytes + maxCommitSigBytes * BigInt(validators);
  return maxBytes - maxOverheadForBlock - maxHeaderBytes - commit;
}

/** Bytes that a transaction takes in the block's data: itself, a tag and its length. */
export function txSizeInBlock(tx: Uint8Array): number {
  return 1 + encodeVarint(tx.length).length + tx.length;
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

/** Hash over a commit's signatures, for the next header. */
export function commitHash(commit: Commit): Uint8Array {
  return merkleRoot(commit.signatures.map((signature) => CommitSig.encode(signature).finish()));
}

/** SHA-256 of a transaction's bytes: its name everywhere. */
export function txHash(tx: Uint8Array): Uint8Array {
  return sha256(tx);
}

/** Root over the hashes of the transactions. */
export function dataHash(data: Data): Uint8Array {
  return merkleRoot(data.txs.map(txHash));
}

/** Root over the evidence of a block. */
export function evidenceHash(evidence: readonly Evidence[]): Uint8Array {
  return merkleRoot(evidence.map((item) => Evidence.encode(item).finish()));
}

/** Proof that the transaction at the index belongs to the block's data. */
export function txProof(txs: readonly Uint8Array[], index: number) {
  const { root, proofs } = merkleProofs(txs.map(txHash));
  return { rootHash: root, proof: proofs[index]! };
}

/** Root over code, data and gas of the results: what consensus covers of them. */
export function resultsHash(results: readonly ExecTxResult[]): Uint8Array {
  return merkleRoot(results.map(deterministicResult));
}

function deterministicResult(result: ExecTxResult): Uint8Array {
  const writer = new BinaryWriter();
  if (result.code !== 0) writer.uint32(8).uint32(result.code);
  if (result.data.length > 0) writer.uint32(18).bytes(result.data);
  if (result.gasWanted !== 0n) writer.uint32(40).int64(result.gasWanted);
  if (result.gasUsed !== 0n) writer.uint32(48).int64(result.gasUsed);
  return writer.finish();
}

/** Number of 64 KiB parts of a block's bytes, and the root over them. */
export function partSetHeader(bytes: Uint8Array): PartSetHeader {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += partBytes) parts.push(bytes.subarray(at, at + partBytes));
  return { total: parts.length, hash: merkleRoot(parts) };
}

/** Identity of a block: the hash of its header and of its parts. Gives the bytes too, since they cost to make. */
export function blockIdOf(block: Block): { blockId: BlockID; bytes: Uint8Array } {
  const bytes = Block.encode(block).finish();
  return { blockId: { hash: headerHash(block.header), partSetHeader: partSetHeader(bytes) }, bytes };
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

/** A commit signature of a validator that did not vote. */
export function absentSignature(timestamp: Timestamp): CommitSig {
  return {
    blockIdFlag: BlockIDFlag.BLOCK_ID_FLAG_ABSENT,
    validatorAddress: nothing,
    timestamp,
    signature: nothing,
  };
}
