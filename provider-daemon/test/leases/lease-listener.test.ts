import { beforeEach, expect, test } from '@jest/globals';
import { Lease } from '@mu/proto/market';
import { pino } from 'pino';
import { leaseListener } from '../../src/leases/lease-listener.ts';
import type { MarketListener } from '../../src/watch/market-watch.ts';

let did: string[];
let isAway: boolean;
let listener: MarketListener;

beforeEach(() => {
  [did, isAway] = [[], false];
  listener = leaseListener({
    keeper: {
      async lease({ number }) {
        if (number === 404n) throw new Error('the order is not proved');
        did.push(`lease ${number}`);
      },
      deployment: (owner) => void did.push(`deployment of ${owner}`),
      height: async (height) => void did.push(`height ${height}`),
      async sweep() {
        if (isAway) throw new Error('the engine is away');
        did.push('sweep');
      },
      living: async (numbers) => new Set(numbers),
    },
    desk: { leases: async () => new Set([1n]), keepOnly: async (live) => void did.push(`keep ${[...live]}`) },
    bidder: { leasesTold: (height) => void did.push(`told ${height}`) },
    seen: { height: 0n },
    log: pino({ level: 'silent' }),
  });
});

const lease = (number: bigint): void => listener.lease?.(Lease.fromPartial({ number }));

test('a sweep that cannot be done now keeps nobody from confirming and bidding, and is tried with the next block', async () => {
  isAway = true;
  lease(1n);
  await listener.height(5n, true);
  isAway = false;
  await listener.height(6n, false);
  await listener.height(7n, false);
  expect(did).toEqual([
    ...['lease 1', 'height 5', 'told 5'],
    ...['height 6', 'sweep', 'keep 1', 'told 6'],
    ...['height 7', 'told 7'],
  ]);
});

test('while a lease could not be taken up the others are confirmed, and the bidder does not hear that all are known', async () => {
  lease(404n);
  lease(2n);
  await expect(listener.height(5n, true)).rejects.toThrow('not proved');
  expect(did).toEqual(['lease 2', 'height 5']);
  await listener.height(6n, true);
  expect(did.slice(2)).toEqual(['height 6', 'sweep', 'keep 1', 'told 6']);
});
