import { describe, expect, test } from '@jest/globals';
import { toBech32 } from '@mu/lib/bech32';
import { MsgSendResponse } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import {
  RequestCheckTx,
  RequestFinalizeBlock,
  RequestInitChain,
  RequestPrepareProposal,
  RequestProcessProposal,
  RequestQuery,
  ResponseProcessProposal_ProposalStatus as Status,
} from 'cosmjs-types/tendermint/abci/types';
import type { BaseApp } from '../src/base-app.ts';
import { MemoryCommitStore } from '../src/store/memory-commit-store.ts';
import type { SystemTxSource } from '../src/system-tx.ts';
import { alice, block, bob, encodeTx, initialized, reserved, send, sendAny, stored, toyApp } from './toy-app.ts';

const prepared = (app: BaseApp, height: bigint, txs: Uint8Array[], maxTxBytes = 1_000_000n): Uint8Array[] =>
  app.prepareProposal(RequestPrepareProposal.fromPartial({ height, txs, maxTxBytes })).txs;
const accepted = (app: BaseApp, height: bigint, txs: Uint8Array[]): boolean =>
  app.processProposal(RequestProcessProposal.fromPartial({ height, txs })).status === Status.ACCEPT;

describe('a transaction', () => {
  test('writes and emits when all its messages succeed', () => {
    const app = initialized();
    const answer = block(app, 1n, [send('5')]);
    expect(answer.txResults[0]).toMatchObject({ code: 0, log: '', gasWanted: 100_000n });
    expect(answer.txResults[0]?.events.map((event) => event.type)).toEqual(['tx', 'message', 'sent']);
    expect(answer.txResults[0]?.events[1]?.attributes.map(({ key, value }) => [key, value])).toEqual([
      ['action', '/cosmos.bank.v1beta1.MsgSend'],
      ['sender', alice],
      ['module', 'bank'],
      ['msg_index', '0'],
    ]);
    expect(stored(app.queryContext(), bob)).toBe('5');
    const data = TxMsgData.decode(answer.txResults[0]?.data as Uint8Array);
    expect(data.msgResponses[0]?.typeUrl).toBe('/cosmos.bank.v1beta1.MsgSendResponse');
  });

  test('of which one message fails writes nothing and keeps only the events of the checks', () => {
    const app = initialized();
    const answer = block(app, 1n, [encodeTx([sendAny('5'), sendAny('13')])]);
    expect(answer.txResults[0]).toMatchObject({
      code: 5,
      codespace: 'sdk',
      log: 'failed to execute message; message index: 1: 13 is unlucky: insufficient funds',
    });
    expect(answer.txResults[0]?.events.map((event) => event.type)).toEqual(['tx']);
    expect(stored(app.queryContext(), bob)).toBe('');
  });

  test('that meets a fault of the program fails with code 111222 and stops nothing', () => {
    const app = initialized();
    const answer = block(app, 1n, [send('66'), send('7')]);
    expect(answer.txResults.map((result) => result.code)).toEqual([111222, 0]);
    expect(stored(app.queryContext(), bob)).toBe('7');
  });

  test('runs out of gas by code 11 with what it used', () => {
    const app = initialized();
    const [result] = block(app, 1n, [send('5', { gas: 150n })]).txResults;
    expect(result).toMatchObject({ code: 11, gasWanted: 150n });
    expect(result?.gasUsed).toBeGreaterThan(150n);
  });

  test('that does not fit the gas of the block is refused by code 11 and leaves no trace', () => {
    const app = initialized({}, 5_000n);
    const answer = block(app, 1n, [send('5', { gas: 6_000n }), send('7', { gas: 6_000n })]);
    expect(answer.txResults.map((result) => result.code)).toEqual([0, 11]);
    expect(stored(app.queryContext(), bob)).toBe('5');
  });
});

