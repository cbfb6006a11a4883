import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Keystore, KeystoreError } from '../../src/keys/keystore.ts';

const words = 'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about';
let folder: string;
let keys: Keystore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-keys-'));
  keys = new Keystore(join(folder, 'keys'), 'cosmos');
});

afterEach(() => rmSync(folder, { recursive: true }));

test('a key that was imported has the address of every Cosmos wallet, and comes out as it went in', async () => {
  expect(await keys.import('alice', ` ${words.replace(' ', '\n')} `, 'password')).toEqual({
    name: 'alice',
    address: 'cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4',
  });
  expect(keys.export('alice', 'password')).toBe(words);
  expect(keys.list()).toEqual([keys.show('alice')]);
  const wallet = await keys.unlock('alice', 'password');
  expect((await wallet.getAccounts())[0]?.address).toBe(keys.show('alice').address);
});

test('the file says nothing of the words and is the owner’s alone', async () => {
  await keys.import('alice', words, 'password');
  const path = join(folder, 'keys', 'alice.json');
  expect(readFileSync(path, 'utf8')).not.toContain('abandon');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a wrong password and a changed file are refused', async () => {
  await keys.import('alice', words, 'password');
  expect(() => keys.export('alice', 'Password')).toThrow(KeystoreError);
  const path = join(folder, 'keys', 'alice.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('cosmos19', 'cosmos18'));
  expect(() => keys.export('alice', 'password')).toThrow('wrong, or its file was changed');
});

test('a name that is taken, a path as a name, a weak password and words that are no mnemonic are refused', async () => {
  await keys.create('alice', 'password');
  await expect(keys.create('alice', 'password')).rejects.toThrow('there is a key "alice" already');
  await expect(keys.create('../alice', 'password')).rejects.toThrow('no name of a key');
  await expect(keys.create('bob', 'short')).rejects.toThrow('at least 8 characters');
  await expect(keys.import('bob', 'abandon about', 'password')).rejects.toThrow('no BIP-39 mnemonic');
  expect(() => keys.show('bob')).toThrow('there are: alice');
  expect(keys.list()).toHaveLength(1);
});
