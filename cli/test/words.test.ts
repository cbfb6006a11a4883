/** What people read: amounts, times, the order book, bills, how long funds last. */
import { describe, expect, test } from '@jest/globals';
import { Dec } from '@mu/lib/dec';
import { BillLine, BillLineKind, QueryRunwayResponse } from '@mu/proto/billing';
import { CloseReason, Fulfillment, FulfillmentState, Lease, LeaseState, Order, OrderState } from '@mu/proto/market';
import { ProviderState } from '@mu/proto/provider';
import { billText, lineFacts } from '../src/bill-text.ts';
import { parseReason } from '../src/commands/lease.ts';
import { filterOf, parseAttribute } from '../src/commands/provider.ts';
import { inWords } from '../src/commands/runway.ts';
import { type Book, bestFirst, bookText } from '../src/order-book.ts';
import { orderName, parseOrder } from '../src/order-name.ts';
import { duration, grouped, perMonth, secondsOf, wordOf } from '../src/words.ts';

const dec = (text: string): string => Dec.fromString(text).atomicsString();
const blocksPerYear = 31_557_600n;

test('amounts are grouped, prices become those of a month, blocks become time', () => {
  expect([0n, 999n, 1_000n, 1_234_567n].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect(grouped(Dec.fromString('1234567.1234'))).toBe('1,234,567.1234');
  expect(perMonth(BigInt(dec('0.5')), blocksPerYear)).toBe(1_314_900n);
  expect(secondsOf(10n, blocksPerYear * 5n)).toBe(2);
  expect([5, 61, 3_600, 90_061, 31_557_600 * 2].map(duration)).toEqual([
    '5 s',
    '1 min 1 s',
    '1 h',
    '1 day 1 h',
    '2 years',
  ]);
});

test('enums lose what all of them share', () => {
  expect(wordOf(LeaseState, LeaseState.LEASE_STATE_OUT_OF_FUNDS)).toBe('out of funds');
  expect(wordOf(BillLineKind, BillLineKind.BILL_LINE_KIND_USAGE)).toBe('usage');
  expect(wordOf(ProviderState, 99)).toBe('99');
});

test('an order’s name is read as it is written', () => {
  const id = { owner: 'mu1owner', dseq: 7n, infrastructure: 0, round: 2 };
  expect(parseOrder(orderName(id))).toEqual(id);
  for (const text of ['7', 'mu1owner/7/0', 'mu1owner/seven/0/1', 'mu1owner/7/0/1/2'])
    expect(() => parseOrder(text)).toThrow('OWNER/DSEQ/INFRASTRUCTURE/ROUND');
});

const id = { owner: 'mu1user', dseq: 7n, infrastructure: 0, round: 1 };
const bid = (
  number: bigint,
  total: string,
  state: FulfillmentState = FulfillmentState.FULFILLMENT_STATE_OPEN,
): Fulfillment =>
  Fulfillment.fromPartial({ number, order: id, provider: `mu1provider${number}`, total: dec(total), state });
const open = Order.fromPartial({
  id,
  spec: {
    name: 'main',
    region: 'local',
    services: ['mu-function'],
    attributes: [{ key: 'tier', value: 'gold' }],
    auditedBy: ['mu1auditor'],
    resources: [
      { compute: { cpu: 500, memory: 536_870_912n, disk: 0n }, price: dec('20'), collateral: '500', count: 2 },
    ],
  },
  state: OrderState.ORDER_STATE_OPEN,
  readyHeight: 100n,
  dueHeight: 108n,
});

describe('the order book', () => {
  const book = (parts: Partial<Book> = {}): Book => ({
    height: 105n,
    blocksPerYear,
    denom: 'umu',
    orders: [{ order: open, bids: [bid(3n, '30'), bid(2n, '12.5'), bid(1n, '30')] }],
    leases: [],
    ...parts,
  });

  test('has the best bid first, the earlier one on a tie, lost ones behind', () => {
    const lost = bid(9n, '1', FulfillmentState.FULFILLMENT_STATE_LOST);
    expect(bestFirst([bid(3n, '30'), lost, bid(1n, '30'), bid(2n, '12.5')]).map(({ number }) => number)).toEqual([
      2n,
      1n,
      3n,
      9n,
    ]);
  });

  test('says what an order asks, what it pays at most, when it is due and who bids', () => {
    expect(bookText(book()).split('\n')).toEqual([
      'block 105 · a block is about 1 s · prices in umu',
      '',
      'order mu1user/7/0/1  "main" in local',
      '  asks  2 × cpu 0.5, memory 512 MiB; services mu-function; tier=gold; audited by mu1auditor',
      '  pays  at most 40 per block (105,192,000 per month); collateral 1,000',
      '  due   block 108, in 3 blocks, about 3 s',
      '  bids',
      '       PROVIDER      PER BLOCK  PER MONTH   BID  STATE',
      '    →  mu1provider2  12.5       32,872,500  2    open',
      '       mu1provider1  30         78,894,000  1    open',
      '       mu1provider3  30         78,894,000  3    open',
      '',
      'leases',
      '  no lease',
    ]);
  });

  test('says what is waited for, and what is over', () => {
    const waiting = { ...open, dueHeight: 0n, replaces: 4n };
    const text = bookText(book({ orders: [{ order: waiting, bids: [] }] }));
    expect(text).toContain('waits for its first bid, is matched from block 100 on; replaces lease 4');
    const matched = { ...open, state: OrderState.ORDER_STATE_MATCHED, lease: 5n };
    expect(bookText(book({ orders: [{ order: matched, bids: [] }] }))).toContain('due   matched, lease 5');
    expect(bookText(book({ orders: [] }))).toContain('no order is open');
  });

  test('notes what a lease is about', () => {
    const lease = (parts: Partial<Lease>): Lease =>
      Lease.fromPartial({ number: 1n, order: id, pricePerBlock: dec('2'), state: 1, ...parts });
    const text = bookText(
      book({
        leases: [
          lease({ graceUntil: 125n }),
          lease({ leaveHeight: 130n }),
          lease({ replaces: 3n }),
          lease({ endpoints: ['https://one.example/'] }),
        ],
      }),
    );
    for (const note of ['within 20 blocks', 'leaves at block 130', 'takes over from lease 3', 'https://one.example/'])
      expect(text).toContain(note);
  });
});

describe('a bill', () => {
  const lines = [
    BillLine.fromPartial({
      lease: 3n,
      line: 1n,
      kind: BillLineKind.BILL_LINE_KIND_LEASE,
      height: 110n,
      fromHeight: 101n,
      toHeight: 110n,
      pricePerBlock: dec('1.25'),
      cost: dec('12.5'),
      remainderBefore: '0',
      remainderAfter: dec('0.5'),
      amount: '12',
      commission: '1',
      unpaid: '0',
      txHash: Buffer.alloc(32, 171),
    }),
    BillLine.fromPartial({
      lease: 3n,
      line: 2n,
      kind: BillLineKind.BILL_LINE_KIND_USAGE,
      height: 111n,
      fromHeight: 101n,
      toHeight: 111n,
      nodeId: 'node-1',
      sequence: 1n,
      items: [
        { service: 'api', metric: 'egress-bytes', quantity: 2_000n, price: dec('5'), per: 1_000n, cost: dec('10') },
      ],
      cost: dec('10'),
      remainderBefore: dec('0.5'),
      remainderAfter: '0',
      amount: '8',
      commission: '0',
      unpaid: '2',
    }),
  ];
  const lease = Lease.fromPartial({ number: 3n, order: id, provider: 'mu1p', pricePerBlock: dec('1.25'), state: 1 });

  test('shows what each line is for, how it is reckoned, and its evidence', () => {
    expect(billText([{ lease, lines }], 'umu').split('\n')).toEqual([
      'lease 3 of order mu1user/7/0/1, active',
      '  with mu1p: 1.25 umu per block, usage by its price list 0',
      '  1. blocks 101–110: 10 × 1.25 = 12.5',
      `     paid 12 (1 commission), 0.5 left over; block 110, transaction ${'AB'.repeat(32)}`,
      '  2. blocks 101–111: report 1 of node node-1',
      '     api egress-bytes: 2,000 × 5 / 1,000 = 10',
      '     paid 8 with 0.5 carried (0 commission), 2 without funds; block 111, at the end of the block',
      '',
      'in all 20 umu',
    ]);
    expect(billText([], 'umu')).toContain('nothing was billed');
  });

  test('is data with hashes in hex', () => {
    expect(lineFacts(lines[0] as BillLine)).toMatchObject({ kind: 'lease', tx_hash: 'AB'.repeat(32), signature: '' });
  });
});

test('how long funds last', () => {
  const at = { now: 1_000n, blocksPerYear };
  const runway = (parts: Partial<QueryRunwayResponse>): string =>
    inWords(QueryRunwayResponse.fromPartial({ pricePerBlock: dec('42.5'), ...parts }), at);
  expect(runway({ height: 0n })).toContain('no lease is active');
  expect(runway({ height: 2n ** 63n - 1n })).toContain('for ever');
  expect(runway({ height: 4_600n })).toBe('funds last until block 4,600, in 1 h, at 42.5 per block');
  expect(runway({ height: 900n })).toContain('in 0 s');
});

test('reasons and filters are words, and what is wrong is said with what is right', () => {
  expect(parseReason('not-serving')).toBe(CloseReason.CLOSE_REASON_NOT_SERVING);
  expect(() => parseReason('not-confirmed')).toThrow('by-user, not-serving');
  const options = { per: '10', state: 'active', limit: '5' };
  expect(filterOf({ ...options, metric: 'reads', maxPrice: '1.5', attribute: ['a=b=c'] })).toEqual({
    region: '',
    metric: 'reads',
    attributes: [{ key: 'a', value: 'b=c' }],
    maxPrice: dec('1.5'),
    maxPricePer: 10n,
    state: ProviderState.PROVIDER_STATE_ACTIVE,
  });
  expect(() => filterOf({ ...options, maxPrice: '1' })).toThrow('--metric');
  expect(() => filterOf({ ...options, metric: 'reads', maxPrice: 'much' })).toThrow('--max-price');
  expect(() => filterOf({ ...options, state: 'asleep' })).toThrow('active, leaving or gone');
  expect(() => parseAttribute('gold')).toThrow('key=value');
});
