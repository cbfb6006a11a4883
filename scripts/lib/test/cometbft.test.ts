import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { findCometbft } from '../cometbft.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-find-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A program that says it is this version. */
function program(version: string, ...parts: string[]): string {
  const file = join(folder, ...parts, 'cometbft');
  mkdirSync(join(folder, ...parts), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho ${version}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** Go itself keeps its own records in the home of whoever runs it. */
const find = (env: Record<string, string>): Promise<string | undefined> =>
  findCometbft({ env: { HOME: homedir(), GOENV: 'off', ...env }, install: false });

test('the one that MU_COMETBFT names comes first, and must be one that can be used', async () => {
  const named = program('0.38.26', 'named');
  program('0.38.26', 'path');
  expect(await find({ MU_COMETBFT: named, PATH: join(folder, 'path') })).toBe(named);
  await expect(find({ MU_COMETBFT: join(folder, 'nothing') })).rejects.toThrow('no program that runs');
  await expect(find({ MU_COMETBFT: program('1.0.1', 'other') })).rejects.toThrow('is 1.0.1: it must be CometBFT 0.38');
});

test('then the PATH, without what is too old, too new or no program, then the folders of Go', async () => {
  program('0.38.12', 'old');
  program('1.0.1', 'new');
  const usable = program('v0.38.25', 'usable');
  const path = ['old', 'new', 'missing', 'usable'].map((name) => join(folder, name)).join(':');
  expect(await find({ PATH: path })).toBe(usable);
  const installed = program('0.38.26', 'gopath', 'bin');
  expect(await find({ PATH: join(folder, 'old'), GOPATH: join(folder, 'gopath') })).toBe(installed);
});

test('where none is, none is found', async () => {
  expect(await find({ PATH: join(folder, 'nothing'), GOPATH: join(folder, 'empty') })).toBeUndefined();
});
