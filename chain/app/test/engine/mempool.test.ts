import { ExecTxResult, type RequestCheckTx, type ResponseCheckTx } from 'cosmjs-types/tendermint/abci/types';
import { txSizeInBlock } from '../../src/engine/block.ts';
import { type BlockLimits, defaultMempoolLimits, Mempool, type MempoolLimits } from '../../src/engine/mempool.ts';
import { bytes } from './harness.ts';
import { KvStoreApp } from './kvstore-app.ts';

const roomy: BlockLimits = { maxDataBytes: 1000n, maxGas: -1n };
const text = (tx: Uint8Array): string => Buffer.from(tx).toString();

function pool(
  limits: Partial<MempoolLimits> = {},
  block = roomy,
): { app: KvStoreApp; mempool: Mempool; added: number[] } {
  const app = new KvStoreApp('/nonexistent/app.json');
  const added: number[] = [];
  const mempool = new Mempool(app, { ...defaultMempoolLimits, ...limits }, block, () => added.push(1));
  return { app, mempool, added };
}

async function fill(mempool: Mempool, ...txs: string[]): Promise<void> {
  for (const tx of txs) await mempool.check(bytes(tx));
}

test('first in, first out, within the bytes and the gas of a block', async () => {
  const { mempool, added } = pool();
  await fill(mempool, 'b=1', 'a=1', 'gas=5', 'c=1');
  expect(added).toHaveLength(4);
  expect(mempool.reap(roomy).map(text)).toEqual(['b=1', 'a=1', 'gas=5', 'c=1']);
  const two = BigInt(2 * txSizeInBlock(bytes('a=1')));
  expect(mempool.reap({ maxDataBytes: two, maxGas: -1n }).map(text)).toEqual(['b=1', 'a=1']);
  expect(mempool.reap({ maxDataBytes: two - 1n, maxGas: -1n }).map(text)).toEqual(['b=1']);
  expect(mempool.reap({ maxDataBytes: 1000n, maxGas: 7n }).map(text)).toEqual(['b=1', 'a=1', 'gas=5']);
  expect(mempool.reap({ maxDataBytes: 1000n, maxGas: 6n }).map(text)).toEqual(['b=1', 'a=1']);
});

test('full by number, by bytes, and for one transaction', async () => {
  const { mempool } = pool({ size: 2, maxTxBytes: 10 });
  await expect(mempool.check(bytes('a=23456789ab'))).rejects.toThrow('Tx too large. Max size is 10, but got 12');
  await fill(mempool, 'a=1', 'b=1');
  await expect(mempool.check(bytes('c=1'))).rejects.toThrow(
    'mempool is full: number of txs 2 (max: 2), total txs bytes 6 (max: 1073741824)',
  );
  await expect(pool({ maxTxsBytes: 5 }).mempool.check(bytes('a=2345'))).rejects.toThrow('mempool is full');
  const tight = pool({}, { maxDataBytes: 4n, maxGas: -1n }).mempool;
  await expect(tight.check(bytes('a=1'))).rejects.toThrow('tx pre check: tx size is too big: 5, max: 4');
});

test('seen ones are refused, refused ones may come again', async () => {
  const { app, mempool } = pool({ cacheSize: 2 });
  await fill(mempool, 'a=1');
  await expect(mempool.check(bytes('a=1'))).rejects.toThrow('tx already exists in cache');
  expect(app.checks).toHaveLength(1);
  expect((await mempool.check(bytes('bad'))).code).toBe(2);
  expect((await mempool.check(bytes('bad'))).code).toBe(2);
  expect(mempool.size).toBe(1);
});

test('an application that throws leaves no trace', async () => {
  const { app, mempool } = pool();
  const check = app.checkTx.bind(app);
  app.checkTx = () => {
    throw new Error('broken');
  };
  await expect(mempool.check(bytes('a=1'))).rejects.toThrow('broken');
  app.checkTx = check;
  expect((await mempool.check(bytes('a=1'))).code).toBe(0);
});

