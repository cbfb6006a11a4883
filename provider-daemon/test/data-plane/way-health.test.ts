import { expect, test } from '@jest/globals';
import { WayHealth, wayHealthLimits } from '../../src/data-plane/way-health.ts';
import { ManualTimers } from '../overlay/support/manual-timers.ts';

const { firstMs, mostMs, forgottenMs } = wayHealthLimits;

function made() {
  const timers = new ManualTimers();
  const [first, second] = [{ name: 'first' }, { name: 'second' }];
  const health = new WayHealth(timers.now);
  const isLast = (): boolean => health.inOrder([first, second])[1] === first;
  /** Refused once more; for how long it is tried last. */
  const refusedFor = (): number => {
    health.begin(first).refused();
    for (let ms = 0; ms <= 2 * mostMs; ms += 500) {
      if (!isLast()) return ms;
      timers.advance(500);
    }
    return Number.POSITIVE_INFINITY;
  };
  return { timers, health, first, second, isLast, refusedFor };
}

test('a way that has refused is last for five seconds, then for twice as long each time, up to a minute', () => {
  const { refusedFor, isLast } = made();
  expect(isLast()).toBe(false);
  const times = Array.from({ length: 6 }, refusedFor);
  expect(times).toEqual([firstMs, 2 * firstMs, 4 * firstMs, 8 * firstMs, mostMs, mostMs]);
});

test('an answer forgives all, and so does time', () => {
  const { refusedFor, health, first, isLast, timers } = made();
  refusedFor();
  health.begin(first).refused();
  expect(isLast()).toBe(true);
  health.begin(first).answered();
  expect(isLast()).toBe(false);
  expect([refusedFor(), refusedFor()]).toEqual([firstMs, 2 * firstMs]);
  timers.advance(forgottenMs);
  expect(refusedFor()).toBe(firstMs);
});

test('calls that are refused at the same time count once, even while the way is last', () => {
  const { refusedFor, health, first } = made();
  const calls = Array.from({ length: 100 }, () => health.begin(first));
  for (const call of calls) call.refused();
  expect(refusedFor()).toBe(2 * firstMs);
  for (const call of calls) call.refused();
  expect(refusedFor()).toBe(4 * firstMs);
});

test('all that have refused stay in their order behind the others', () => {
  const { health, first, second } = made();
  const third = { name: 'third' };
  for (const way of [second, first]) health.begin(way).refused();
  expect(health.inOrder([first, second, third])).toEqual([third, first, second]);
});

test('a clock that is set back makes it no longer', () => {
  const { health, first, isLast, timers } = made();
  health.begin(first).refused();
  timers.set(-3_600_000);
  expect(isLast()).toBe(false);
});
