import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { FunctionSet } from '../../src/data-plane/function-set.ts';
import type { ServedFunction } from '../../src/data-plane/plane.ts';
import { NullDriver } from '../../src/workloads/null-driver.ts';
import { callOf } from '../workloads/driver-compliance.ts';

let folder: string;
let driver: NullDriver;
let set: FunctionSet;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-functions-'));
  driver = new NullDriver((spec) => ({ stdout: Buffer.from(spec.artifact.bytes) }));
  set = new FunctionSet('7', driver);
});
afterEach(async () => {
  await driver.close();
  rmSync(folder, { recursive: true });
});

/** A function whose module is its own text; the null driver refuses an empty one. */
function wish(service: string, text: string): ServedFunction {
  const file = join(folder, `${service}-${text}`);
  writeFileSync(file, text);
  const sha256 = createHash('sha256').update(text).digest('hex');
  return { service, file, sha256, memoryBytes: 1024 * 1024, timeoutMs: 1000, env: {} };
}

async function says(): Promise<Record<string, string>> {
  const answers = [...set.workloads()].map(
    async ([name, workload]) => [name, (await callOf(workload)).stdout] as const,
  );
  return Object.fromEntries(await Promise.all(answers));
}

test('brings functions to what is wished; what is no longer wished runs until it is pruned, and pays what it used', async () => {
  await set.apply([wish('a', 'one'), wish('b', 'two')]);
  expect(await says()).toEqual({ a: 'one', b: 'two' });
  await set.apply([wish('a', 'three')]);
  expect(await says()).toEqual({ a: 'three', b: 'two' });
  await set.prune();
  expect(await says()).toEqual({ a: 'three' });
  const calls = set.takeUsage().filter(({ metric }) => metric === 'function-invocations');
  expect(calls.map(({ service, quantity }) => [service, quantity])).toEqual([
    ['b', 2n],
    ['a', 3n],
  ]);
});

test('where one does not start, all are as before: updated ones have their old version, new ones are gone', async () => {
  await set.apply([wish('a', 'one')]);
  await expect(set.apply([wish('a', 'two'), wish('new', 'x'), wish('broken', '')])).rejects.toThrow('empty');
  expect(await says()).toEqual({ a: 'one' });
});

test('a file that is not what was checked starts nothing', async () => {
  const changed = wish('a', 'one');
  writeFileSync(changed.file, 'other');
  await expect(set.apply([changed])).rejects.toThrow('not the one that was checked');
  expect(await says()).toEqual({});
});

test('the same module at another place is the same function: nothing is started again', async () => {
  await set.apply([wish('a', 'one')]);
  const [before] = [...set.workloads().values()];
  const same = wish('a', 'one');
  writeFileSync(join(folder, 'moved'), 'one');
  await set.apply([{ ...same, file: join(folder, 'moved') }]);
  expect([...set.workloads().values()][0]).toBe(before);
});