test('after a block only the rest is checked again, and what became invalid goes', async () => {
  const { app, mempool } = pool();
  await fill(mempool, 'a=1', 'b=fail', 'c=1', 'd=1');
  app.checks.length = 0;
  app.saved.values['c'] = 'final';
  const results = [ExecTxResult.fromPartial({}), ExecTxResult.fromPartial({ code: 7 })];
  await mempool.exclusively(() => mempool.update([bytes('a=1'), bytes('b=fail')], results, roomy));
  expect(app.checks).toEqual([
    { tx: 'c=1', isRecheck: true },
    { tx: 'd=1', isRecheck: true },
  ]);
  expect(mempool.reap(roomy).map(text)).toEqual(['d=1']);
  expect(mempool.bytes).toBe(3);
  await expect(mempool.check(bytes('a=1'))).rejects.toThrow('tx already exists in cache');
  expect((await mempool.check(bytes('b=fail'))).code).toBe(0);
});

test('nothing is checked while a block is committed', async () => {
  const { app, mempool } = pool();
  const { promise: committed, resolve } = Promise.withResolvers<void>();
  const commit = mempool.exclusively(() => committed);
  const checked = mempool.check(bytes('a=1'));
  await Promise.resolve();
  expect(app.checks).toEqual([]);
  resolve();
  await commit;
  await checked;
  expect(app.checks).toEqual([{ tx: 'a=1', isRecheck: false }]);
});

/** An application that answers when the test says so. */
function held(limits: Partial<MempoolLimits> = {}): { mempool: Mempool; asked: string[]; release: (() => void)[] } {
  const { app, mempool } = pool(limits);
  const check = app.checkTx.bind(app);
  const asked: string[] = [];
  const release: (() => void)[] = [];
  Object.assign(app, {
    checkTx: async (request: RequestCheckTx): Promise<ResponseCheckTx> => {
      asked.push(text(request.tx));
      await new Promise<void>((resolve) => release.push(resolve));
      return check(request);
    },
  });
  return { mempool, asked, release };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the application is asked about the next one before it has answered, and all stay in order', async () => {
  const { mempool, asked, release } = held();
  const checks = ['b=1', 'a=1', 'c=1'].map((tx) => mempool.check(bytes(tx)));
  await turn();
  expect(asked).toEqual(['b=1', 'a=1', 'c=1']);
  for (const answer of release) answer();
  await Promise.all(checks);
  expect(mempool.reap(roomy).map(text)).toEqual(['b=1', 'a=1', 'c=1']);
});

test('those that are asked about count against the bounds', async () => {
  const { mempool, release } = held({ size: 2 });
  const checks = ['a=1', 'b=1'].map((tx) => mempool.check(bytes(tx)));
  await turn();
  await expect(mempool.check(bytes('c=1'))).rejects.toThrow('mempool is full');
  for (const answer of release) answer();
  await Promise.all(checks);
  expect(mempool.size).toBe(2);
  const narrow = held({ maxTxsBytes: 5 });
  const first = narrow.mempool.check(bytes('a=1'));
  await turn();
  await expect(narrow.mempool.check(bytes('b=1'))).rejects.toThrow('mempool is full');
  narrow.release[0]?.();
  await first;
});

test('a block is committed when all that were asked about are answered', async () => {
  const { mempool, asked, release } = held();
  const checked = mempool.check(bytes('a=1'));
  const order: string[] = [];
  const commit = mempool.exclusively(async () => void order.push('commit'));
  const later = mempool.check(bytes('b=1')).then(() => order.push('later'));
  await turn();
  expect([asked, order]).toEqual([['a=1'], []]);
  release[0]?.();
  await checked;
  await commit;
  await turn();
  release[1]?.();
  await later;
  expect(order).toEqual(['commit', 'later']);
});
