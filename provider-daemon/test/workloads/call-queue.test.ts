import { expect, jest, test } from '@jest/globals';
import { CallPace, CallQueue, type Outlook, type QueueLimits } from '../../src/workloads/call-queue.ts';
import { failureOf } from './driver-compliance.ts';

const limits: QueueLimits = { maxQueued: 4, patienceMs: 60, soonMs: 1_000, maxQueuedMs: 10_000 };
const nothing = (): undefined => undefined;

/** A queue on a clock of its own; `after` tells how each call has ended by then. */
function queueWith(outlook: Outlook) {
  jest.useFakeTimers();
  const now = { outlook };
  const queue = new CallQueue(limits, () => now.outlook);
  const ends: string[] = [];
  const add = (signal?: AbortSignal): void => {
    const at = ends.push('waits') - 1;
    const call = { args: ['f'], env: {}, stdin: new Uint8Array(), ...(signal === undefined ? {} : { signal }) };
    void failureOf(queue.add(call, nothing)).then((reason) => {
      ends[at] = reason;
    });
  };
  const after = async (ms: number): Promise<string[]> => {
    await jest.advanceTimersByTimeAsync(ms);
    return [...ends];
  };
  return { queue, now, add, after };
}
afterEach(() => jest.useRealTimers());

const slow: Outlook = { starting: 0, isFresh: false, rate: 0, isStuck: false };

test('where no call comes to an end, all that wait are refused after the patience, not before', async () => {
  const { add, after } = queueWith(slow);
  add();
  add();
  expect(await after(59)).toEqual(['waits', 'waits']);
  expect(await after(1)).toEqual(['busy', 'busy']);
});

test('who will be served soon waits on, whoever stands too far behind is refused', async () => {
  // A call ends each 400 ms: the second is served within a second, the third is not.
  const { add, after } = queueWith({ starting: 0, isFresh: false, rate: 1 / 400, isStuck: false });
  for (let i = 0; i < 3; i += 1) add();
  expect(await after(60)).toEqual(['waits', 'waits', 'busy']);
  expect(await after(5_000)).toEqual(['waits', 'waits', 'busy']);
  expect(await after(5_000)).toEqual(['busy', 'busy', 'busy']);
});

test('where calls hold everything and seem not to end at all, the next one is told at once', async () => {
  const { add, after } = queueWith({ ...slow, isStuck: true });
  add();
  expect(await after(0)).toEqual(['busy']);
});

test('a hope that does not come true ends with the next look', async () => {
  const { add, after, now } = queueWith({ starting: 0, isFresh: false, rate: 1, isStuck: false });
  add();
  expect(await after(60)).toEqual(['waits']);
  now.outlook = slow;
  expect(await after(60)).toEqual(['busy']);
});

test('for each instance that starts one call waits; where the function only begins to be called, all do', async () => {
  const starting = queueWith({ starting: 1, isFresh: false, rate: 0, isStuck: false });
  starting.add();
  starting.add();
  expect(await starting.after(60)).toEqual(['waits', 'busy']);
  const fresh = queueWith({ starting: 1, isFresh: true, rate: 0, isStuck: false });
  for (let i = 0; i < 6; i += 1) fresh.add();
  // Four wait beside the one whose instance starts.
  expect(await fresh.after(60)).toEqual(['waits', 'waits', 'waits', 'waits', 'waits', 'busy']);
});

test('calls are taken in their order, and what has left is not taken', async () => {
  const { queue, add, after } = queueWith({ starting: 0, isFresh: true, rate: 0, isStuck: false });
  const leaving = new AbortController();
  add(leaving.signal);
  add();
  add();
  leaving.abort();
  expect(await after(0)).toEqual(['canceled', 'waits', 'waits']);
  queue.next();
  expect(queue.size).toBe(1);
  expect(queue.next()).toBeDefined();
  expect(queue.next()).toBeUndefined();
  // What is taken is no longer the queue's to refuse.
  expect(await after(20_000)).toEqual(['canceled', 'waits', 'waits']);
});

test('the pace follows the calls; what runs much longer than they do counts for nothing', () => {
  const pace = new CallPace(60);
  expect(pace.rate([0, 0])).toBeCloseTo(0.2);
  for (let i = 0; i < 50; i += 1) pace.ended(100);
  expect(pace.rate([0, 50])).toBeCloseTo(0.02, 4);
  expect(pace.rate([299, 301])).toBeCloseTo(0.01, 4);
  for (let i = 0; i < 50; i += 1) pace.ended(1);
  expect(pace.rate([60, 61])).toBeCloseTo(1, 2);
  expect(pace.rate([61])).toBe(0);
  expect([pace.isOverdue(900, 1_000), pace.isOverdue(1_001, 1_000)]).toEqual([false, true]);
});
