import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { allowSeconds } from './patience.ts';

allowSeconds(60);

test('a process without a file descriptor left starts nothing, says so, and lives on', async () => {
  const program = join(import.meta.dirname, '..', 'support', 'no-descriptors.ts');
  const command = 'ulimit -n 64 && exec "$0" --disable-warning=ExperimentalWarning "$1"';
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command, process.execPath, program], {
    timeout: 30_000,
  });
  expect(JSON.parse(stdout)).toEqual([
    expect.stringContaining('could not be started: spawn'),
    { failure: expect.stringContaining('the price script cannot be run: spawn') },
  ]);
});
