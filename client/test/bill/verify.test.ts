/** A bill is recomputed from proved records: what is right passes, every field that was changed is found. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { toHex } from '@mu/lib/bytes';
import { BillLine, EscrowAccount } from '@mu/proto/billing';
import { Lease, LeaseState } from '@mu/proto/market';
import { Node, PriceList, RemovalReason } from '@mu/proto/provider';
import { verifyDeploymentBill } from '../../src/bill/deployment.ts';
import { verifyBill } from '../../src/bill/verify.ts';
import type { LeaseBill } from '../../src/bill/walk.ts';
import { BillMaker, hashOf, usual } from './world.ts';

/** The bill with one line changed; rehashed where the liar may have made the lease's hash fit too. */
function altered(line: number, change: Partial<BillLine>, rehashed = true): LeaseBill {
  const bill = usual().bill();
  const lines = bill.lines.map((one, at) => (at === line ? BillLine.fromPartial({ ...one, ...change }) : one));
  return { ...bill, lines, lease: rehashed ? { ...bill.lease, billHash: Buffer.from(hashOf(lines)) } : bill.lease };
}

const faultAt = (bill: LeaseBill): string => {
  const { fault } = verifyBill(bill);
  return fault === undefined ? 'none' : `${fault.line} ${fault.field}`;
};

test('a bill that is right: its sums, and the golden hash', () => {
  const bill = usual().bill();
  expect(verifyBill(bill)).toEqual({
    lease: 7n,
    lines: 6,
    blocks: 20n,
    reports: 3,
    amount: 196n,
    commission: 7n,
    unpaid: 0n,
    fault: undefined,
  });
  expect(toHex(bill.lease.billHash)).toBe('712a9106b9f9fa28ef56e387fb6f98b1df8cc1685df9971d919c928f22f6abb3');
});

test('a bill that a chain wrote', () => {
  const file = JSON.parse(readFileSync(new URL('../vectors/bill.json', import.meta.url), 'utf8')) as {
    readonly chain_id: string;
    readonly lease: string;
    readonly price_list: string;
    readonly nodes: readonly string[];
    readonly lines: readonly string[];
  };
  const bill = {
    chainId: file.chain_id,
    lease: Lease.decode(Buffer.from(file.lease, 'base64')),
    priceList: PriceList.decode(Buffer.from(file.price_list, 'base64')),
    nodes: file.nodes.map((node) => Node.decode(Buffer.from(node, 'base64'))),
    lines: file.lines.map((line) => BillLine.decode(Buffer.from(line, 'base64'))),
  };
  expect(verifyBill(bill)).toMatchObject({ fault: undefined, reports: 1, amount: 371n, blocks: 58n });
  expect(verifyBill({ ...bill, chainId: 'mu-other' }).fault).toMatchObject({ field: 'signature' });
});

test('a lease without lines', () => {
  expect(faultAt(new BillMaker().bill())).toBe('none');
  expect(faultAt(new BillMaker().bill({ billHash: Buffer.alloc(0) }))).toBe('none');
  expect(faultAt(new BillMaker().bill({ billLines: 1n }))).toBe('0 bill_lines');
});

describe('a change of any field of any line is caught', () => {
  const lines = usual().lines;
  const flip = (bytes: Uint8Array): Buffer => Buffer.from(bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte)));
  const other = (value: unknown): unknown => {
    if (typeof value === 'bigint') return value + 1n;
    if (typeof value === 'number') return value === 1 ? 2 : 1;
    if (value instanceof Uint8Array) return value.length === 0 ? Buffer.alloc(32, 1) : flip(value);
    return /^\d*$/.test(value as string) ? `${BigInt((value as string) || '0') + 1n}` : `${value as string}x`;
  };
  const cases = lines.flatMap((line, at) =>
    Object.entries(line).flatMap(([field, value]): [string, number, Partial<BillLine>][] =>
      field === 'items'
        ? line.items.flatMap((item, index) =>
            Object.entries(item).map(([name, inner]): [string, number, Partial<BillLine>] => [
              `line ${at + 1}: items[${index}].${name}`,
              at,
              { items: line.items.map((one, i) => (i === index ? { ...one, [name]: other(inner) } : one)) },
            ]),
          )
        : [[`line ${at + 1}: ${field}`, at, { [field]: other(value) }]],
    ),
  );
  test.each(cases)('%s', (_what, at, change) => {
    expect(verifyBill(altered(at, change, false)).fault).toBeDefined();
  });

  test('and of all but the block and the transaction even where the hash fits', () => {
    const passed = cases.filter(([, at, change]) => verifyBill(altered(at, change)).fault === undefined);
    const fields = new Set(passed.map(([name]) => name.split(': ')[1]));
    expect([...fields].sort()).toEqual(['height', 'txHash']);
  });
});

