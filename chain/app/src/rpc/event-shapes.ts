/** Events of subscriptions in CometBFT's JSON: `{type: "tendermint/event/…", value}`. */
import { toBase64 } from '@mu/lib/bytes';
import type { ResponseFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import type { EngineEvent } from '../engine/event-bus.ts';
import { blockIdJson, blockJson, headerJson, validatorJson } from './block-shapes.ts';
import { base64OrNull } from './go-json.ts';
import { eventJson, eventTxResultJson, paramsUpdateJson, txResultJson, validatorUpdateJson } from './result-shapes.ts';

/** `result.data` of an event message. */
export function eventDataJson(event: EngineEvent): object {
  return { type: `tendermint/event/${event.type}`, value: valueJson(event) };
}

function valueJson(event: EngineEvent): object {
  switch (event.type) {
    case 'NewBlock':
      return {
        block: blockJson(event.block),
        block_id: blockIdJson(event.blockId),
        result_finalize_block: finalizeJson(event.response),
      };
    case 'NewBlockHeader':
      return { header: headerJson(event.header) };
    case 'NewBlockEvents':
      return {
        height: event.height.toString(),
        events: event.events.length === 0 ? null : event.events.map(eventJson),
        num_txs: event.numTxs.toString(),
      };
    case 'Tx':
      return {
        TxResult: {
          height: event.height.toString(),
          ...(event.index !== 0 && { index: event.index }),
          tx: toBase64(event.tx),
          result: eventTxResultJson(event.result),
        },
      };
    case 'ValidatorSetUpdates':
      return { validator_updates: event.validators.map(validatorJson) };
  }
}

/** Empty lists are left out, except the validator updates, which protobuf keeps. */
function finalizeJson({
  events,
  txResults,
  validatorUpdates,
  consensusParamUpdates,
  appHash,
}: ResponseFinalizeBlock): object {
  return {
    ...(events.length > 0 && { events: events.map(eventJson) }),
    ...(txResults.length > 0 && { tx_results: txResults.map(txResultJson) }),
    validator_updates: validatorUpdates.length === 0 ? null : validatorUpdates.map(validatorUpdateJson),
    ...(consensusParamUpdates !== undefined && { consensus_param_updates: paramsUpdateJson(consensusParamUpdates) }),
    ...(appHash.length > 0 && { app_hash: base64OrNull(appHash) }),
  };
}
