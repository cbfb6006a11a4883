import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Totals } from '../../src/data-plane/totals.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-totals-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const requests = (quantity: bigint) => [{ service: 'gw', metric: 'gateway-requests', quantity }];

test('totals add up by lease, service and metric, and go on after a restart', async () => {
  const first = new Totals(folder);
  first.add('1', [...requests(2n), { service: 'gw', metric: 'gateway-bytes', quantity: 1n << 70n }]);
  first.add('1', requests(3n));
  first.add('2', requests(1n));
  first.add('2', requests(0n));
  await first.close();
  const second = new Totals(folder);
  second.add('1', requests(1n));
  expect(second.all()).toEqual([
    {
      lease: '1',
      totals: [
        { service: 'gw', metric: 'gateway-requests', total: '6' },
        { service: 'gw', metric: 'gateway-bytes', total: (1n << 70n).toString() },
      ],
    },
    { lease: '2', totals: [{ service: 'gw', metric: 'gateway-requests', total: '1' }] },
  ]);
  second.forget('1');
  await second.close();
  const third = new Totals(folder);
  expect(third.all().map(({ lease }) => lease)).toEqual(['2']);
  await third.close();
});

test('what was told is on the disk: a process that is killed right after loses none of it, and what was not told may be lost', async () => {
  const writer = join(import.meta.dirname, 'totals-writer.ts');
  const child = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', writer, folder], {
    encoding: 'utf8',
  });
  expect(child.signal).toBe('SIGKILL');
  expect(child.stdout).toContain('"total":"7"');
  const after = new Totals(folder);
  expect(after.all()).toEqual([{ lease: '1', totals: [{ service: 'gw', metric: 'gateway-requests', total: '7' }] }]);
  await after.close();
});
