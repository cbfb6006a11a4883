import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { countingOf } from '../../src/data-plane/counting.ts';

test('a disk that takes nothing is told once, ends nothing, and is tried again', () => {
  const told: string[] = [];
  let isFull = false;
  let counted = 0;
  const note = (_data: unknown, text: string) => void told.push(text);
  const count = countingOf(
    () => {
      if (isFull) throw new Error('no space left on device');
      counted += 1;
    },
    { error: note, info: note } as never,
  );
  count();
  isFull = true;
  count();
  count();
  expect(told).toEqual(['usage cannot be written: it is kept in memory']);
  isFull = false;
  count();
  count();
  expect(counted).toBe(3);
  expect(told.slice(1)).toEqual(['usage is written again']);
});

test('a log that the disk does not take ends no process', () => {
  const program = `
    import { lossyLog } from ${JSON.stringify(join(import.meta.dirname, '../../src/data-plane/counting.ts'))};
    const log = lossyLog('test');
    for (let i = 0; i < 3; i += 1) log.info({}, 'a line');
    setImmediate(() => process.stderr.write('it lives'));
  `;
  const { status, stderr } = spawnSync(
    'sh',
    [
      '-c',
      '"$0" "$@" > /dev/full',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '--eval',
      program,
    ],
    { encoding: 'utf8' },
  );
  expect([status, stderr]).toEqual([0, 'it lives']);
});
