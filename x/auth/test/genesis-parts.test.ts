/** A long list of accounts is taken up a part at a time: wherever it is cut, the state is that of the whole. */
import { type Context, freshContext } from '@mu/framework/context';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { toBech32 } from '@mu/lib/bech32';
import { toHex } from '@mu/lib/bytes';
import { BaseAccount } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { GenesisState } from 'cosmjs-types/cosmos/auth/v1beta1/genesis';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import { baseAccountUrl } from '../src/account.ts';
import { defaultGenesis, takeGenesis } from '../src/genesis.ts';
import { AccountKeeper } from '../src/keeper.ts';

const prefix = 'mu';
const keeper = new AccountKeeper({ moduleAccounts: { fee_collector: [] } });

function account(index: number, accountNumber: number, prefixOfIt = prefix): Any {
  const address = toBech32(prefixOfIt, new Uint8Array(20).fill(index + 1));
  const value = BaseAccount.encode(
    BaseAccount.fromPartial({ address, accountNumber: BigInt(accountNumber), sequence: 3n }),
  );
  return { typeUrl: baseAccountUrl, value: value.finish() };
}

function emptyChain(): { readonly ctx: Context; hash(): string } {
  const store = new MemoryCommitStore(['acc']);
  const stores = new BranchMultiStore(store);
  const ctx = freshContext({
    chain: { chainId: 'parts-1', bech32Prefix: prefix, denom: 'umu' },
    block: { height: 1n, timeNs: 0n, proposer: new Uint8Array() },
    mode: 'genesis',
    stores,
  });
  return { ctx, hash: () => toHex(store.workingHash(1n, stores.changes())) };
}

/** Takes up the accounts in parts that end at these indexes. */
function take(ctx: Context | undefined, accounts: readonly Any[], cuts: readonly number[]): void {
  const intake = takeGenesis(keeper, ctx);
  intake.begin(defaultGenesis());
  const bounds = [0, ...cuts, accounts.length];
  for (const [at, from] of bounds.slice(0, -1).entries()) {
    intake.part(GenesisState.fromPartial({ accounts: accounts.slice(from, bounds[at + 1]) }), from);
  }
  intake.end();
}

// Numbers that stand twice, three times and never, gaps, and a high one.
const accounts = [7, 0, 3, 3, 0, 7, 1, 900, 3, 0].map((number, index) => account(index, number));
const everyCut = accounts.map((_, cut) => [cut]);
const cuttings: number[][] = [[], ...everyCut, [2, 5], [3, 4], accounts.map((_, at) => at)];

test('wherever the list is cut, the state is the same', () => {
  const hashes = cuttings.map((cuts) => {
    const { ctx, hash } = emptyChain();
    take(ctx, accounts, cuts);
    return hash();
  });
  expect(new Set(hashes).size).toBe(1);
});

test.each(cuttings)('numbers that repeat over parts are given as by the SDK (%p)', (...cuts) => {
  const { ctx } = emptyChain();
  take(ctx, accounts, cuts);
  const numbers = accounts.map((_, index) => keeper.getAccount(ctx, new Uint8Array(20).fill(index + 1))?.accountNumber);
  // Those of 0 come first, then those of 3, then that of 7: 2, 4, 5, 6 and 8 are free.
  expect(numbers.map(Number)).toEqual([7, 0, 3, 5, 2, 8, 1, 900, 6, 4]);
  expect(keeper.nextAccountNumber(ctx)).toBe(902n);
});

test.each(everyCut)(
  'an account that stands twice is found, and what is wrong has its index in the whole list (%p)',
  (cut) => {
    for (const ctx of [undefined, emptyChain().ctx]) {
      const twice = [...accounts, account(0, 901)];
      expect(() => take(ctx, twice, [cut])).toThrow('accounts[10]: duplicate account mu1');
    }
    const foreign = [...accounts, account(11, 901, 'cosmos')];
    expect(() => take(emptyChain().ctx, foreign, [cut])).toThrow('accounts[10]: invalid Bech32 prefix; expected mu');
    const strange = [...accounts, { typeUrl: '/strange', value: new Uint8Array() }];
    expect(() => take(undefined, strange, [cut])).toThrow('accounts[10]: accounts of type /strange');
  },
);
