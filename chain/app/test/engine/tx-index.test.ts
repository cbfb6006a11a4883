/** Searches over blocks of the test application, whose transactions have two `set` events each. */
import { txHash } from '../../src/engine/block.ts';
import { EventEntries } from '../../src/engine/event-index.ts';
import { Query } from '../../src/engine/query/query.ts';
import type { SoloEngine } from '../../src/engine/solo-engine.ts';
import { bytes, Home } from './harness.ts';

let home: Home;
let engine: SoloEngine;
const long = 'x'.repeat(4000);

beforeAll(async () => {
  home = new Home();
  ({ engine } = await home.started());
  for (const block of [
    ['a=1', 'b=2'],
    ['a=15', 'c=other'],
    [`d=${long}`, 'a=2.5'],
    ['e=fail', 'n=1\0x'],
  ]) {
    for (const tx of block) await engine.checkTx(bytes(tx));
    await engine.advance(1);
  }
});
afterAll(() => home.remove());

function found(query: string): string[] {
  return engine.store.txs
    .searchTxs(Query.parse(query))
    .map((hash) => Buffer.from(engine.store.txs.get(hash)!.tx).toString().slice(0, 8));
}

test.each([
  ["set.key='a'", ['a=1', 'a=15', 'a=2.5']],
  ["set.key='a' AND tx.height=2", ['a=15']],
  ["set.key='a' AND tx.height>1 AND tx.height<=2.5", ['a=15']],
  ["set.key='a' AND set.value='15'", ['a=15']],
  // Both hold, but in different events of the transaction.
  ["set.key='a' AND set.value='other'", []],
  ["set.key='c' AND set.value='other'", ['c=other']],
  ['set.value=15', ['a=15']],
  ['set.value > 1 AND set.value < 10', ['b=2', 'a=2.5']],
  ['set.value >= 15', ['a=15']],
  ["set.value CONTAINS '5'", ['a=15', 'a=2.5']],
  ["set.value CONTAINS 'xxxx'", [`d=${'x'.repeat(6)}`]],
  ["set.value='n'", []],
  ["set.value='1'", ['a=1']],
  ['set.key EXISTS AND tx.height=3', [`d=${'x'.repeat(6)}`, 'a=2.5']],
  ['tx.height=4', ['e=fail', 'n=1\0x']],
  ['tx.height>=3 AND tx.height<4', [`d=${'x'.repeat(6)}`, 'a=2.5']],
  ['tx.height=2 AND tx.height=3', []],
  ['tx.height>99999999999999999999999', []],
  ["set.none='a'", []],
])('%s', (query, expected) => {
  expect(found(query)).toEqual(expected);
});

test('a value too long for a key is found by itself', () => {
  expect(Query.parse(`set.value='${long}'`).matches({ 'set.value': [long] })).toBe(true);
  expect(found(`set.value='${long}'`)).toHaveLength(1);
});

test('by hash, whatever else is asked', () => {
  const hash = Buffer.from(txHash(bytes('a=1'))).toString('hex');
  expect(found(`tx.hash='${hash.toUpperCase()}' AND set.key='zzz'`)).toEqual(['a=1']);
  expect(found(`tx.hash='${'00'.repeat(32)}'`)).toEqual([]);
  expect(() => found("tx.hash='no hex'")).toThrow('hex');
});

test('blocks by their own events and by height', () => {
  const blocks = (query: string): bigint[] => engine.store.txs.searchBlocks(Query.parse(query), { low: 1n, high: 4n });
  expect(blocks("block.parity='even'")).toEqual([2n, 4n]);
  expect(blocks("block.parity='even' AND block.height>2")).toEqual([4n]);
  expect(blocks('block.height>=2 AND block.height<4')).toEqual([2n, 3n]);
  expect(blocks("set.key='a'")).toEqual([]);
});

test('a failed repetition does not hide the success', async () => {
  const { engine: own, app } = await (async () => {
    await engine.stop();
    return home.started();
  })();
  const tx = bytes('z=1');
  await own.checkTx(tx);
  await own.advance(1);
  const { height } = own.store.txs.get(txHash(tx))!;
  const finalize = app.finalizeBlock.bind(app);
  app.prepareProposal = () => ({ txs: [tx] });
  app.finalizeBlock = (request) => {
    const response = finalize(request);
    response.txResults[0]!.code = 9;
    return response;
  };
  await own.advance(1);
  expect(own.store.txs.get(txHash(tx))).toMatchObject({ height, result: { code: 0 } });
});

test('only attributes marked for it, and no reserved ones, are filed', () => {
  const entries = new EventEntries(['tx.height']);
  const attribute = (key: string, index = true) => ({ key, value: 'v', index });
  entries.add(0, [
    { type: 'a', attributes: [attribute('kept'), attribute('hidden', false), attribute('')] },
    { type: '', attributes: [attribute('nameless')] },
    { type: 'tx', attributes: [attribute('height')] },
  ]);
  expect([...entries.all()].map(({ tag }) => tag)).toEqual(['a.kept']);
});