describe('it says what is wrong', () => {
  const cases: [string, string, LeaseBill][] = [
    ['a line twice', '2 line', swapped((lines) => [lines[0]!, ...lines])],
    ['a line left out', '3 line', swapped((lines) => lines.toSpliced(2, 1))],
    ['the last line left out', '0 bill_lines', swapped((lines) => lines.slice(0, -1), false)],
    ['two lines in another order', '1 line', swapped((lines) => [lines[1]!, lines[0]!, ...lines.slice(2)])],
    ['a line of another lease', '1 lease', altered(0, { lease: 8n })],
    ['a gap between blocks', '3 from_height', altered(2, { fromHeight: 103n })],
    ['another price of blocks', '1 price_per_block', altered(0, { pricePerBlock: '2' })],
    ['more than blocks × price', '1 cost', altered(0, { cost: '1500000000000000002' })],
    ['a whole umu too much', '1 amount', altered(0, { amount: '2' })],
    ['a remainder that is kept back', '1 remainder_after', altered(0, { remainderAfter: '0' })],
    ['a remainder from nowhere', '1 remainder_before', altered(0, { remainderBefore: '5' })],
    ['a commission above the amount', '1 commission', altered(0, { commission: '2' })],
    ['an amount that is none', '1 amount', altered(0, { amount: '01' })],
    ['a number beyond all bounds', '1 cost', altered(0, { cost: `1${'0'.repeat(60)}` })],
    ['a changed transaction hash of the proved bill', '0 bill_hash', altered(0, { txHash: Buffer.alloc(32) }, false)],
    ['a report that comes again', '5 sequence', altered(4, { sequence: 1n })],
    ['another log root', '2 signature', altered(1, { logRoot: Buffer.alloc(32, 6) })],
    ['no signature', '2 signature', altered(1, { signature: Buffer.alloc(0) })],
    ['the report of another node', '2 signature', altered(1, { nodeId: 'west' })],
    ['an unknown node', '2 node_id', altered(1, { nodeId: 'north' })],
  ];
  test.each(cases)('%s', (_what, fault, bill) => {
    expect(faultAt(bill)).toBe(fault);
  });

  function swapped(change: (lines: readonly BillLine[]) => BillLine[], rehashed = true): LeaseBill {
    const bill = usual().bill();
    const lines = change(bill.lines);
    return { ...bill, lines, lease: rehashed ? { ...bill.lease, billHash: Buffer.from(hashOf(lines)) } : bill.lease };
  }
});

describe('against the proved records', () => {
  const withLease = (parts: Partial<Lease>): LeaseBill => usual().bill(parts);
  const cases: [string, string, LeaseBill][] = [
    ['sums of the lease', '0 paid', withLease({ paid: '1' })],
    ['its commission', '0 commission', withLease({ commission: '1' })],
    ['its confirmed blocks', '0 confirmed_blocks', withLease({ confirmedBlocks: 1n })],
    ['where it is paid through', '0 paid_through', withLease({ paidThrough: 121n })],
    ['its remainder', '0 remainder', withLease({ remainder: '1' })],
    ['another list that it fixed', '2 items[0].price', { ...usual().bill(), priceList: undefined }],
    ['a limit below the price', '2 items[0]', limited({ maxPrice: '1' })],
    ['a limit below the quantity', '2 items', limited({ maxQuantityPerBlock: 33n })],
    ['the end of the lease', '6 to_height', withLease({ closedHeight: 115n, state: LeaseState.LEASE_STATE_CLOSED })],
  ];
  test.each(cases)('%s', (_what, fault, bill) => {
    expect(faultAt(bill)).toBe(fault);
  });

  function limited(change: object): LeaseBill {
    const bill = usual().bill();
    const [first, ...rest] = bill.lease.usageLimits;
    return { ...bill, lease: { ...bill.lease, usageLimits: [{ ...first!, ...change }, ...rest] } };
  }

  const removals: [string, string, bigint, RemovalReason][] = [
    ['retired after its report', 'none', 105n, RemovalReason.REMOVAL_REASON_RETIRED],
    ['retired before the end of a period', '5 node_id', 110n, RemovalReason.REMOVAL_REASON_RETIRED],
    ['compromised before a payment', '5 node_id', 105n, RemovalReason.REMOVAL_REASON_COMPROMISED],
    ['compromised later', 'none', 112n, RemovalReason.REMOVAL_REASON_COMPROMISED],
  ];
  test.each(removals)('a node %s', (what, fault, removedHeight, removalReason) => {
    const whole = what.includes('after')
      ? new BillMaker().blocksTo(101n).report('east', 103n, 109n).blocksTo(110n)
      : usual();
    const bill = whole.bill();
    const nodes = bill.nodes.map((node) => (node.nodeId === 'east' ? { ...node, removedHeight, removalReason } : node));
    expect(faultAt({ ...bill, nodes })).toBe(fault);
  });

  test('a node whose certificate is over, or of another provider', () => {
    const bill = usual().bill();
    const over = bill.nodes.map((node) => ({ ...node, validToHeight: 102n }));
    expect(faultAt({ ...bill, nodes: over })).toBe('2 node_id');
    const foreign = bill.nodes.map((node) => ({ ...node, provider: 'mu1other' }));
    expect(faultAt({ ...bill, nodes: foreign })).toBe('2 node_id');
  });
});

