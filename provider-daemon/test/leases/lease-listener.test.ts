import { beforeEach, expect, test } from '@jest/globals';
import { Lease } from '@mu/proto/market';
import { pino } from 'pino';
import { leaseListener } from '../../src/leases/lease-listener.ts';
import type { MarketListener } from '../../src/watch/market-watch.ts';

let did: string[];
/** what the links were told */
let looked: string[];
let peersTold: (string | bigint)[];
let isAway: boolean;
let listener: MarketListener;

beforeEach(() => {
  [did, looked, peersTold, isAway] = [[], [], [], false];
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
    links: {
      deployment: ({ dseq }) => void looked.push(`deployment ${dseq}`),
      provider: (owner) => void looked.push(`provider ${owner}`),
      height: (complete) => void looked.push(`block${complete ? ' complete' : ''} after ${did.length}`),
    },
    peers: {
      deployment: (owner) => void peersTold.push(owner),
      height: (height) => void peersTold.push(height),
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

test('those who exchange manifests hear of updates, and of each block, also where a lease could not be taken up', async () => {
  listener.deployment?.({ owner: 'mu1owner', dseq: 7n });
  lease(404n);
  await expect(listener.height(5n, true)).rejects.toThrow('not proved');
  await listener.height(6n, false);
  expect(peersTold).toEqual(['mu1owner', 5n, 6n]);
});

test('while a lease could not be taken up the others are confirmed, and the bidder does not hear that all are known', async () => {
  lease(404n);
  lease(2n);
  await expect(listener.height(5n, true)).rejects.toThrow('not proved');
  expect(did).toEqual(['lease 2', 'height 5']);
  await listener.height(6n, true);
  expect(did.slice(2)).toEqual(['height 6', 'sweep', 'keep 1', 'told 6']);
});

test('links hear of what a block touched, and of the block before leases are confirmed', async () => {
  lease(1n);
  listener.participants?.({ owner: 'mu1owner', dseq: 7n });
  listener.provider?.('mu1p');
  await listener.height(5n, true);
  await listener.height(6n, false);
  expect(looked).toEqual(['deployment 7', 'provider mu1p', 'block complete after 0', 'block after 5']);
});
