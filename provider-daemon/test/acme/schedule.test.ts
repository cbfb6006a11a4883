import { describe, expect, test } from '@jest/globals';
import { dueAt, renewalOf } from '../../src/acme/schedule.ts';

const minute = 60_000;
const held = { from: 0, until: 90 * 24 * 60 * minute };

describe('when a certificate is asked for', () => {
  test('at once where there is none, at two thirds of its life where there is one', () => {
    expect(dueAt(undefined, undefined)).toBe(0);
    expect(dueAt(held, undefined)).toBe(60 * 24 * 60 * minute);
    expect(renewalOf({ from: 300, until: 600 })).toBe(500);
  });

  test.each([
    [1, 2],
    [2, 4],
    [5, 32],
    [9, 512],
    [10, 720],
    [1000, 720],
  ])('after %d failures in a row: %d minutes later', (count, minutes) => {
    expect(dueAt(undefined, { count, at: 1_000 })).toBe(1_000 + minutes * minute);
  });

  test('a failure long ago does not bring a renewal forward', () => {
    expect(dueAt(held, { count: 1, at: 0 })).toBe(60 * 24 * 60 * minute);
  });
});
