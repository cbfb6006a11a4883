import { expect, test } from '@jest/globals';
import { aims, spread } from '../figures.ts';

test('64 peers have 64 pieces in less than twice the time of one, and the first holder sends at most two copies', () => {
  const two = spread(2, 64, 1);
  const many = spread(64, 64, 1);
  expect(many.lastPeerMs).toBeLessThanOrEqual(aims.lastPeer * two.lastPeerMs);
  expect(many.firstHolderCopies).toBeLessThanOrEqual(aims.copies);
  expect(many.firstHolderCopies).toBeGreaterThanOrEqual(1);
  // Nothing is faster than the holder's line.
  expect(two.pieceTimes).toBeGreaterThanOrEqual(64);
});

test.each([2, 8, 64, 512])('a single piece spreads to %i peers by doubling', (peers) => {
  const { pieceTimes } = spread(peers, 1, 1);
  expect(pieceTimes).toBeLessThanOrEqual(Math.log2(peers) + aims.beyondDoubling);
  expect(pieceTimes).toBeGreaterThanOrEqual(Math.log2(peers));
});

test('the same seed gives the same figures, another one others', () => {
  expect(spread(16, 20, 7)).toEqual(spread(16, 20, 7));
  expect(spread(16, 20, 8)).not.toEqual(spread(16, 20, 7));
});
