import { describe, expect, test } from '@jest/globals';
import { registry } from '@mu/proto/registry';
import { GenesisState } from 'cosmjs-types/cosmos/bank/v1beta1/genesis';
import { AppState } from '../src/app-state.ts';
import type { Context } from '../src/context.ts';
import { type AppModule, protoGenesis } from '../src/module.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A module whose genesis is the bank's, and what it was begun with. */
function listening(): { readonly module: AppModule; readonly begun: GenesisState[] } {
  const begun: GenesisState[] = [];
  const genesis = protoGenesis({
    descriptors: registry,
    codec: GenesisState,
    defaults: () => GenesisState.fromPartial({ supply: [{ denom: 'default', amount: '1' }] }),
    validate: () => undefined,
    init: (_ctx, state) => void begun.push(state),
    export: () => GenesisState.fromPartial({}),
  });
  return { module: { name: 'bank', genesis } as AppModule, begun };
}

const ctx = {} as Context;

describe('app_state of genesis', () => {
  test('what is not there has its defaults', () => {
    const { module, begun } = listening();
    new AppState(bytes('{"other":{}}')).init(ctx, module);
    expect(begun[0]?.supply).toEqual([{ denom: 'default', amount: '1' }]);
  });

  test('a large part is read by parts to the same message, in its order', () => {
    const balances = Array.from({ length: 200_000 }, (_, n) => ({
      address: `address ${n} ${'x'.repeat(60)}`,
      coins: [{ denom: 'umu', amount: `${n}` }],
    }));
    const part = { supply: [{ denom: 'umu', amount: '7' }], balances, params: { default_send_enabled: true } };
    const text = bytes(JSON.stringify({ bank: part }));
    expect(text.length).toBeGreaterThan(16 * 1_048_576);
    const { module, begun } = listening();
    new AppState(text).init(ctx, module);
    const [state] = begun;
    expect(state?.balances.length).toBe(balances.length);
    expect(state?.balances[123_456]).toEqual(balances[123_456]);
    expect(state?.supply).toEqual(part.supply);
    expect(state?.params.defaultSendEnabled).toBe(true);
  });

  test.each(['', '[]', '5', '{"bank":', '{"bank":{}} x', '{"bank" {}}'])('%j is refused with its place', (text) => {
    expect(() => new AppState(bytes(text))).toThrow(expect.objectContaining({ code: 18 }));
  });
});
