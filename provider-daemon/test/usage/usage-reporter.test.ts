import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { ChainClient, CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import type { Sender, SentTx } from '@mu/client/chain/sender';
import type { MsgUpdateUsage, UsageReport } from '@mu/proto/billing';
import { Lease } from '@mu/proto/market';
import { pino } from 'pino';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import type { Quantity } from '../../src/usage/counters.ts';
import { UsageReporter } from '../../src/usage/usage-reporter.ts';

const owner = { chainId: 'mu-1', provider: 'mu1provider', nodeId: 'node-1' };
const lease = Lease.fromPartial({ number: 3n, createdHeight: 10n });

/** A chain that takes a report when its sequence is the next one. */
class FakeChain {
  taken: UsageReport[] = [];
  /** what happens to the next report: taken, taken but the answer is lost, refused, or not even reached */
  next: 'taken' | 'answer lost' | 'refused' | 'away' = 'taken';
  idle: Promise<unknown> = Promise.resolve();

  client(): ChainClient {
    const usage = () => {
      const last = this.taken.at(-1);
      return Promise.resolve({
        records: last === undefined ? [] : [{ nodeId: 'node-1', sequence: last.sequence, toHeight: last.toHeight }],
      });
    };
    return { billing: { usage } } as unknown as ChainClient;
  }

  sender(): Sender {
    const send = async (messages: readonly { value: MsgUpdateUsage }[]): Promise<SentTx> => {
      const taken = this.#take(messages[0]?.value.report as UsageReport);
      this.idle = taken.catch(() => undefined);
      return { hash: '', committed: () => taken };
    };
    return { address: 'mu1operator', send } as unknown as Sender;
  }

  async #take(report: UsageReport): Promise<CommittedTx> {
    const how = this.next;
    this.next = 'taken';
    if (how === 'away') throw new Error('connect ECONNREFUSED');
    if (how === 'refused') throw new ChainError('refused', { codespace: 'billing', code: 12 });
    if (report.sequence !== BigInt(this.taken.length + 1))
      throw new ChainError('wrong sequence', { codespace: 'billing', code: 20 });
    this.taken.push(report);
    if (how === 'answer lost') throw new Error('socket hang up');
    return { height: 1 } as CommittedTx;
  }
}

let folder: string;
let journal: Journal;
let chain: FakeChain;
let used: Quantity[];
/** of the data plane */
let totals: Quantity[];

function reporter(): UsageReporter {
  return new UsageReporter({
    client: chain.client(),
    sender: chain.sender(),
    journal,
    nodeId: 'node-1',
    sign: () => new Uint8Array(64),
    takeUsage: () => used.splice(0),
    totals: () => totals,
    takeLogRoot: () => new Uint8Array(32),
    reportEveryBlocks: 5n,
    log: pino({ level: 'silent' }),
  });
}

/** One block of work for a reporter, until what it sent is settled. */
async function block(of: UsageReporter, height: bigint, requests: bigint): Promise<void> {
  if (requests > 0n) used.push({ service: 'web', metric: 'gateway-requests', quantity: requests });
  await of.tick(lease, height);
  await chain.idle;
  // What follows the answer runs in microtasks.
  await new Promise((resolve) => setImmediate(resolve));
}

const billed = (): bigint =>
  chain.taken.flatMap(({ items }) => items).reduce((sum, { quantity }) => sum + quantity, 0n);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-usage-'));
  journal = openJournal(join(folder, 'journal'), owner);
  chain = new FakeChain();
  used = [];
  totals = [];
});

afterEach(async () => {
  await journal.close();
  rmSync(folder, { recursive: true });
});

test('usage is reported when it is time, without gap, and nothing is billed twice', async () => {
  const node = reporter();
  for (let height = 11n; height <= 30n; height += 1n) await block(node, height, 2n);
  expect(chain.taken.map(({ sequence, fromHeight, toHeight }) => [sequence, fromHeight, toHeight])).toEqual([
    [1n, 11n, 15n],
    [2n, 16n, 20n],
    [3n, 21n, 25n],
    [4n, 26n, 30n],
  ]);
  expect(billed()).toBe(40n);
});

test('a chain that is away gets the same report again', async () => {
  const node = reporter();
  for (let height = 11n; height <= 14n; height += 1n) await block(node, height, 1n);
  chain.next = 'away';
  await block(node, 15n, 1n);
  expect(chain.taken).toEqual([]);
  await block(node, 16n, 1n);
  expect(chain.taken.map(({ toHeight }) => toHeight)).toEqual([15n]);
  for (let height = 17n; height <= 20n; height += 1n) await block(node, height, 1n);
  expect(billed()).toBe(10n);
});

test('a crash after the chain took a report, before the answer came, neither loses nor repeats anything', async () => {
  const node = reporter();
  for (let height = 11n; height <= 14n; height += 1n) await block(node, height, 1n);
  chain.next = 'answer lost';
  await block(node, 15n, 1n);
  await block(node, 16n, 1n);
  // The next process knows only what the journal and the chain say.
  const restarted = reporter();
  for (let height = 17n; height <= 25n; height += 1n) await block(restarted, height, 1n);
  expect(chain.taken.map(({ sequence, fromHeight, toHeight }) => [sequence, fromHeight, toHeight])).toEqual([
    [1n, 11n, 15n],
    [2n, 16n, 20n],
    [3n, 21n, 25n],
  ]);
  expect(billed()).toBe(15n);
});

