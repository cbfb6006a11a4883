import type { Json } from '@mu/framework/module';
import { alice, BankChain, bob } from './bank-chain.ts';

type Fields = { [key: string]: Json };
const coin = (amount: string, denom = 'umu'): Fields => ({ denom, amount });

/** What a genesis of these fields is refused for; empty when it is not. */
function refused(fields: Fields): string {
  const { bank } = new BankChain();
  try {
    bank.genesis.validate({ ...(bank.genesis.defaults() as Fields), ...fields });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('genesis', () => {
  it('has defaults in the SDK’s shape', () => {
    const { bank } = new BankChain();
    expect(bank.genesis.defaults()).toEqual({
      params: { send_enabled: [], default_send_enabled: true },
      balances: [],
      supply: [],
      denom_metadata: [],
      send_enabled: [],
    });
    expect(refused({})).toBe('');
  });

  it('is refused when the supply is not the sum of the balances', () => {
    const balances = [
      { address: alice, coins: [coin('3')] },
      { address: bob, coins: [coin('4')] },
    ];
    expect(refused({ balances, supply: [coin('7')] })).toBe('');
    expect(refused({ balances, supply: [] })).toBe('');
    expect(refused({ balances, supply: [coin('8')] })).toBe(
      'supply: genesis supply is incorrect, expected 8umu, got 7umu',
    );
  });

  it.each<[string, Fields, string]>([
    [
      'an account twice',
      { balances: [alice, alice.toUpperCase()].map((address) => ({ address, coins: [] })) },
      'balances[1]: it stands twice',
    ],
    [
      'nothing of a coin',
      { balances: [{ address: alice, coins: [coin('0')] }] },
      'balances[0]: coin 0umu amount is not positive',
    ],
    ['no address', { balances: [{ address: 'alice', coins: [] }] }, 'decoding bech32 failed'],
    [
      'the old list',
      { params: { send_enabled: [{ denom: 'umu', enabled: true }] } },
      'params: use of send_enabled in params is no longer supported',
    ],
    [
      'an entry twice',
      { send_enabled: [1, 2].map(() => ({ denom: 'umu', enabled: true })) },
      'send_enabled[1]: it stands twice',
    ],
    [
      'metadata without a name',
      { denom_metadata: [{ base: 'umu', symbol: 'MU', display: 'mu1' }] },
      'denom_metadata[0]: name field cannot be blank',
    ],
    ['an unknown field', { ballances: [] }, 'ballances'],
  ])('is refused with %s', (_, fields, text) => {
    expect(refused(fields)).toContain(text);
  });

  it('checks the units of metadata', () => {
    const metadata = (units: Fields[]): Fields => ({
      denom_metadata: [{ name: 'Mu', symbol: 'MU', base: 'umu', display: 'mun', denom_units: units }],
    });
    const base = { denom: 'umu', exponent: 0, aliases: [] };
    const display = { denom: 'mun', exponent: 6, aliases: ['mega'] };
    expect(refused(metadata([base, display]))).toBe('');
    expect(refused(metadata([display, base]))).toContain("must be the one with base denom 'umu'");
    expect(refused(metadata([base]))).toContain("must contain a denomination unit with display denom 'mun'");
    expect(refused(metadata([base, { ...display, exponent: 0 }]))).toContain('sorted asc by exponent');
    expect(refused(metadata([base, { ...display, aliases: ['a', 'a'] }]))).toContain(
      'duplicate denomination unit alias a',
    );
  });

  it('comes out as it went in', () => {
    const chain = new BankChain();
    const again = new BankChain();
    expect(again.bank.genesis.export(again.ctx)).toEqual(chain.bank.genesis.export(chain.ctx));
    expect(chain.bank.genesis.export(chain.ctx)).toMatchObject({
      balances: [{ address: alice, coins: [coin('50', 'other'), coin('1000')] }],
      supply: [coin('50', 'other'), coin('1000')],
    });
  });
});
