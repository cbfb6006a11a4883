/**
 * Results in the JSON of CometBFT 0.38, field by field: 64-bit integers as texts, hashes in upper-case hex, other bytes in
 * base64, Go's nil slices as null. Where CometBFT uses its protobuf JSON instead of its own, everything is written out.
 */
import { toBase64, toHex } from '@mu/lib/bytes';
import { emptyBlockId } from '@mu/lib/comet-header';
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import type {
  Event,
  ExecTxResult,
  ResponseCheckTx,
  ResponseFinalizeBlock,
  ResponseInfo,
  ResponseQuery,
  ValidatorUpdate,
} from 'cosmjs-types/tendermint/abci/types';
import type { Block } from 'cosmjs-types/tendermint/types/block';
import type { ConsensusParams } from 'cosmjs-types/tendermint/types/params';
import type { BlockID, BlockMeta, Commit, Header } from 'cosmjs-types/tendermint/types/types';
import type { Validator } from 'cosmjs-types/tendermint/types/validator';
import { txHash, txProof } from '../engine/block.ts';
import { publicKeyToAmino } from '../engine/keys.ts';
import { formatTime } from '../engine/time.ts';

const specialCharacters = /[<>&\u2028\u2029]/g;

/** JSON as Go writes it: the characters that HTML minds are escaped. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    specialCharacters,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Upper-case hex; empty for no bytes. */
export function hex(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase();
}

/** Base64, null for no bytes. */
export function base64OrNull(bytes: Uint8Array): string | null {
  return bytes.length === 0 ? null : toBase64(bytes);
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

/** The fields that are not zero, as Go's `omitempty` leaves them. */
function omitEmpty(fields: Record<string, unknown>): object {
  const isEmpty = (value: unknown): boolean => value === '' || value === 0 || value === '0' || value === null;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && !isEmpty(value)));
}

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

function attributesJson({ attributes }: Event): object[] {
  return attributes.map(({ key, value, index }) => ({ key, value, index }));
}

/** Events inside of results: everything written out. */
function fullEventJson(event: Event): object {
  return { type: event.type, attributes: attributesJson(event) };
}

/** Events of a block: what is empty is left out. */
export function eventJson(event: Event): object {
  return omitEmpty({
    type: event.type,
    attributes: event.attributes.length === 0 ? undefined : attributesJson(event),
  });
}

/** The result of a transaction, or of checking one: they have the same fields. */
export function txResultJson(result: ExecTxResult | ResponseCheckTx): object {
  return {
    code: result.code,
    data: base64OrNull(result.data),
    log: result.log,
    info: result.info,
    gas_wanted: result.gasWanted.toString(),
    gas_used: result.gasUsed.toString(),
    events: result.events.map(fullEventJson),
    codespace: result.codespace,
  };
}

/** The result inside of a Tx event, where CometBFT leaves out what is empty. */
export function eventTxResultJson(result: ExecTxResult): object {
  return omitEmpty({
    code: result.code,
    data: base64OrNull(result.data),
    log: result.log,
    info: result.info,
    gas_wanted: result.gasWanted.toString(),
    gas_used: result.gasUsed.toString(),
    events: orNull(result.events.map(eventJson)),
    codespace: result.codespace,
  });
}

export function validatorUpdateJson({ pubKey, power }: ValidatorUpdate): object {
  const sum =
    pubKey.ed25519 === undefined
      ? { type: 'tendermint.crypto.PublicKey_Secp256K1', value: { secp256k1: toBase64(pubKey.secp256k1!) } }
      : { type: 'tendermint.crypto.PublicKey_Ed25519', value: { ed25519: toBase64(pubKey.ed25519) } };
  return { pub_key: { Sum: sum }, ...omitEmpty({ power: power.toString() }) };
}

/** An update of consensus parameters: only what it changes. */
export function paramsUpdateJson({ block, evidence, validator, version, abci }: ConsensusParams): object {
  return {
    ...(block && { block: omitEmpty({ max_bytes: block.maxBytes.toString(), max_gas: block.maxGas.toString() }) }),
    ...(evidence && {
      evidence: {
        ...omitEmpty({ max_age_num_blocks: evidence.maxAgeNumBlocks.toString() }),
        max_age_duration: (
          evidence.maxAgeDuration.seconds * 1_000_000_000n +
          BigInt(evidence.maxAgeDuration.nanos)
        ).toString(),
        ...omitEmpty({ max_bytes: evidence.maxBytes.toString() }),
      },
    }),
    ...(validator && {
      validator: { ...(validator.pubKeyTypes.length > 0 && { pub_key_types: validator.pubKeyTypes }) },
    }),
    ...(version && { version: omitEmpty({ app: version.app.toString() }) }),
    ...(abci && {
      abci: omitEmpty({ vote_extensions_enable_height: abci.voteExtensionsEnableHeight.toString() }),
    }),
  };
}