test('a daemon that is killed between two blocks counts the totals of the data plane once', async () => {
  const total = (quantity: bigint) => [{ service: 'web', metric: 'gateway-requests', quantity }];
  totals = total(3n);
  const node = reporter();
  node.count(lease, 11n);
  const restarted = reporter();
  restarted.count(lease, 11n);
  for (let height = 12n; height <= 15n; height += 1n) await block(restarted, height, 0n);
  expect(billed()).toBe(3n);
  totals = total(4n);
  const again = reporter();
  for (let height = 16n; height <= 20n; height += 1n) await block(again, height, 0n);
  expect(billed()).toBe(4n);
});

test('a lease that ended while nobody looked pays what stood on the disk, not what came after', async () => {
  const node = reporter();
  await block(node, 12n, 4n);
  used.push({ service: 'web', metric: 'gateway-requests', quantity: 100n });
  totals = [{ service: 'web', metric: 'gateway-requests', quantity: 100n }];
  await node.settle({ ...lease, closedHeight: 13n });
  await chain.idle;
  expect(billed()).toBe(4n);
});

test('a report that the chain refuses for good does not block the later ones', async () => {
  const node = reporter();
  for (let height = 11n; height <= 14n; height += 1n) await block(node, height, 1n);
  chain.next = 'refused';
  await block(node, 15n, 1n);
  for (let height = 16n; height <= 20n; height += 1n) await block(node, height, 1n);
  expect(chain.taken.map(({ sequence, fromHeight }) => [sequence, fromHeight])).toEqual([[1n, 11n]]);
});

test('the last report of a lease ends with it, and the journal forgets it', async () => {
  const node = reporter();
  await block(node, 12n, 4n);
  const over = { ...lease, closedHeight: 13n };
  await node.finish(over);
  await chain.idle;
  await new Promise((resolve) => setImmediate(resolve));
  expect(chain.taken.map(({ toHeight }) => toHeight)).toEqual([13n]);
  await node.finish(over);
  expect(node.owing()).toEqual([]);
});

test('a data plane that tells of fewer metrics than before is counted once, and nothing is written while nothing comes', async () => {
  const total = (metric: string, quantity: bigint) => ({ service: 'web', metric, quantity });
  totals = [total('gateway-bytes', 900n), total('gateway-requests', 3n)];
  const node = reporter();
  node.count(lease, 11n);
  // Its files were lost: it begins anew, with what came since.
  totals = [total('gateway-requests', 1n)];
  node.count(lease, 12n);
  const put = jest.spyOn(journal.usage, 'put');
  for (let height = 12n; height < 20n; height += 1n) node.count(lease, height);
  expect(put).not.toHaveBeenCalled();
  expect(journal.usage.get(lease.number)?.counted).toEqual([
    total('gateway-bytes', 900n),
    total('gateway-requests', 4n),
  ]);
  totals = [total('gateway-requests', 2n)];
  node.count(lease, 20n);
  expect(put).toHaveBeenCalledTimes(1);
});

test('a journal from an older backup, with a report on its way, loses what it held and reports on from where the chain is', async () => {
  const node = reporter();
  for (let height = 11n; height <= 14n; height += 1n) await block(node, height, 1n);
  chain.next = 'away';
  await block(node, 15n, 1n);
  const backup = journal.usage.get(lease.number)!;
  expect(backup.pending?.report.sequence).toBe(1n);
  for (let height = 16n; height <= 25n; height += 1n) await block(node, height, 1n);
  expect(chain.taken.map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n]);
  journal.usage.put(lease.number, backup);
  const restored = reporter();
  for (let height = 26n; height <= 35n; height += 1n) await block(restored, height, 1n);
  expect(chain.taken.map(({ sequence, fromHeight, toHeight }) => [sequence, fromHeight, toHeight])).toEqual([
    [1n, 11n, 15n],
    [2n, 16n, 20n],
    [3n, 21n, 25n],
    [4n, 26n, 30n],
    [5n, 31n, 35n],
  ]);
});

test('what the disk does not take is counted with what comes next', async () => {
  const node = reporter();
  const put = jest.spyOn(journal.usage, 'put').mockImplementation(() => {
    throw new Error('no space left');
  });
  for (const quantity of [2n, 3n]) {
    used.push({ service: 'web', metric: 'egress-bytes', quantity });
    expect(() => node.count(lease, 11n)).toThrow('no space left');
  }
  put.mockRestore();
  node.count(lease, 12n);
  expect(journal.usage.get(lease.number)?.counted).toEqual([{ service: 'web', metric: 'egress-bytes', quantity: 5n }]);
  node.count(lease, 13n);
  expect(journal.usage.get(lease.number)?.counted).toEqual([{ service: 'web', metric: 'egress-bytes', quantity: 5n }]);
});