describe('without funds', () => {
  const dry = (): BillMaker => new BillMaker().blocksTo(105n).blocksTo(110n, 2n);

  test('what is there is paid, the remainder drops, and blocks may be left out after it', () => {
    const maker = dry();
    maker.through = 130n;
    const bill = maker.blocksTo(140n).bill();
    expect(verifyBill(bill)).toMatchObject({ fault: undefined, blocks: 15n, unpaid: 6n });
    expect(faultAt(dry().bill({ state: LeaseState.LEASE_STATE_OUT_OF_FUNDS, paidThrough: 120n }))).toBe('none');
  });

  test('blocks are left out only then', () => {
    const maker = new BillMaker().blocksTo(105n);
    maker.through = 110n;
    expect(faultAt(maker.blocksTo(120n).bill())).toBe('2 from_height');
  });
});

test('the end of a lease drops its remainder once; late reports carry theirs', () => {
  const maker = usual();
  maker.remainder = 0n;
  const late = maker.report('west', 118n, 130n, 10n).report('west', 119n, 131n, 10n);
  const closed = { state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 120n };
  expect(faultAt(late.bill(closed))).toBe('none');
  expect(faultAt(late.bill())).toBe('7 remainder_before');
});

describe('a deployment', () => {
  const bill = usual().bill();
  const input = (parts: { spent?: string; numbers?: bigint[]; lines?: readonly BillLine[] }) => ({
    chainId: bill.chainId,
    owner: 'mu1owner',
    dseq: 4n,
    records: {
      lease: async (number: bigint) => (number === 7n ? bill.lease : undefined),
      escrow: async (_owner: string, dseq: bigint) =>
        dseq === 4n ? EscrowAccount.fromPartial({ spent: parts.spent ?? '196' }) : undefined,
      priceList: async () => bill.priceList,
      node: async (_owner: string, nodeId: string) => bill.nodes.find((node) => node.nodeId === nodeId),
    },
    lists: { leasesOf: async () => parts.numbers ?? [7n, 7n], linesOf: async () => [...(parts.lines ?? bill.lines)] },
  });

  test('is right where its leases are and their sum is what the escrow has spent', async () => {
    expect(await verifyDeploymentBill(input({}))).toMatchObject({ amount: 196n, fault: undefined });
    expect(await verifyDeploymentBill({ ...input({}), dseq: 5n })).toBeUndefined();
  });

  test('lines that came after the proved record do not count', async () => {
    const lines = usual().blocksTo(130n).lines;
    expect((await verifyDeploymentBill(input({ lines })))?.fault).toBeUndefined();
  });

  test('a lease that is hidden, or not the deployment’s, is found', async () => {
    expect(await verifyDeploymentBill(input({ numbers: [] }))).toMatchObject({ fault: { lease: 0n, field: 'spent' } });
    expect(await verifyDeploymentBill(input({ numbers: [7n, 8n] }))).toMatchObject({
      fault: { lease: 8n, field: 'number' },
    });
    const foreign = { ...input({}), owner: 'mu1other' };
    expect(await verifyDeploymentBill(foreign)).toMatchObject({ fault: { lease: 7n, field: 'number' } });
  });

  test('a node name that is none makes no key', async () => {
    const lines = bill.lines.map((line, at) => (at === 1 ? { ...line, nodeId: 'x'.repeat(300) } : line));
    expect(await verifyDeploymentBill(input({ lines }))).toMatchObject({
      fault: { lease: 7n, line: 2n, field: 'node_id' },
    });
  });
});
