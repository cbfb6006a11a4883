import { describe, expect, test } from '@jest/globals';
import { registry } from '@mu/proto/registry';
import { GenesisState } from 'cosmjs-types/cosmos/bank/v1beta1/genesis';
import type { Context } from '../src/context.ts';
import { type ModuleGenesis, protoGenesis } from '../src/module.ts';

/** What an intake was told, in its order. */
type Told = ['begin' | 'part', GenesisState, number];

function listening(lists: readonly ('balances' | 'sendEnabled')[]): { readonly genesis: ModuleGenesis; told: Told[] } {
  const told: Told[] = [];
  const genesis = protoGenesis<GenesisState>({
    descriptors: registry,
    codec: GenesisState,
    defaults: () => GenesisState.fromPartial({}),
    lists,
    intake: () => ({
      begin: (rest) => void told.push(['begin', rest, 0]),
      part: (part, from) => void told.push(['part', part, from]),
      end: () => undefined,
    }),
    export: () => GenesisState.fromPartial({}),
  });
  return { genesis, told };
}

const ctx = {} as Context;
const balances = Array.from({ length: 30_000 }, (_, at) => ({
  address: `address ${at} ${'x'.repeat(40)}`,
  coins: [{ denom: 'umu', amount: `${at}` }],
}));
const enabled = Array.from({ length: 30_000 }, (_, at) => ({ denom: `denom${at}${'x'.repeat(40)}`, enabled: true }));

function feed(genesis: ModuleGenesis, text: string): void {
  const bytes = Buffer.from(text);
  genesis.initParts?.(ctx, bytes, { start: 0, end: bytes.length });
}

/** The items of a field, put together again from parts that say where they begin. */
function joined(told: readonly Told[], field: 'balances' | 'sendEnabled'): unknown[] {
  const items: unknown[] = [];
  for (const [kind, part, from] of told) {
    if (kind !== 'part' || part[field].length === 0) continue;
    expect(from).toBe(items.length);
    items.push(...part[field]);
  }
  return items;
}

describe('genesis by parts', () => {
  test('the rest comes first, then list by list in parts that make the whole', () => {
    const { genesis, told } = listening(['sendEnabled', 'balances']);
    feed(genesis, JSON.stringify({ balances, sendEnabled: enabled, supply: [{ denom: 'umu', amount: '1' }] }));
    expect(told[0]).toEqual(['begin', GenesisState.fromPartial({ supply: [{ denom: 'umu', amount: '1' }] }), 0]);
    expect(told.length).toBeGreaterThan(4);
    expect(joined(told, 'balances')).toEqual(balances);
    expect(joined(told, 'sendEnabled')).toEqual(enabled);
    const fields = told.slice(1).map(([, part]) => (part.balances.length > 0 ? 'balances' : 'sendEnabled'));
    expect(fields).toEqual([...fields].sort().reverse());
  });

  test('a long list that is not handed over by parts is in the rest, whole', () => {
    const { genesis, told } = listening(['balances']);
    feed(genesis, JSON.stringify({ send_enabled: enabled, balances }));
    expect(told[0]?.[1].sendEnabled).toEqual(enabled);
    expect(joined(told, 'balances')).toEqual(balances);
  });

  test('a small genesis goes the same way, in one part, from bytes as from JSON', () => {
    const json = { balances: balances.slice(0, 3), send_enabled: enabled.slice(0, 2) };
    const [first, second] = [listening(['balances']), listening(['balances'])];
    first.genesis.init(ctx, json);
    feed(second.genesis, JSON.stringify(json));
    expect(second.told).toEqual(first.told);
    expect(first.told.map(([kind, state]) => [kind, state.balances.length])).toEqual([
      ['begin', 0],
      ['part', 3],
    ]);
  });

  test('what cannot be read has its index in the whole list', () => {
    const wrong = balances.map((one, at) => (at === 23_456 ? { ...one, colour: 'red' } : one));
    const { genesis } = listening(['balances']);
    expect(() => feed(genesis, JSON.stringify({ balances: wrong }))).toThrow(
      'GenesisState.balances[23456]: unknown field "colour"',
    );
  });

  test('unknown keys, and a field under both of its names, are refused before anything is taken up', () => {
    const { genesis, told } = listening(['sendEnabled']);
    const long = JSON.stringify(enabled);
    expect(() => feed(genesis, `{"send_enabled":${long},"colour":1}`)).toThrow('unknown field "colour"');
    expect(() => feed(genesis, `{"send_enabled":${long},"colours":${long}}`)).toThrow('unknown field "colours"');
    expect(() => feed(genesis, `{"send_enabled":${long},"sendEnabled":${long}}`)).toThrow('given twice');
    expect(() => feed(genesis, `{"send_enabled":"${'x'.repeat(2_000_000)}"}`)).toThrow('expected a list');
    expect(told).toEqual([]);
  });

  test('of a key that stands twice the last counts, as in JSON.parse', () => {
    const { genesis, told } = listening(['balances']);
    feed(genesis, `{"balances":${JSON.stringify(balances)},"balances":[]}`);
    expect(joined(told, 'balances')).toEqual([]);
  });
});
