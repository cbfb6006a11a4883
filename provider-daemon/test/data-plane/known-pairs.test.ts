import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { KnownPairs, maxKnownPairs } from '../../src/data-plane/known-pairs.ts';

const hourMs = 3_600_000;
let folder: string;
let path: string;
let nowMs: number;
const now = (): number => nowMs;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-known-'));
  path = join(folder, 'known-pairs.json');
  nowMs = 1_800_000_000_000;
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a pair is known for a day after it was up last, over a restart too', () => {
  const first = new KnownPairs({ path, now });
  first.add('a');
  nowMs += hourMs;
  first.add('b');
  expect([first.has('a'), first.has('b'), first.has('c')]).toEqual([true, true, false]);
  first.flush();
  const second = new KnownPairs({ path, now });
  nowMs += 23 * hourMs;
  expect([second.has('a'), second.has('b')]).toEqual([true, true]);
  nowMs += 1;
  expect([second.has('a'), second.has('b')]).toEqual([false, true]);
  second.add('b');
  second.flush();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([['b', nowMs]]);
  expect([readdirSync(folder), statSync(path).mode & 0o777]).toEqual([['known-pairs.json'], 0o600]);
});

test('one that stays up does not write again at every look', () => {
  const pairs = new KnownPairs({ path, now });
  pairs.add('a');
  pairs.flush();
  const before = statSync(path).ino;
  nowMs += 1000;
  pairs.add('a');
  pairs.flush();
  expect(statSync(path).ino).toBe(before);
});

test('there are so many at most: the longest ago goes', () => {
  const pairs = new KnownPairs({ path, now });
  for (let at = 0; at <= maxKnownPairs; at += 1) pairs.add(String(at));
  expect([pairs.has('0'), pairs.has('1'), pairs.has(String(maxKnownPairs))]).toEqual([false, true, true]);
  pairs.flush();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toHaveLength(maxKnownPairs);
});

test.each(['{', '{"a":1}', '[["a"],["b","c"],[1,2],["d",null]]', ''])(
  'what is no list of pairs knows nobody: %s',
  (text) => {
    writeFileSync(path, text);
    const pairs = new KnownPairs({ path, now });
    expect(['a', 'b', 'd'].some((label) => pairs.has(label))).toBe(false);
    pairs.add('e');
    pairs.flush();
    expect(new KnownPairs({ path, now }).has('e')).toBe(true);
  },
);

test('what the disk does not take is tried again', () => {
  const pairs = new KnownPairs({ path: join(folder, 'later', 'known'), now });
  pairs.add('a');
  expect(() => pairs.flush()).toThrow(/ENOENT/);
  expect(() => pairs.flush()).toThrow(/ENOENT/);
});
