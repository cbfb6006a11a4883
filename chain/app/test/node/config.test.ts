import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { toBech32 } from '@mu/lib/bech32';
import { loadConfig, renderConfig } from '../../src/node/config.ts';
import { addAccount, newGenesis, readGenesis, writeGenesis } from '../../src/node/genesis.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-config-'));
  file = join(folder, 'mud.toml');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the config', () => {
  test('has its defaults without a file, and reads back what it wrote', () => {
    const config = loadConfig(file, {});
    expect(config).toMatchObject({
      engine: { kind: 'solo', block_interval_ms: 1000 },
      rpc: { laddr: '127.0.0.1:26657' },
    });
    writeFileSync(file, renderConfig(config));
    expect(loadConfig(file, {})).toEqual(config);
  });

  test('a flag wins over the environment, the environment over the file', () => {
    writeFileSync(file, '[engine]\nblock_interval_ms = 5\n[node]\nmoniker = "file"\n');
    const env = { MUD_ENGINE_BLOCK_INTERVAL_MS: '6', MUD_RPC_CORS_ALLOWED_ORIGINS: 'a,b' };
    const config = loadConfig(file, env, { 'engine.block_interval_ms': '7' });
    expect(config.engine.block_interval_ms).toBe(7);
    expect(loadConfig(file, env).engine.block_interval_ms).toBe(6);
    expect(config.node.moniker).toBe('file');
    expect(config.rpc.cors_allowed_origins).toEqual(['a', 'b']);
  });

  const wrong: [string, string, string][] = [
    ['an unknown key', '[rpc]\nladr = "x"', 'unknown key rpc.ladr; known: laddr'],
    ['an unknown section', '[rcp]', 'unknown key rcp; known: node, engine, abci, store, mempool, rpc'],
    ['a wrong type', '[mempool]\nsize = "many"', 'mempool.size'],
    ['a value out of bounds', '[engine]\nblock_interval_ms = -1', 'engine.block_interval_ms'],
    ['broken TOML, with its place', '[rpc]\nladdr = ', 'mud.toml:2:'],
  ];
  test.each(wrong)('refuses %s', (_what, text, message) => {
    writeFileSync(file, text);
    expect(() => loadConfig(file, {})).toThrow(message);
  });
});

describe('genesis', () => {
  const genesis = newGenesis({ chainId: 'mu-1', time: '2026-01-01T00:00:00Z', validators: [], appState: {} });
  const alice = toBech32('mu', new Uint8Array(20));

  test('takes accounts with their coins, sums the supply, and reads back', () => {
    const second = toBech32('mu', new Uint8Array(20).fill(1));
    const both = addAccount(addAccount(genesis, alice, '5umu,7zed'), second, '1umu');
    expect(both.app_state['bank']).toMatchObject({
      supply: [
        { denom: 'umu', amount: '6' },
        { denom: 'zed', amount: '7' },
      ],
    });
    writeGenesis(file, both);
    expect(readGenesis(file)).toEqual(both);
  });

  test('refuses an account twice, another chain’s address, and what is no coin', () => {
    expect(() => addAccount(addAccount(genesis, alice, '5umu'), alice, '5umu')).toThrow('in this genesis already');
    expect(() => addAccount(genesis, 'cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4', '5umu')).toThrow(
      'no address of this chain',
    );
    expect(() => addAccount(genesis, alice, 'many')).toThrow('no list of coins');
    expect(() => newGenesis({ chainId: 'a b', time: '', validators: [], appState: {} })).toThrow('no chain id');
  });

  test('a file with unknown keys, or none, is refused', () => {
    expect(() => readGenesis(file)).toThrow('mud init');
    writeFileSync(file, JSON.stringify({ ...genesis, extra: 1 }));
    expect(() => readGenesis(file)).toThrow('unknown key "extra"');
  });
});
