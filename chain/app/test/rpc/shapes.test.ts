/** Every shape against the text that CometBFT's own JSON-RPC server writes for the same values. */

import { addressOfKey } from '@mu/lib/comet-validators';
import {
  ResponseCheckTx,
  ResponseFinalizeBlock,
  ResponseInfo,
  ResponseQuery,
} from 'cosmjs-types/tendermint/abci/types';
import { Block } from 'cosmjs-types/tendermint/types/block';
import { blockIdOf, txHash } from '../../src/engine/block.ts';
import { defaultConsensusParams } from '../../src/engine/consensus-params.ts';
import type { EngineEvent } from '../../src/engine/event-bus.ts';
import { consensusParamsJson, genesisJson, parseGenesis } from '../../src/engine/genesis.ts';
import { ed25519Key } from '../../src/engine/keys.ts';
import { parseTime } from '../../src/engine/time.ts';
import { ValidatorSet } from '../../src/engine/validator-set.ts';
import {
  blockMetaJson,
  blockResultJson,
  commitResultJson,
  headerResultJson,
  validatorJson,
} from '../../src/rpc/block-shapes.ts';
import { eventDataJson } from '../../src/rpc/event-shapes.ts';
import { goJson } from '../../src/rpc/go-json.ts';
import { infoJson, queryJson, statusJson } from '../../src/rpc/node-shapes.ts';
import { blockResultsJson, foundTxJson, txResultJson } from '../../src/rpc/result-shapes.ts';
import { fromHex, vectors } from '../engine/vectors.ts';

const { shapes } = vectors;
const { inputs } = shapes;
const block = Block.decode(fromHex(inputs.block));
const firstBlock = Block.decode(fromHex(inputs.firstBlock));
const finalize = ResponseFinalizeBlock.decode(fromHex(inputs.finalize));
const emptyFinalize = ResponseFinalizeBlock.decode(fromHex(inputs.emptyFinalize));
const keys: { ed25519: Uint8Array }[] = inputs.seeds.map((seed: string) => ({
  ed25519: ed25519Key(fromHex(seed)).publicKey,
}));
const blockId = {
  hash: new Uint8Array(32).fill(0x50),
  partSetHeader: { total: 3, hash: new Uint8Array(32).fill(0x51) },
};
const fill = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const reply = (result: unknown): string => goJson({ jsonrpc: '2.0', id: 1, result });

test('blocks, headers and commits', () => {
  expect(reply(blockResultJson(blockId, block))).toBe(shapes.block);
  expect(reply(blockResultJson(blockId, firstBlock))).toBe(shapes.firstBlock);
  expect(reply(blockResultJson(undefined, undefined))).toBe(shapes.noBlock);
  expect(reply(headerResultJson(block.header))).toBe(shapes.header);
  expect(reply(headerResultJson(undefined))).toBe(shapes.noHeader);
  expect(reply(commitResultJson(block.header, block.lastCommit!, true))).toBe(shapes.commit);
  expect(reply({ blocks: [blockResultJson(blockId, block)], total_count: '1' })).toBe(shapes.blockSearch);
  const identity = blockIdOf(block);
  const meta = {
    blockId: identity.blockId,
    blockSize: BigInt(identity.bytes.length),
    header: block.header,
    numTxs: 2n,
  };
  expect(reply({ last_height: '42', block_metas: [blockMetaJson(meta)] })).toBe(shapes.blockchain);
});

test('results of blocks', () => {
  expect(reply(blockResultsJson(42n, finalize))).toBe(shapes.blockResults);
  expect(reply(blockResultsJson(42n, emptyFinalize))).toBe(shapes.emptyBlockResults);
});

test('transactions, with and without a proof', () => {
  const found = { height: 42n, index: 0, tx: block.data.txs[0]!, result: finalize.txResults[0]! };
  const failed = { height: 42n, index: 1, tx: block.data.txs[1]!, result: finalize.txResults[1]! };
  expect(reply(foundTxJson(found))).toBe(shapes.tx);
  expect(reply(foundTxJson({ ...found, block: block.data.txs }))).toBe(shapes.txProof);
  expect(reply(foundTxJson(failed))).toBe(shapes.txFailed);
  expect(reply({ txs: [foundTxJson(found)], total_count: '31' })).toBe(shapes.txSearch);
});

test('answers of the application', () => {
  const checked = ResponseCheckTx.fromPartial({ code: 5, log: 'l', gasWanted: 3n, codespace: 'sdk' });
  expect(reply(txResultJson(checked))).toBe(shapes.checkTx);
  const info = { data: 'mu', version: '0.1.0', appVersion: 2n, lastBlockHeight: 42n, lastBlockAppHash: fill(5) };
  expect(reply(infoJson(info))).toBe(shapes.abciInfo);
  expect(reply(infoJson(ResponseInfo.fromPartial({})))).toBe(shapes.abciInfoEmpty);
  const query = ResponseQuery.fromPartial({ key: Buffer.from('k'), value: Buffer.from('v'), height: 7n });
  expect(reply(queryJson(query))).toBe(shapes.abciQuery);
});

