import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfig, renderConfig } from '../../src/node/config.ts';
import { differences, migrateText, setInFile } from '../../src/node/config-file.ts';
import { configEntries, configVersion } from '../../src/node/config-schema.ts';
import { lineDiff } from '../../src/node/line-diff.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-config-file-'));
  file = join(folder, 'mud.toml');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('what the environment says', () => {
  test('a name that is of no key is refused, others are none of ours', () => {
    expect(() => loadConfig(file, { MUD_RPC_LADR: 'x' })).toThrow('MUD_RPC_LADR in the environment is of no key');
    expect(loadConfig(file, { MUD_HOME: '/x', MUDDY: '1' }).rpc.laddr).toBe('127.0.0.1:26657');
  });

  test('an empty number is no zero', () => {
    expect(() => loadConfig(file, { MUD_MEMPOOL_SIZE: '' })).toThrow('mempool.size');
  });
});

describe('rules between keys', () => {
  test('custom pruning has the bounds of the SDK', () => {
    const custom = { 'store.pruning': 'custom', 'store.pruning_keep_recent': '5', 'store.pruning_interval': '9' };
    expect(() => loadConfig(file, {}, custom)).toThrow('store.pruning_interval is at least 10');
  });
});

describe('config set', () => {
  const written = `# mine
version = 2

[rpc] # where clients come
laddr = "127.0.0.1:1" # a # in a comment
cors_allowed_origins = [
  "https://a", # first
  "https://b"
]  # who may

# last words
`;

  test('changes one value and leaves comments and order', () => {
    writeFileSync(file, written);
    setInFile(file, 'rpc.laddr', '127.0.0.1:2');
    expect(readFileSync(file, 'utf8')).toBe(written.replace('127.0.0.1:1', '127.0.0.1:2'));
    expect(readdirSync(folder)).toEqual(['mud.toml']);
  });

  test('a list over several lines becomes one line', () => {
    writeFileSync(file, written);
    setInFile(file, 'rpc.cors_allowed_origins', 'https://c,https://d');
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('\ncors_allowed_origins = ["https://c","https://d"]  # who may\n\n# last words\n');
    expect(loadConfig(file, {}).rpc.cors_allowed_origins).toEqual(['https://c', 'https://d']);
  });

  test('a # inside a value is no comment', () => {
    writeFileSync(file, '[node]\nmoniker = "a # b" # c\n');
    setInFile(file, 'node.moniker', 'd');
    expect(readFileSync(file, 'utf8')).toBe('[node]\nmoniker = "d" # c\n');
  });

  test('a key that is missing comes with its doc, in its section or a new one', () => {
    writeFileSync(file, written);
    setInFile(file, 'mempool.size', '7');
    setInFile(file, 'mempool.max_tx_bytes', '8');
    expect(readFileSync(file, 'utf8')).toBe(
      `${written}\n[mempool]\n# how many transactions wait at most\nsize = 7\n# bytes of one transaction\nmax_tx_bytes = 8\n`,
    );
  });

  test('without a file it is made whole', () => {
    setInFile(file, 'mempool.size', '7');
    const config = loadConfig(file, {});
    expect(config.mempool.size).toBe(7);
    expect(readFileSync(file, 'utf8')).toBe(renderConfig(config));
  });

  const refused: [string, string, string, string][] = [
    ['an unknown key', 'rpc.ladr', 'x', 'unknown key rpc.ladr; known: laddr'],
    ['a value out of bounds', 'mempool.size', '0', 'mempool.size'],
    ['what is no number', 'mempool.size', 'many', 'mempool.size'],
  ];
  test.each(refused)('refuses %s and leaves the file', (_what, key, value, message) => {
    writeFileSync(file, written);
    expect(() => setInFile(file, key, value)).toThrow(message);
    expect(readFileSync(file, 'utf8')).toBe(written);
  });

  test('what is written in another way is left to the person', () => {
    const text = 'rpc = { laddr = "127.0.0.1:1" }\n';
    writeFileSync(file, text);
    expect(() => setInFile(file, 'rpc.laddr', '127.0.0.1:2')).toThrow(file);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

test('config diff: what is not the default', () => {
  const config = loadConfig(file, { MUD_MEMPOOL_SIZE: '9' }, { 'rpc.cors_allowed_origins': '*' });
  expect(differences(config)).toEqual([
    { key: 'mempool.size', value: 9, default: 5000 },
    { key: 'rpc.cors_allowed_origins', value: ['*'], default: [] },
  ]);
});

describe('config migrate', () => {
  test('a file of version 1 keeps its values and comments and gets what is new', () => {
    const { from, to, after } = migrateText('# mine\n\n[mempool]\nsize = 9 # few\n', file);
    expect([from, to]).toEqual([1, configVersion]);
    expect(after).toContain('# mine\nversion = 2\n\n[mempool]\nsize = 9 # few\n# bytes of one transaction\n');
    for (const { key } of configEntries) expect(after).toMatch(new RegExp(`^${key} = `, 'm'));
    writeFileSync(file, after);
    expect(loadConfig(file, {})).toEqual(loadConfig(join(folder, 'none'), {}, { 'mempool.size': '9' }));
    expect(migrateText(after, file).after).toBe(after);
  });

  test('old names become new ones, in the same section or another', () => {
    const steps = [{ to: 2, renamed: { 'rpc.listen': 'rpc.laddr', 'chain.pool': 'mempool.size' } }];
    const { after } = migrateText(
      '[rpc]\n# where\nlisten = "127.0.0.1:5" # here\n[chain]\n# old\npool = 9\n',
      file,
      steps,
    );
    expect(after).toContain('[rpc]\n# where\nladdr = "127.0.0.1:5" # here\n');
    expect(after).toContain('\nsize = 9\n');
    expect(after).not.toContain('pool = 9');
  });

  test('old and new name together are refused, and so is a file of a later version', () => {
    const steps = [{ to: 2, renamed: { 'rpc.listen': 'rpc.laddr' } }];
    expect(() => migrateText('[rpc]\nlisten = "a:1"\nladdr = "a:2"\n', file, steps)).toThrow('its new name');
    expect(() => migrateText('version = 9\n', file)).toThrow('of version 9 and this mud reads up to 2');
    writeFileSync(file, 'version = 9\n');
    expect(() => loadConfig(file, {})).toThrow('run the mud that wrote it, or a later one');
  });
});

test('a diff of lines shows what went, what came and a line around', () => {
  expect(lineDiff('a\nb\nc\nd\n', 'a\nb\nx\nd\ne\n')).toEqual(['  b', '- c', '+ x', '  d', '+ e', '']);
  expect(lineDiff('a\n', 'a\n')).toEqual([]);
});
