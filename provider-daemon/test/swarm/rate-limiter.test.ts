import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { maxBuckets, maxWaitingJobs, RateLimiter, type RateLimits } from '../../src/swarm/rate-limiter.ts';
import { TokenBucket } from '../../src/swarm/token-bucket.ts';

const unlimited = Number.POSITIVE_INFINITY;
const job = (swarm: string, peer: string, bytes: number) => ({ swarm, peer, bytes, job: undefined });

/** Lets time pass, a millisecond at a time, and keeps every manifest's queue filled. @returns bytes by manifest and peer */
function run(limits: RateLimits, offers: readonly (readonly [string, string, number])[], ms: number) {
  const limiter = new RateLimiter<undefined>(limits);
  const sent = new Map<string, number>();
  const add = (name: string, bytes: number) => sent.set(name, (sent.get(name) ?? 0) + bytes);
  for (const offer of offers) for (let copies = 0; copies < 32; copies += 1) limiter.add(job(...offer));
  for (let nowMs = 0; nowMs < ms; nowMs += 1) {
    for (const done of limiter.release(nowMs)) {
      add(done.swarm, done.bytes);
      add(done.peer, done.bytes);
      add('all', done.bytes);
      limiter.add(done);
    }
  }
  return (name: string) => sent.get(name) ?? 0;
}

test('a bucket lets the burst pass at once and then keeps its rate, also for what is larger than the burst', () => {
  const bucket = new TokenBucket(1_000, 500);
  expect(bucket.has(500, 0)).toBe(true);
  bucket.take(500, 0);
  expect(bucket.has(1, 0)).toBe(false);
  expect(bucket.readyMs(200, 0)).toBe(200);
  expect(bucket.has(200, 200)).toBe(true);
  // 2,000 bytes need the whole burst, and then two seconds of debt.
  expect(bucket.readyMs(2_000, 200)).toBe(500);
  bucket.take(2_000, 500);
  expect(bucket.readyMs(500, 500)).toBe(2_500);
  expect(() => new TokenBucket(0, 1)).toThrow(RangeError);
});

test('a clock that goes back gives no tokens', () => {
  const bucket = new TokenBucket(1_000, 500);
  bucket.take(500, 1_000);
  expect(bucket.has(100, 900)).toBe(false);
  expect(bucket.has(100, 1_050)).toBe(false);
  expect(bucket.has(100, 1_100)).toBe(true);
});

test('the rate in all is kept, whatever waits', () => {
  const offers = fc.array(
    fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('p', 'q', 'r'), fc.integer({ min: 1, max: 300_000 })),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(offers, (list) => {
      const sent = run({ total: 1_000_000, perPeer: unlimited, burst: 100_000 }, list, 3_000);
      const largest = Math.max(...list.map(([, , bytes]) => bytes));
      expect(sent('all')).toBeLessThanOrEqual(3_000_000 + 100_000 + largest);
      expect(sent('all')).toBeGreaterThanOrEqual(3_000_000 - 100_000 - largest);
    }),
    { seed: 1, numRuns: 30 },
  );
});

test('manifests share by bytes, not by jobs: small pieces are not pushed aside by large ones', () => {
  const sent = run(
    { total: 1_000_000, perPeer: unlimited, burst: 65_536 },
    [
      ['large', 'p', 262_144],
      ['small', 'q', 4_096],
      ['medium', 'r', 65_536],
    ],
    20_000,
  );
  for (const name of ['large', 'small', 'medium']) {
    expect(sent(name) / sent('all')).toBeGreaterThan(0.28);
    expect(sent(name) / sent('all')).toBeLessThan(0.39);
  }
});

test('one manifest more does not starve though another has a thousand jobs before it', () => {
  const limiter = new RateLimiter<undefined>({ total: 1_000_000, perPeer: unlimited, burst: 65_536 });
  for (let count = 0; count < maxWaitingJobs; count += 1) limiter.add(job('old', 'p', 65_536));
  limiter.release(0);
  limiter.add(job('new', 'p', 65_536));
  const first: string[] = [];
  for (let nowMs = 0; nowMs < 250; nowMs += 1) first.push(...limiter.release(nowMs).map(({ swarm }) => swarm));
  expect(first).toContain('new');
});

test('a peer has its own limit, and does not hold up the others', () => {
  const sent = run(
    { total: 1_000_000, perPeer: 100_000, burst: 65_536 },
    [
      ['a', 'slow', 65_536],
      ['a', 'other', 65_536],
      ['b', 'slow', 65_536],
      ['b', 'third', 65_536],
    ],
    10_000,
  );
  for (const peer of ['slow', 'other', 'third']) {
    expect(sent(peer)).toBeGreaterThan(850_000);
    expect(sent(peer)).toBeLessThanOrEqual(1_000_000 + 2 * 65_536);
  }
});

test('it says when there is something to do, and then there is', () => {
  const limiter = new RateLimiter<undefined>({ total: 10_000, perPeer: 5_000, burst: 1_000 });
  expect(limiter.nextMs(0)).toBeUndefined();
  for (let count = 0; count < 4; count += 1) limiter.add(job('a', 'p', 1_000));
  expect(limiter.nextMs(0)).toBe(0);
  expect(limiter.release(0)).toHaveLength(1);
  expect(limiter.nextMs(0)).toBe(200);
  expect(limiter.release(199)).toHaveLength(0);
  expect(limiter.release(200)).toHaveLength(1);
});

test('no more waits than may, and what is removed does not come', () => {
  const limiter = new RateLimiter<undefined>({ total: 1, perPeer: 1, burst: 1 });
  for (let count = 0; count < maxWaitingJobs; count += 1) expect(limiter.add(job('a', `${count % 2}`, 10))).toBe(true);
  expect(limiter.add(job('a', '0', 10))).toBe(false);
  expect(limiter.add(job('b', '0', 10))).toBe(true);
  limiter.remove('a', '0');
  expect(limiter.waiting).toBe(maxWaitingJobs / 2 + 1);
  limiter.remove('a');
  limiter.remove('b');
  expect(limiter.waiting).toBe(0);
  expect(limiter.release(1_000_000)).toEqual([]);
});

test('of more peers than are remembered those are forgotten that owe nothing', () => {
  const limiter = new RateLimiter<undefined>({ total: unlimited, perPeer: 1_000, burst: 1_000 });
  limiter.add(job('a', 'debtor', 1_000));
  expect(limiter.release(0)).toHaveLength(1);
  for (let count = 0; count < maxBuckets + 10; count += 1) {
    limiter.add(job('a', `${count}`, 1));
    expect(limiter.nextMs(0)).toBe(0);
    limiter.remove('a');
  }
  limiter.add(job('a', 'debtor', 1_000));
  expect(limiter.release(0)).toEqual([]);
  expect(limiter.release(1_000)).toHaveLength(1);
});