describe('bytes that are no transaction have code 2', () => {
  const good = TxRaw.decode(send('5'));
  const cases: [string, Uint8Array][] = [
    ['nothing', new Uint8Array()],
    ['noise', Uint8Array.of(1, 2, 3)],
    ['an unknown field', Uint8Array.of(...send('5'), 0x7a, 0)],
    [
      'an unknown critical field in the body',
      TxRaw.encode({ ...good, bodyBytes: Uint8Array.of(...good.bodyBytes, 0x7a, 0) }).finish(),
    ],
    ['an unknown type URL', encodeTx([{ typeUrl: '/mu.nothing', value: new Uint8Array() }])],
    ['more than the bound', new Uint8Array(1_048_577)],
    ['a signer of another chain', send('5', { from: toBech32('cosmos', new Uint8Array(20)) })],
  ];
  test.each(cases)('%s', (_what, raw) => {
    const app = initialized();
    expect(app.checkTx(RequestCheckTx.fromPartial({ tx: raw }))).toMatchObject({ code: 2, codespace: 'sdk' });
    expect(block(app, 1n, [raw]).txResults[0]).toMatchObject({ code: 2, codespace: 'sdk', gasUsed: 0n });
    expect(accepted(app, 2n, [raw])).toBe(false);
    expect(prepared(app, 2n, [raw])).toEqual([]);
  });
});

test('unknown non-critical fields are allowed in the body, as in the SDK', () => {
  const good = TxRaw.decode(send('5'));
  // Field 1024 has bit 11 of the field number set; wire type 2, length 0.
  const raw = TxRaw.encode({ ...good, bodyBytes: Uint8Array.of(...good.bodyBytes, 0x82, 0x40, 0) }).finish();
  expect(block(initialized(), 1n, [raw]).txResults[0]?.code).toBe(0);
});

test('two nodes come to the same hash, whatever they checked, proposed or simulated before', () => {
  const one = initialized();
  const two = initialized();
  for (let height = 1n; height < 5n; height += 1n) {
    const txs = [send(`${height}`), send('13')];
    one.checkTx(RequestCheckTx.fromPartial({ tx: txs[0] as Uint8Array }));
    one.simulate(txs[0] as Uint8Array);
    accepted(one, height, prepared(one, height, txs));
    expect(block(one, height, txs).appHash).toEqual(block(two, height, txs).appHash);
  }
});

test('nothing is written before the commit, and Info tells what is committed', () => {
  const store = new MemoryCommitStore(['app', 'toy']);
  const app = initialized({ store });
  const genesis = [...store.store('toy').iterate()];
  app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 1n, txs: [send('5')] }));
  expect(app.info().lastBlockHeight).toBe(0n);
  // Genesis is there to be read, and belongs to no version.
  expect(genesis.length).toBeGreaterThan(0);
  expect([...store.store('toy').iterate()]).toEqual(genesis);
  app.commit();
  expect(app.info()).toMatchObject({ lastBlockHeight: 1n, lastBlockAppHash: store.last.appHash });
  expect(toyApp({ store }).info().lastBlockHeight).toBe(1n);
  expect(() => app.commit()).toThrow('no finalized block');
  expect(() => app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 5n }))).toThrow(
    'the next block is 2, not 5',
  );
});

test('consensus parameters that would starve the first transaction are refused', () => {
  const request = { chainId: 'a', appStateBytes: new TextEncoder().encode('{}') };
  const params = { block: { maxBytes: 1_000_000n, maxGas: -1n } };
  expect(() => toyApp().initChain(RequestInitChain.fromPartial({ ...request, consensusParams: params }))).toThrow(
    'max_bytes is 1000000',
  );
});

