import { maxAmount } from '@mu/lib/amounts';
import { fromBech32 } from '@mu/lib/bech32';
import { holderKey, supplyKey } from '../src/keys.ts';
import { setBalance, setSupply } from '../src/state.ts';
import { alice, BankChain, bob, refusal, umu } from './bank-chain.ts';

describe('coins of modules', () => {
  it('are minted with the SDK’s events, in its order', () => {
    const chain = new BankChain();
    const billing = chain.module('billing');
    chain.bank.keeper.mintCoins(chain.ctx, 'billing', umu(7));
    expect(chain.events()).toEqual([
      `coin_received receiver=${billing} amount=7umu`,
      `coinbase minter=${billing} amount=7umu`,
    ]);
    expect(chain.bank.keeper.supply(chain.ctx, 'umu')).toBe(1007n);
    expect(chain.bank.keeper.balance(chain.ctx, billing, 'umu')).toBe(7n);
    expect(chain.broken()).toEqual([]);
  });

  it('are burnt likewise, and what is gone has no record', () => {
    const chain = new BankChain();
    const billing = chain.module('billing');
    const all = [{ denom: 'other', amount: '50' }];
    chain.bank.keeper.sendFromAccountToModule(chain.ctx, alice, 'billing', all);
    const before = chain.events().length;
    chain.bank.keeper.burnCoins(chain.ctx, 'billing', all);
    expect(chain.events().slice(before)).toEqual([
      `coin_spent spender=${billing} amount=50other`,
      `burn burner=${billing} amount=50other`,
    ]);
    expect(chain.ctx.store('bank').has(supplyKey('other'))).toBe(false);
    expect(chain.ctx.store('bank').has(holderKey('other', fromBech32(billing)))).toBe(false);
    expect(chain.broken()).toEqual([]);
  });

  it('are minted and burnt by modules that may alone', () => {
    const { bank, ctx } = new BankChain();
    expect(() => bank.keeper.mintCoins(ctx, 'plain', umu(1))).toThrow('module plain may not mint');
    expect(() => bank.keeper.burnCoins(ctx, 'plain', umu(1))).toThrow('module plain may not burn');
    expect(() => bank.keeper.mintCoins(ctx, 'nobody', umu(1))).toThrow('module account nobody does not exist');
  });

  it('never exceed 256 bits', () => {
    const { bank, ctx } = new BankChain();
    expect(() => bank.keeper.mintCoins(ctx, 'billing', umu(maxAmount))).toThrow('256 bits');
  });

  it('go from module to module and to accounts, never to a module by way of an account', () => {
    const chain = new BankChain();
    const { bank, ctx } = chain;
    bank.keeper.sendFromAccountToModule(ctx, alice, 'plain', umu(10));
    bank.keeper.sendFromModuleToModule(ctx, 'plain', 'billing', umu(4));
    bank.keeper.sendFromModuleToAccount(ctx, 'plain', bob, umu(6));
    expect(bank.keeper.balance(ctx, chain.module('billing'), 'umu')).toBe(4n);
    expect(bank.keeper.balance(ctx, bob, 'umu')).toBe(6n);
    // The account of the receiver was made.
    expect(chain.auth.keeper.hasAccount(ctx, fromBech32(bob))).toBe(true);
    const blocked = chain.module('billing');
    expect(refusal(() => bank.keeper.sendFromModuleToAccount(ctx, 'plain', blocked, umu(1)))).toEqual([
      'sdk',
      4,
      `${blocked} is not allowed to receive funds: unauthorized`,
    ]);
    expect(chain.broken()).toEqual([]);
  });

  it('are refused when they are not there, or are none', () => {
    const { bank, ctx } = new BankChain();
    expect(refusal(() => bank.keeper.sendFromModuleToAccount(ctx, 'plain', bob, umu(1)))).toEqual([
      'sdk',
      5,
      'spendable balance 0umu is smaller than 1umu: insufficient funds',
    ]);
    expect(refusal(() => bank.keeper.burnCoins(ctx, 'billing', umu(0)))).toEqual(['sdk', 10, '0umu: invalid coins']);
  });
});

describe('invariants', () => {
  it('see a supply that is not the sum', () => {
    const chain = new BankChain();
    setSupply(chain.ctx, 'umu', 999n);
    expect(chain.broken()).toEqual(['BANK-1 supply: supply of umu is 999, the balances sum up to 1000']);
  });

  it('see coins of no supply', () => {
    const chain = new BankChain();
    setBalance(chain.ctx, fromBech32(bob), { denom: 'forged', amount: 1n });
    expect(chain.broken()).toEqual(['BANK-1 supply: forged has balances and no supply']);
  });

  it('see an index that has lost a holder', () => {
    const chain = new BankChain();
    chain.ctx.store('bank').delete(holderKey('umu', fromBech32(alice)));
    expect(chain.broken()).toEqual(['BANK-3 holders: a holder of umu is missing in the index']);
  });

  it('see an account number that is not taken', () => {
    const chain = new BankChain();
    const account = chain.auth.keeper.newAccount(chain.ctx, fromBech32(bob));
    chain.auth.keeper.setAccount(chain.ctx, { ...account, accountNumber: 77n });
    expect(chain.broken()[0]).toMatch(/^AUTH-1 account numbers: .* has number 77, the next one is 2$/);
  });
});