/** `block_results`. */
export function blockResultsJson(height: bigint, response: ResponseFinalizeBlock): object {
  const { consensusParamUpdates } = response;
  return {
    height: height.toString(),
    txs_results: orNull(response.txResults.map(txResultJson)),
    finalize_block_events: orNull(response.events.map(eventJson)),
    validator_updates: orNull(response.validatorUpdates.map(validatorUpdateJson)),
    consensus_param_updates: consensusParamUpdates === undefined ? null : paramsUpdateJson(consensusParamUpdates),
    app_hash: base64OrNull(response.appHash),
  };
}

/** A transaction that was found. */
export interface FoundTx {
  height: bigint;
  index: number;
  tx: Uint8Array;
  result: ExecTxResult;
  /** All transactions of its block, where a proof is wanted. */
  block?: readonly Uint8Array[];
}

/** `tx` and items of `tx_search`. */
export function foundTxJson({ height, index, tx, result, block }: FoundTx): object {
  return {
    hash: hex(txHash(tx)),
    height: height.toString(),
    index,
    tx_result: txResultJson(result),
    tx: toBase64(tx),
    ...(block !== undefined && { proof: txProofJson(block, index) }),
  };
}

function txProofJson(txs: readonly Uint8Array[], index: number): object {
  const { rootHash, proof } = txProof(txs, index);
  return {
    root_hash: hex(rootHash),
    data: toBase64(txs[index]!),
    proof: {
      total: proof.total.toString(),
      index: proof.index.toString(),
      leaf_hash: toBase64(proof.leafHash),
      aunts: proof.aunts.map(toBase64),
    },
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

/** `abci_info`. */
export function infoJson(info: ResponseInfo): object {
  const response = omitEmpty({
    data: info.data,
    version: info.version,
    app_version: info.appVersion.toString(),
    last_block_height: info.lastBlockHeight.toString(),
    last_block_app_hash: base64OrNull(info.lastBlockAppHash),
  });
  return { response };
}

/** `abci_query`. */
export function queryJson(response: ResponseQuery): object {
  const { proofOps } = response;
  return {
    response: {
      code: response.code,
      log: response.log,
      info: response.info,
      index: response.index.toString(),
      key: base64OrNull(response.key),
      value: base64OrNull(response.value),
      proofOps:
        proofOps === undefined
          ? null
          : {
              ops: proofOps.ops.map(({ type, key, data }) => ({
                type,
                key: base64OrNull(key),
                data: base64OrNull(data),
              })),
            },
      height: response.height.toString(),
      codespace: response.codespace,
    },
  };
}

/** What `status` says besides the node's name. */
export interface StatusParts {
  nodeId: string;
  listenAddress: string;
  rpcAddress: string;
  chainId: string;
  version: string;
  moniker: string;
  protocol: { p2p: bigint; block: bigint; app: bigint };
  latest: BlockMeta | undefined;
  earliest: BlockMeta | undefined;
  validator: { address: Uint8Array; publicKey: Uint8Array; power: bigint };
}

const epoch: Timestamp = { seconds: 0n, nanos: 0 };
const nothing = new Uint8Array();

/** `status`. */
export function statusJson(parts: StatusParts): object {
  const { latest, earliest, validator, protocol } = parts;
  return {
    node_info: {
      protocol_version: {
        p2p: protocol.p2p.toString(),
        block: protocol.block.toString(),
        app: protocol.app.toString(),
      },
      id: parts.nodeId,
      listen_addr: parts.listenAddress,
      network: parts.chainId,
      version: parts.version,
      // The embedded engine speaks to no peers.
      channels: '',
      moniker: parts.moniker,
      other: { tx_index: 'on', rpc_address: parts.rpcAddress },
    },
    sync_info: {
      latest_block_hash: hex(latest?.blockId.hash ?? nothing),
      latest_app_hash: hex(latest?.header.appHash ?? nothing),
      latest_block_height: (latest?.header.height ?? 0n).toString(),
      latest_block_time: formatTime(latest?.header.time ?? epoch),
      earliest_block_hash: hex(earliest?.blockId.hash ?? nothing),
      earliest_app_hash: hex(earliest?.header.appHash ?? nothing),
      earliest_block_height: (earliest?.header.height ?? 0n).toString(),
      earliest_block_time: formatTime(earliest?.header.time ?? epoch),
      catching_up: false,
    },
    validator_info: {
      address: hex(validator.address),
      pub_key: publicKeyToAmino({ ed25519: validator.publicKey }),
      voting_power: validator.power.toString(),
    },
  };
}
