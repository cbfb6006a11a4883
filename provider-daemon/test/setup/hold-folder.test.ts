import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { holdFolder } from '../../src/setup/hold-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-hold-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a folder is held by one, whatever it is called, until it is let go', async () => {
  const data = join(folder, 'data');
  const release = await holdFolder(data);
  symlinkSync(data, join(folder, 'other-name'));
  await expect(holdFolder(data)).rejects.toThrow(
    `another mu-provider is starting or ending with the data folder ${data}`,
  );
  await expect(holdFolder(join(folder, 'other-name'))).rejects.toThrow('another mu-provider');
  const beside = await holdFolder(join(folder, 'beside'));
  await release();
  await (await holdFolder(data))();
  await beside();
});
