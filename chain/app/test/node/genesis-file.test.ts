import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseGenesis } from '../../src/engine/genesis.ts';
import { type Genesis, newGenesis, readGenesis, writeGenesis } from '../../src/node/genesis.ts';
import { openGenesis } from '../../src/node/genesis-file.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-genesis-file-'));
  file = join(folder, 'genesis.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** More than is read of it at a restart. */
const large: Genesis = newGenesis({
  chainId: 'mu-1',
  time: '2026-01-01T00:00:00Z',
  validators: [],
  appState: { app: { note: 'ü'.repeat(1_000_000) }, bank: { balances: Array.from({ length: 3000 }, (_, at) => at) } },
});
const { app_state: state, ...rest } = large;

/** What a document says, its state read. */
function shown(doc: ReturnType<typeof openGenesis>) {
  const { appStateBytes: _bytes, appState, ...others } = doc;
  return { ...others, appState };
}

describe('a genesis with a large state', () => {
  test('is the same whether it is read whole or by parts', () => {
    writeGenesis(file, large);
    const doc = openGenesis(file);
    expect(shown(doc)).toEqual(parseGenesis(large));
    expect(JSON.parse(Buffer.from(doc.appStateBytes?.() ?? []).toString())).toEqual(state);
  });

  test('its state is read only when it is asked for', () => {
    writeGenesis(file, large);
    truncateSync(file, 1_500_000);
    const doc = openGenesis(file);
    expect(doc.chainId).toBe('mu-1');
    expect(() => doc.appStateBytes?.()).toThrow('is not JSON: byte ');
    expect(() => readGenesis(file)).toThrow('is not JSON');
  });

  test('what stands behind the state is read with the rest, and unknown keys there are refused', () => {
    writeFileSync(file, JSON.stringify({ app_state: state, ...rest }));
    expect(openGenesis(file)).toEqual(parseGenesis(large));
    writeFileSync(file, JSON.stringify({ ...rest, app_state: state, extra: 1 }));
    const doc = openGenesis(file);
    expect(() => doc.appStateBytes?.()).toThrow('unknown key "extra"');
  });

  test('the SDK’s form too', () => {
    const { consensus_params: params, validators, ...common } = rest;
    writeFileSync(file, JSON.stringify({ ...common, consensus: { params, validators }, app_state: state }));
    expect(shown(openGenesis(file))).toEqual(parseGenesis(large));
  });
});

test('a small one is read whole, and a missing one is named', () => {
  const small = { ...large, app_state: {} };
  writeGenesis(file, small);
  expect(openGenesis(file)).toEqual(parseGenesis(small));
  expect(readFileSync(file, 'utf8')).toBe(`${JSON.stringify(small, null, 2)}\n`);
  expect(() => openGenesis(join(folder, 'none'))).toThrow('mud init');
});
