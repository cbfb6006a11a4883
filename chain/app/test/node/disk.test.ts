import { tmpdir } from 'node:os';
import { expect, test } from '@jest/globals';
import { DiskFullError, explainDiskError, requireSpace } from '../../src/node/disk.ts';

const coded = (code: string, message = 'write failed'): Error => Object.assign(new Error(message), { code });

test.each([
  ['the system says so', coded('ENOSPC')],
  ['a quota says so', coded('EDQUOT')],
  ['LMDB says so', new Error('the state of block 7 could not be written: No space left on device')],
  ['the map of LMDB is full', new Error('MDB_MAP_FULL: Environment mapsize limit reached')],
])('a full disk is named with what to do: %s', (_what, error) => {
  const explained = explainDiskError(error, tmpdir());
  expect(explained).toBeInstanceOf(DiskFullError);
  expect(String(explained)).toContain(`no space is left on the file system of ${tmpdir()} (${error.message})`);
});

test('other errors stay what they are, and so does a bad disk that has room', () => {
  for (const error of [new Error('app hash mismatch'), new Error('Input/output error'), 'text', undefined])
    expect(explainDiskError(error, tmpdir())).toBe(error);
});

test('a disk with room is fine', () => requireSpace(tmpdir()));
