import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { boundLog } from '../../src/data-plane/log-bound.ts';

let folder: string;
let path: string;
let log: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-log-'));
  path = join(folder, 'log');
  log = openSync(path, 'a');
});
afterEach(() => {
  closeSync(log);
  rmSync(folder, { recursive: true });
});

test('a log that has grown is moved aside, and whoever writes it goes on at the beginning of the next', () => {
  writeSync(log, 'first line\n');
  boundLog(path, 11);
  expect(existsSync(`${path}.1`)).toBe(false);
  writeSync(log, 'second\n');
  boundLog(path, 11);
  writeSync(log, 'third\n');
  expect([readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')]).toEqual(['first line\nsecond\n', 'third\n']);
});

test('where there is none there is nothing to do', () => {
  boundLog(join(folder, 'none'), 1);
});
