/** A long list of balances is taken up a part at a time: wherever it is cut, the state is that of the whole. */
import { type Context, freshContext } from '@mu/framework/context';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { toBech32 } from '@mu/lib/bech32';
import { toHex } from '@mu/lib/bytes';
import { Balance, GenesisState } from 'cosmjs-types/cosmos/bank/v1beta1/genesis';
import { defaultGenesis, takeGenesis } from '../src/genesis.ts';
import { getSupply } from '../src/state.ts';

const prefix = 'mu';

function balance(index: number): Balance {
  const coins = [
    { denom: 'other', amount: `${index + 1}` },
    { denom: 'umu', amount: '10' },
  ];
  return Balance.fromPartial({
    address: toBech32(prefix, new Uint8Array(20).fill((index * 37) % 251)),
    coins: index % 3 === 0 ? coins.slice(1) : coins,
  });
}

const balances = Array.from({ length: 9 }, (_, index) => balance(index));
const supply = [
  { denom: 'other', amount: '33' },
  { denom: 'umu', amount: '90' },
];
const everyCut = balances.map((_, cut) => [cut]);

function emptyChain(): { readonly ctx: Context; hash(): string } {
  const store = new MemoryCommitStore(['bank']);
  const stores = new BranchMultiStore(store);
  const ctx = freshContext({
    chain: { chainId: 'parts-1', bech32Prefix: prefix, denom: 'umu' },
    block: { height: 1n, timeNs: 0n, proposer: new Uint8Array() },
    mode: 'genesis',
    stores,
  });
  return { ctx, hash: () => toHex(store.workingHash(1n, stores.changes())) };
}

function take(
  ctx: Context | undefined,
  state: { readonly balances: readonly Balance[]; readonly supply: GenesisState['supply'] },
  cuts: readonly number[],
): void {
  const intake = takeGenesis(ctx);
  intake.begin({ ...defaultGenesis(), supply: state.supply });
  const bounds = [0, ...cuts, state.balances.length];
  for (const [at, from] of bounds.slice(0, -1).entries()) {
    intake.part(GenesisState.fromPartial({ balances: state.balances.slice(from, bounds[at + 1]) }), from);
  }
  intake.end();
}

test('wherever the list is cut, the state and the supply are the same', () => {
  const hashes = [[], ...everyCut, [1, 2, 3]].map((cuts) => {
    const { ctx, hash } = emptyChain();
    take(ctx, { balances, supply }, cuts);
    expect([getSupply(ctx, 'other'), getSupply(ctx, 'umu')]).toEqual([33n, 90n]);
    return hash();
  });
  const { ctx, hash } = emptyChain();
  take(ctx, { balances: [...balances].reverse(), supply: [] }, []);
  expect(new Set([...hashes, hash()]).size).toBe(1);
});

test.each(everyCut)('what is wrong is found over parts, with its index in the whole list (%p)', (cut) => {
  const twice = [...balances, { ...balance(0), address: balance(0).address.toUpperCase() }];
  const foreign = [...balances, { ...balance(0), address: toBech32('cosmos', new Uint8Array(20)) }];
  const nothing = [...balances, { ...balance(20), coins: [{ denom: 'umu', amount: '0' }] }];
  const wrongSupply = supply.map(({ denom }) => ({ denom, amount: '34' }));
  for (const ctx of [undefined, emptyChain().ctx]) {
    expect(() => take(ctx, { balances: twice, supply: [] }, [cut])).toThrow('balances[9]: it stands twice');
  }
  expect(() => take(undefined, { balances: nothing, supply }, [cut])).toThrow('balances[9]: coin 0umu amount');
  expect(() => take(emptyChain().ctx, { balances: foreign, supply }, [cut])).toThrow('balances[9]: invalid Bech32');
  expect(() => take(undefined, { balances, supply: wrongSupply }, [cut])).toThrow(
    'supply: genesis supply is incorrect, expected 34other,34umu, got 33other,90umu',
  );
});
