import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { homeFolder, loadConfig } from '../src/config.ts';
import { CliError, exitCodes } from '../src/errors.ts';

let home: string;
const write = (text: string): void => writeFileSync(join(home, 'mucli.toml'), text);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'mu-cli-'));
});
afterEach(() => rmSync(home, { recursive: true }));

test('defaults hold without a file; keys lie beside it', async () => {
  expect(await loadConfig(home, {}, {})).toMatchObject({
    node: 'http://127.0.0.1:26657',
    denom: 'umu',
    keys_folder: join(home, 'keys'),
  });
});

test('a flag wins over the environment, the environment over the file', async () => {
  write('node = "http://file:1"\nkey = "file"\ngas_price = 0.5\nregion = "file"\n');
  const env = { MUCLI_NODE: 'http://env:1', MUCLI_KEY: 'env' };
  const config = await loadConfig(home, { node: 'http://flag:1' }, env);
  expect(config).toMatchObject({ node: 'http://flag:1', key: 'env', gas_price: '0.5', region: 'file' });
});

describe('what is wrong is a usage error with its place and what is allowed', () => {
  const cases: [string, string, string][] = [
    ['an unknown key', 'nod = "x"', 'unknown key "nod"; known: node'],
    ['a value that is not allowed', 'node = "ftp://x"', 'write http(s)://host:port'],
    ['broken TOML', 'node = ', 'mucli.toml'],
    ['a table', '[node]\na = 1', 'node must be a text'],
  ];
  test.each(cases)('%s', async (_what, text, message) => {
    write(text);
    const failed = loadConfig(home, {}, {});
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toMatchObject({ exitCode: exitCodes.usage });
  });
});

test('the home folder is the flag’s, else the environment’s', () => {
  expect(homeFolder('/a', { MUCLI_HOME: '/b' })).toBe('/a');
  expect(homeFolder(undefined, { MUCLI_HOME: '/b' })).toBe('/b');
  expect(homeFolder(undefined, {})).toMatch(/\.mu$/);
  expect(new CliError('x').exitCode).toBe(exitCodes.failed);
});
