import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { dueMs, type WatchedRequest, watchBody } from '../../src/api/body-watch.ts';

class Request extends EventEmitter {
  complete = false;
  readonly socket = { bytesRead: 1_000 };
  destroyed = false;

  destroy(): this {
    this.destroyed = true;
    this.emit('close');
    return this;
  }
}

const minute = 60_000;
let request: Request;
let nowMs: number;

beforeEach(() => {
  jest.useFakeTimers();
  request = new Request();
  nowMs = 5_000;
  watchBody(request as unknown as WatchedRequest, () => nowMs);
});
afterEach(() => {
  jest.useRealTimers();
});

/** Lets time go by, with so many bytes a second. */
function pass(ms: number, bytesPerSecond: number): void {
  for (let at = 0; at < ms; at += 1_000) {
    nowMs += 1_000;
    request.socket.bytesRead += bytesPerSecond;
    jest.advanceTimersByTime(1_000);
  }
}

test('a body of which little comes is cut after ten minutes', () => {
  pass(10 * minute, 10);
  expect(request.destroyed).toBe(false);
  pass(minute, 10);
  expect([request.destroyed, jest.getTimerCount()]).toEqual([true, 0]);
});

test('one that comes at a fair pace is not, however large it is', () => {
  pass(180 * minute, 64 * 1024);
  expect(request.destroyed).toBe(false);
  pass(9 * minute, 0);
  expect(request.destroyed).toBe(false);
  pass(2 * minute, 0);
  expect(request.destroyed).toBe(true);
});

test('nothing is watched of a body that has come', () => {
  pass(minute, 0);
  request.complete = true;
  pass(minute, 0);
  expect(jest.getTimerCount()).toBe(0);
  watchBody(request as unknown as WatchedRequest, () => nowMs);
  expect(jest.getTimerCount()).toBe(0);
  expect(dueMs(64 * 1024)).toBe(10 * minute + 1_000);
});
