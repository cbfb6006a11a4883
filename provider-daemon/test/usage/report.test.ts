import { describe, expect, test } from '@jest/globals';
import { Lease } from '@mu/proto/market';
import { Counters } from '../../src/usage/counters.ts';
import { addCounts, freshUsage, nextReport, reconciled, taken, type UsageState } from '../../src/usage/report.ts';

const lease = Lease.fromPartial({
  number: 3n,
  createdHeight: 10n,
  usageLimits: [{ metric: 'requests', maxPrice: '1', maxPricePer: 1n, maxQuantityPerBlock: 5n }],
});
const node = { nodeId: 'node-1', logRoot: new Uint8Array(32).fill(7) };
const counted = [
  { service: 'web', metric: 'requests', quantity: 8n },
  { service: 'api', metric: 'bytes', quantity: 900n },
];
const signed = (state: UsageState, toHeight: bigint): UsageState => {
  const report = nextReport(lease, state, node, toHeight);
  return {
    ...state,
    counted: [],
    pending: report === undefined ? undefined : { report, signature: new Uint8Array(64) },
  };
};

test('counters add up and come in byte order, without zeros', () => {
  const counters = new Counters(counted);
  counters.add('web', 'requests', 2n);
  counters.add('web', 'none', 0n);
  expect(counters.items().map(({ service, metric, quantity }) => `${service} ${metric} ${quantity}`)).toEqual([
    'api bytes 900',
    'web requests 10',
  ]);
  counters.subtract(counted);
  expect(counters.items()).toEqual([{ service: 'web', metric: 'requests', quantity: 2n }]);
});

describe('the next report', () => {
  test('begins behind the match, then behind the last one, without gap', () => {
    const first = signed({ ...freshUsage(lease), counted }, 20n);
    expect(first.pending?.report).toMatchObject({
      lease: 3n,
      nodeId: 'node-1',
      sequence: 1n,
      fromHeight: 11n,
      toHeight: 20n,
    });
    const second = signed({ ...taken(first), counted }, 25n);
    expect(second.pending?.report).toMatchObject({ sequence: 2n, fromHeight: 21n, toHeight: 25n });
  });

  test('is the pending one until the chain has taken it, whatever was counted since', () => {
    const state = signed({ ...freshUsage(lease), counted }, 20n);
    expect(nextReport(lease, { ...state, counted: [] }, node, 30n)).toBe(state.pending?.report);
  });

  test('is none without usage, or without a new block', () => {
    expect(nextReport(lease, freshUsage(lease), node, 20n)).toBeUndefined();
    expect(nextReport(lease, { ...freshUsage(lease), counted }, node, 10n)).toBeUndefined();
  });

  test('never asks for more than the limits of the lease, over all services of a metric', () => {
    const both = [...counted, { service: 'zoo', metric: 'requests', quantity: 8n }];
    const report = nextReport(lease, { ...freshUsage(lease), counted: both }, node, 12n);
    expect(report?.items.map(({ service, quantity }) => `${service} ${quantity}`)).toEqual([
      'api 900',
      'web 8',
      'zoo 2',
    ]);
  });
});

describe('after a restart', () => {
  const pending = signed({ ...freshUsage(lease), counted }, 20n);
  test('a report that the chain has taken is not sent again, and what was counted since stays', () => {
    const state = { ...pending, counted };
    expect(reconciled(state, { sequence: 1n, toHeight: 20n })).toEqual({
      sequence: 1n,
      toHeight: 20n,
      pending: undefined,
      seen: [],
      counted,
    });
  });
  test('a report that it has not taken is sent as it was', () => {
    expect(reconciled(pending, { sequence: 0n, toHeight: 10n })).toBe(pending);
  });
  test('a disk that lags behind the chain bills nothing twice', () => {
    expect(reconciled({ ...freshUsage(lease), counted }, { sequence: 4n, toHeight: 40n })).toEqual({
      sequence: 4n,
      toHeight: 40n,
      counted: [],
      seen: [],
      pending: undefined,
    });
  });
});

test('a disk that lags behind the chain lets go of the report that it held', () => {
  const pending = { ...signed({ ...freshUsage(lease), counted }, 20n), counted };
  const state = reconciled(pending, { sequence: 3n, toHeight: 40n });
  expect(state).toMatchObject({ sequence: 3n, toHeight: 40n, counted: [], pending: undefined });
});

describe('totals of the data plane', () => {
  const total = (quantity: bigint) => [{ service: 'gw', metric: 'requests', quantity }];
  const requests = (state: UsageState) => state.counted.find(({ metric }) => metric === 'requests')?.quantity;

  test('are counted by what they have grown, whoever was restarted meanwhile', () => {
    const first = addCounts(freshUsage(lease), [], total(5n));
    const second = addCounts(first, [], total(5n));
    const third = addCounts(second, [], total(8n));
    expect([first, second, third].map(requests)).toEqual([5n, 5n, 8n]);
    expect(requests(addCounts({ ...third, counted: [] }, [], total(9n)))).toBe(1n);
  });
  test('that began anew are all new', () => {
    expect(requests(addCounts(addCounts(freshUsage(lease), [], total(50n)), [], total(2n)))).toBe(52n);
  });
  test('that are not told of now are remembered', () => {
    const away = addCounts(addCounts(freshUsage(lease), [], total(5n)), [], []);
    expect(requests(addCounts(away, [], total(6n)))).toBe(6n);
  });
  test('and increments add up', () => {
    const state = addCounts(freshUsage(lease), counted, total(1n));
    expect(state.counted).toHaveLength(3);
    expect(addCounts(state, counted, total(1n)).counted.find(({ service }) => service === 'web')?.quantity).toBe(16n);
  });
});
