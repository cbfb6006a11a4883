import type { Json } from '@mu/framework/module';
import { AnteChain, alice, bob } from './ante-chain.ts';

type Fields = { [key: string]: Json };

const account = (address: string, number: bigint): Fields => ({
  '@type': '/cosmos.auth.v1beta1.BaseAccount',
  address,
  pub_key: null,
  account_number: number.toString(),
  sequence: '0',
});

function refused(fields: Fields): string {
  const { auth } = new AnteChain();
  try {
    auth.genesis.validate({ ...(auth.genesis.defaults() as Fields), ...fields });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('genesis', () => {
  it('has the SDK’s defaults', () => {
    expect(new AnteChain().auth.genesis.defaults()).toEqual({
      params: {
        max_memo_characters: '256',
        tx_sig_limit: '7',
        tx_size_cost_per_byte: '10',
        sig_verify_cost_ed25519: '590',
        sig_verify_cost_secp256k1: '1000',
      },
      accounts: [],
    });
  });

  it('refuses parameters of 0, accounts that stand twice, types and keys that are not right', () => {
    expect(refused({ params: { max_memo_characters: '1' } })).toBe('invalid tx signature limit: 0');
    expect(refused({ accounts: [account(alice.text, 0n), account(alice.text, 1n)] })).toContain('duplicate account');
    const module = {
      '@type': '/cosmos.auth.v1beta1.ModuleAccount',
      base_account: { address: bob.text },
      name: 'minter',
    };
    expect(refused({ accounts: [module] })).toContain('is not the address of module minter');
    const key = { '@type': '/cosmos.crypto.secp256k1.PubKey', key: Buffer.from(bob.publicKey).toString('base64') };
    expect(refused({ accounts: [{ ...account(alice.text, 0n), pub_key: key }] })).toContain('it is not the key of');
    expect(refused({ accounts: [{ ...account(bob.text, 0n), pub_key: key }] })).toBe('');
  });

  it('numbers accounts anew that have one number, the first keeps it', () => {
    const { auth, ctx } = new AnteChain();
    const numberOf = (address: Uint8Array): bigint | undefined => auth.keeper.getAccount(ctx, address)?.accountNumber;
    expect([numberOf(alice.address), numberOf(bob.address)]).toEqual([0n, 1n]);
    const again = new AnteChain({ accounts: [account(alice.text, 5n), account(bob.text, 5n)] });
    expect(again.auth.keeper.getAccount(again.ctx, alice.address)?.accountNumber).toBe(5n);
    expect(again.auth.keeper.getAccount(again.ctx, bob.address)?.accountNumber).toBe(0n);
    // The fee collector came behind all of them.
    expect(again.auth.keeper.getModuleAccount(again.ctx, 'fee_collector').accountNumber).toBe(6n);
    expect(again.auth.invariants.map(({ check }) => check(again.ctx))).toEqual([undefined]);
  });

  it('makes module accounts when they are asked for', () => {
    const { auth, ctx } = new AnteChain();
    const address = auth.keeper.moduleAddressBytes('minter');
    expect(auth.keeper.hasAccount(ctx, address)).toBe(false);
    expect(auth.keeper.getModuleAccount(ctx, 'minter')).toMatchObject({
      accountNumber: 3n,
      module: { name: 'minter', permissions: ['minter'] },
    });
    expect(auth.keeper.hasAccount(ctx, address)).toBe(true);
    expect(() => auth.keeper.getModuleAccount(ctx, 'nobody')).toThrow('module account nobody does not exist');
  });
});
