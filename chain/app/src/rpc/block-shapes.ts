/** Blocks, headers, commits and validators in CometBFT's JSON. */
import { toBase64 } from '@mu/lib/bytes';
import { emptyBlockId } from '@mu/lib/comet-header';
import type { Block } from 'cosmjs-types/tendermint/types/block';
import type { BlockID, BlockMeta, Commit, Header } from 'cosmjs-types/tendermint/types/types';
import type { Validator } from 'cosmjs-types/tendermint/types/validator';
import { publicKeyToAmino } from '../engine/keys.ts';
import { formatTime } from '../engine/time.ts';
import { base64OrNull, hex, omitEmpty } from './go-json.ts';

export function blockIdJson({ hash, partSetHeader }: BlockID): object {
  return { hash: hex(hash), parts: { total: partSetHeader.total, hash: hex(partSetHeader.hash) } };
}

export function headerJson(header: Header): object {
  return {
    version: omitEmpty({ block: header.version.block.toString(), app: header.version.app.toString() }),
    chain_id: header.chainId,
    height: header.height.toString(),
    time: formatTime(header.time),
    last_block_id: blockIdJson(header.lastBlockId),
    last_commit_hash: hex(header.lastCommitHash),
    data_hash: hex(header.dataHash),
    validators_hash: hex(header.validatorsHash),
    next_validators_hash: hex(header.nextValidatorsHash),
    consensus_hash: hex(header.consensusHash),
    app_hash: hex(header.appHash),
    last_results_hash: hex(header.lastResultsHash),
    evidence_hash: hex(header.evidenceHash),
    proposer_address: hex(header.proposerAddress),
  };
}

export function commitJson({ height, round, blockId, signatures }: Commit): object {
  return {
    height: height.toString(),
    round,
    block_id: blockIdJson(blockId),
    signatures: signatures.map((signature) => ({
      block_id_flag: signature.blockIdFlag,
      validator_address: hex(signature.validatorAddress),
      timestamp: formatTime(signature.timestamp),
      signature: base64OrNull(signature.signature),
    })),
  };
}

/** The engine makes blocks without evidence. */
export function blockJson({ header, data, lastCommit }: Block): object {
  return {
    header: headerJson(header),
    data: { txs: data.txs.map(toBase64) },
    evidence: { evidence: [] },
    last_commit: lastCommit === undefined ? null : commitJson(lastCommit),
  };
}

/** `block` and items of `block_search`; without a block, the empty answer. */
export function blockResultJson(blockId: BlockID | undefined, block: Block | undefined): object {
  return {
    block_id: blockIdJson(blockId ?? emptyBlockId()),
    block: block === undefined ? null : blockJson(block),
  };
}

/** `header` and `header_by_hash`. */
export function headerResultJson(header: Header | undefined): object {
  return { header: header === undefined ? null : headerJson(header) };
}

/** `commit`. Canonical is a commit that a later block contains. */
export function commitResultJson(header: Header, commit: Commit, canonical: boolean): object {
  return { signed_header: { header: headerJson(header), commit: commitJson(commit) }, canonical };
}

export function blockMetaJson({ blockId, blockSize, header, numTxs }: BlockMeta): object {
  return {
    block_id: blockIdJson(blockId),
    block_size: blockSize.toString(),
    header: headerJson(header),
    num_txs: numTxs.toString(),
  };
}

export function validatorJson({ address, pubKey, votingPower, proposerPriority }: Validator): object {
  return {
    address: hex(address),
    pub_key: publicKeyToAmino(pubKey),
    voting_power: votingPower.toString(),
    proposer_priority: proposerPriority.toString(),
  };
}
