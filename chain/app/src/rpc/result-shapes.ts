/** What became of transactions and blocks in CometBFT's JSON: results, events, updates. */
import { toBase64 } from '@mu/lib/bytes';
import type {
  Event,
  ExecTxResult,
  ResponseCheckTx,
  ResponseFinalizeBlock,
  ValidatorUpdate,
} from 'cosmjs-types/tendermint/abci/types';
import type { ConsensusParams } from 'cosmjs-types/tendermint/types/params';
import { txHash, txProof } from '../engine/block.ts';
import { base64OrNull, hex, omitEmpty, orNull } from './go-json.ts';

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