describe('the transaction that a block must begin with', () => {
  const signer = toBech32('mu', reserved);
  const source = (due: string[]): SystemTxSource => ({
    signer: reserved,
    due: (_ctx, height) => (height === 3n ? [] : due.map((amount) => sendAny(amount, signer))),
    settleFailure(ctx, _message, failure) {
      ctx.events.emit('settled', [['code', String(failure.code)]]);
      ctx.store('toy').set(Uint8Array.of(255), Uint8Array.of(failure.code));
      return { typeUrl: '/cosmos.bank.v1beta1.MsgSendResponse', value: MsgSendResponse.encode({}).finish() };
    },
  });
  const app = (): BaseApp => initialized({ systemTx: source(['1', '13', '3']) });

  test('stands first in the proposal, unique by height, and is accepted by the proposer itself', () => {
    const node = app();
    const [first, second] = prepared(node, 1n, [send('5')]);
    expect(second).toEqual(send('5'));
    expect(TxRaw.decode(first as Uint8Array).signatures).toEqual([]);
    expect(node.decode(first as Uint8Array, node.chain).body.timeoutHeight).toBe(1n);
    expect(accepted(node, 1n, [first as Uint8Array, send('5')])).toBe(true);
    block(node, 1n, []);
    expect(prepared(node, 2n, [])[0]).not.toEqual(first);
    block(node, 2n, []);
    expect(prepared(node, 3n, [send('5')])).toEqual([send('5')]);
  });

  test('is executed item by item: a failing one is settled, the others stand, the code is 0', () => {
    const node = app();
    const [result] = block(node, 1n, prepared(node, 1n, [])).txResults;
    expect(result).toMatchObject({ code: 0, gasWanted: 0n, gasUsed: 0n });
    expect(TxMsgData.decode(result?.data as Uint8Array).msgResponses).toHaveLength(3);
    const types = result?.events.map(
      (event) => `${event.type} ${event.attributes.find(({ key }) => key === 'msg_index')?.value}`,
    );
    expect(types).toEqual(['message 0', 'sent 0', 'message 1', 'settled 1', 'message 2', 'sent 2']);
    expect(stored(node.queryContext(), bob)).toBe('3');
    expect(node.queryContext().store('toy').get(Uint8Array.of(255))).toEqual(Uint8Array.of(5));
  });

  test('goes on without an item that can neither be carried out nor settled', () => {
    const settleFailure = (): never => {
      throw new TypeError('a fault in settling');
    };
    const node = initialized({ systemTx: { ...source(['1', '13', '3']), settleFailure } });
    const [result] = block(node, 1n, prepared(node, 1n, [])).txResults;
    expect(result?.code).toBe(0);
    const { msgResponses } = TxMsgData.decode(result?.data as Uint8Array);
    expect(msgResponses.map(({ value }) => value.length)).toEqual([0, 0, 0]);
    expect(result?.events.filter(({ type }) => type === 'settlement_failed')).toHaveLength(1);
    expect(stored(node.queryContext(), bob)).toBe('3');
  });

  test('left out, changed, repeated or added where none is due: refused as a proposal, code 4 in a block', () => {
    const node = app();
    const [first] = prepared(node, 1n, []) as [Uint8Array];
    const changed = encodeTx([sendAny('2', signer)], { signatures: 0, gas: 0n });
    const withSignature = encodeTx([sendAny('2', signer)]);
    for (const txs of [[], [send('5')], [changed], [send('5'), first], [first, first], [first, changed]]) {
      expect(accepted(node, 1n, txs)).toBe(false);
    }
    const answer = block(node, 1n, [changed, first, withSignature]);
    expect(answer.txResults.map((result) => result.code)).toEqual([4, 4, 4]);
    expect(stored(node.queryContext(), bob)).toBe('');
    expect(node.checkTx(RequestCheckTx.fromPartial({ tx: first })).code).toBe(4);
    expect(node.checkTx(RequestCheckTx.fromPartial({ tx: withSignature })).code).toBe(4);
  });

  test('keeps its place when the mempool is full of the largest transactions', () => {
    const node = app();
    const large = Array.from({ length: 20 }, (_, at) => send(`${at}`, { memo: 'x'.repeat(90_000) }));
    const txs = prepared(node, 1n, large, 1_000_000n);
    expect(txs[0]).toEqual(prepared(node, 1n, [])[0]);
    expect(txs.reduce((sum, tx) => sum + tx.length, 0)).toBeLessThanOrEqual(1_000_000);
    expect(txs).toHaveLength(12);
    expect(accepted(node, 1n, txs)).toBe(true);
  });

  test('carries at most 65,536 bytes; what does not fit waits', () => {
    const node = initialized({ systemTx: source(Array.from({ length: 2_000 }, (_, at) => `${at}`)) });
    const [first] = prepared(node, 1n, []) as [Uint8Array];
    expect(first.length).toBeLessThanOrEqual(65_536);
    expect(first.length).toBeGreaterThan(60_000);
  });
});

test('queries answer by code: unknown paths 6, unknown stores 6, proofs before height 2 18', () => {
  const app = initialized();
  block(app, 1n, [send('5')]);
  const ask = (
    path: string,
    prove = false,
    data = new TextEncoder().encode(bob),
  ): { code: number; value: Uint8Array } => app.query(RequestQuery.fromPartial({ path, prove, data }));
  expect(new TextDecoder().decode(ask('/store/toy/key').value)).toBe('5');
  expect(ask('/store/toy/key', true).code).toBe(18);
  expect(ask('/store/none/key').code).toBe(6);
  expect(ask('/nothing').code).toBe(6);
  expect(new TextDecoder().decode(ask('/app/version').value)).toBe('1');
});