test('validators and parameters', () => {
  const set = ValidatorSet.from([
    { pubKey: keys[0]!, power: 10n },
    { pubKey: keys[1]!, power: 7n },
  ]);
  const validators = set.validators.map(validatorJson);
  expect(reply({ block_height: '42', validators, count: '2', total: '2' })).toBe(shapes.validators);
  const params = consensusParamsJson(defaultConsensusParams());
  expect(reply({ block_height: '42', consensus_params: params })).toBe(shapes.consensusParams);
});

test('status', () => {
  const header = { ...block.header, appHash: fill(2) };
  const meta = { blockId: { ...blockId, hash: fill(1) }, blockSize: 0n, header, numTxs: 0n };
  const first = { ...firstBlock.header, time: parseTime('2026-01-01T00:00:00Z')! };
  const json = statusJson({
    nodeId: '00112233445566778899aabbccddeeff00112233',
    listenAddress: 'tcp://0.0.0.0:26656',
    rpcAddress: 'tcp://127.0.0.1:26657',
    chainId: 'mu-test-1',
    version: '0.38.26',
    moniker: 'mu',
    protocol: { p2p: 8n, block: 11n, app: 2n },
    latest: meta,
    earliest: { ...meta, blockId: { ...blockId, hash: fill(3) }, header: first },
    validator: { address: addressOfKey(keys[0]!), publicKey: keys[0]!.ed25519, power: 10n },
  });
  // The sample node has channels; this engine has no peers to speak with over any.
  expect(reply(json)).toBe(shapes.status.replace('"channels":"4020"', '"channels":""'));
});

test('genesis, read and written', () => {
  const doc = JSON.parse(shapes.genesisPlain);
  expect(reply({ genesis: genesisJson(parseGenesis(doc)) })).toBe(shapes.genesis);
  const { consensus_params: params, validators, ...rest } = doc;
  const asSdk = parseGenesis({ ...rest, initial_height: 1, consensus: { params, validators } });
  expect(reply({ genesis: genesisJson(asSdk) })).toBe(shapes.genesis);
});

describe('events', () => {
  const message = (query: string, event: EngineEvent, attributes: Record<string, string[]>): string =>
    goJson({ jsonrpc: '2.0', id: 'x', result: { query, data: eventDataJson(event), events: attributes } });
  const only = (type: string): Record<string, string[]> => ({ 'tm.event': [type] });

  test('blocks', () => {
    const event = { type: 'NewBlock', block, blockId, response: finalize } as const;
    expect(message("tm.event='NewBlock'", event, only('NewBlock'))).toBe(shapes.eventBlock);
    const empty = { ...event, block: firstBlock, response: emptyFinalize };
    expect(message("tm.event='NewBlock'", empty, only('NewBlock'))).toBe(shapes.eventEmptyBlock);
    const header = { type: 'NewBlockHeader', header: block.header } as const;
    expect(message("tm.event='NewBlockHeader'", header, only('NewBlockHeader'))).toBe(shapes.eventHeader);
    const events = { type: 'NewBlockEvents', height: 42n, events: finalize.events, numTxs: 2 } as const;
    expect(message('q', events, only('NewBlockEvents'))).toBe(shapes.eventBlockEvents);
    expect(message('q', { ...events, events: [], numTxs: 0 }, only('NewBlockEvents'))).toBe(shapes.eventNoBlockEvents);
  });

  test('transactions', () => {
    const tx = block.data.txs[0]!;
    const [good, failed] = finalize.txResults;
    const event = { type: 'Tx', height: 42n, index: 1, tx, hash: txHash(tx), result: good! } as const;
    expect(message("tm.event='Tx'", event, { 'tx.height': ['42'] })).toBe(shapes.eventTx);
    const bad = { ...event, index: 0, result: failed! };
    expect(message("tm.event='Tx'", bad, { 'tx.height': ['42'] })).toBe(shapes.eventTxFailed);
  });

  test('validators', () => {
    const { validators } = ValidatorSet.from([
      { pubKey: keys[0]!, power: 10n },
      { pubKey: keys[1]!, power: 7n },
    ]);
    const event: EngineEvent = { type: 'ValidatorSetUpdates', validators: [...validators] };
    expect(message('q', event, only('ValidatorSetUpdates'))).toBe(shapes.eventValidators);
  });
});
