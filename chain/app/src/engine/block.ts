/**
 * Blocks and the hashes in them, byte for byte CometBFT 0.38's (types/block.go, types/part_set.go). The header's hash and
 * the bytes of a vote are in lib: a light client recomputes them.
 */

import { emptyBlockId, headerHash } from '@mu/lib/comet-header';
import { sha256 } from '@mu/lib/hashes';
import { merkleProofs, merkleRoot } from '@mu/lib/merkle';
import { encodeVarint } from '@mu/lib/varint';
import { BinaryWriter } from 'cosmjs-types/binary';
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import { Block } from 'cosmjs-types/tendermint/types/block';
import { Evidence } from 'cosmjs-types/tendermint/types/evidence';
import {
  type BlockID,
  type Commit,
  CommitSig,
  type Data,
  type PartSetHeader,
} from 'cosmjs-types/tendermint/types/types';
import { BlockIDFlag } from 'cosmjs-types/tendermint/types/validator';

/** CometBFT 0.38's peer-to-peer protocol, told to the application in Info. */
export const p2pProtocol = 8n;
/** Clients choose their decoder by this. */
export const cometVersion = '0.38.26';

const partBytes = 65_536;
const maxHeaderBytes = 626n;
const maxOverheadForBlock = 11n;
const maxCommitOverheadBytes = 94n;
// 3,309 bytes is the longest signature this version of CometBFT knows; the rest are the other fields and framing.
const maxCommitSigBytes = 3309n + 20n + 1n + 14n + 11n + 3n;

const nothing = new Uint8Array();

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

/** A commit signature of a validator that did not vote. */
export function absentSignature(timestamp: Timestamp): CommitSig {
  return {
    blockIdFlag: BlockIDFlag.BLOCK_ID_FLAG_ABSENT,
    validatorAddress: nothing,
    timestamp,
    signature: nothing,
  };
}
