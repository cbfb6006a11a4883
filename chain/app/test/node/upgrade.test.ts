/** The file for cosmovisor, and which stores change before the next block. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { noStoreUpgrades } from '@mu/framework/store/store-upgrades';
import { readUpgradeInfo, storeUpgradesAt, upgradeInfoFile, writeUpgradeInfo } from '../../src/node/upgrade.ts';

let home: { root: string };
beforeEach(() => {
  home = { root: mkdtempSync(join(tmpdir(), 'mu-upgrade-')) };
});
afterEach(() => rmSync(home.root, { recursive: true, force: true }));

const plan = { name: 'v2', height: 20n, info: 'see https://mu/v2' };

test('the file is what the Go SDK writes, for its owner alone', () => {
  writeUpgradeInfo(home, plan);
  const file = upgradeInfoFile(home);
  expect(file).toBe(join(home.root, 'data', 'upgrade-info.json'));
  expect(readFileSync(file, 'utf8')).toBe(
    '{"name":"v2","time":"0001-01-01T00:00:00Z","height":20,"info":"see https://mu/v2"}',
  );
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readUpgradeInfo(home)).toEqual(plan);
  writeUpgradeInfo(home, { name: 'v3', height: 23n, info: '' });
  expect(readFileSync(file, 'utf8')).toBe('{"name":"v3","time":"0001-01-01T00:00:00Z","height":23}');
  expect(readUpgradeInfo(home)).toEqual({ name: 'v3', height: 23n, info: '' });
});

describe('a file that is damaged is named, with what to do', () => {
  test.each([
    ['{"name":"v2"', 'is not JSON'],
    ['{"name":"v2"}', 'names no upgrade'],
    ['{"height":3}', 'names no upgrade'],
    ['{"name":"v2","height":"3"}', 'names no upgrade'],
    ['{"name":"v2","height":3,"info":{}}', 'names no upgrade'],
  ])('%s', (text, message) => {
    mkdirSync(dirname(upgradeInfoFile(home)), { recursive: true });
    writeFileSync(upgradeInfoFile(home), text);
    expect(() => readUpgradeInfo(home)).toThrow(message);
    expect(() => readUpgradeInfo(home)).toThrow('delete it if none is due');
  });
});

test('stores change for the block of the upgrade alone, in a program that knows it', () => {
  const stores = { added: ['new'], renamed: [], deleted: ['old'] };
  const upgrades = [{ name: 'v1' }, { name: 'v2', stores }];
  expect(storeUpgradesAt(home, upgrades, 19n)).toBe(noStoreUpgrades);
  writeUpgradeInfo(home, plan);
  expect(storeUpgradesAt(home, upgrades, 19n)).toBe(stores);
  for (const last of [18n, 20n, 0n]) expect(storeUpgradesAt(home, upgrades, last)).toBe(noStoreUpgrades);
  expect(storeUpgradesAt(home, [{ name: 'v1' }], 19n)).toBe(noStoreUpgrades);
});
