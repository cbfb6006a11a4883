/** What genesis fixes for the life of a chain, and where it is kept; which stores an upgrade may change. */
import { describe, expect, test } from '@jest/globals';
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { RequestInitChain } from 'cosmjs-types/tendermint/abci/types';
import { authorityOf, loadConstants, readConstants, storeConstants } from '../src/chain-constants.ts';
import { BranchMultiStore } from '../src/store/branch-store.ts';
import { MemoryCommitStore } from '../src/store/memory-commit-store.ts';
import { noStoreUpgrades, storeUpgradesProblem } from '../src/store/store-upgrades.ts';
import { alice, block, initialized, toyApp } from './toy-app.ts';

describe('app_state.app', () => {
  test('has defaults for everything', () => {
    expect(readConstants('a', {})).toEqual({ chainId: 'a', bech32Prefix: 'mu', denom: 'umu' });
  });

  test('may name an authority of the chain’s own prefix', () => {
    const named = readConstants('a', { app: { authority: alice } });
    expect(named.authority).toBe(alice);
    expect(authorityOf(named)).toBe(alice);
    expect(authorityOf(readConstants('a', { app: { authority: '' } }))).toBe(toBech32('mu', moduleAddress('gov')));
  });

  test.each([
    [{ prefix: 'mu' }, 'app_state.app has no field prefix; it has bech32_prefix, denom, authority'],
    [{ bech32_prefix: 'Mu' }, 'bech32_prefix is 1 to 20 letters'],
    [{ denom: '1u' }, 'denom is not a denomination'],
    [{ authority: 'mu1nobody' }, 'authority is not an address of this chain'],
    [{ authority: alice, bech32_prefix: 'cosmos' }, 'authority is not an address of this chain'],
    [{ authority: 7 }, 'authority is not an address of this chain'],
  ])('%j is refused', (app, message) => {
    expect(() => readConstants('a', { app })).toThrow(message);
  });
});

test('constants are state: stored with genesis, part of the hash, read at the next start', () => {
  const stores = new BranchMultiStore(new MemoryCommitStore(['app']));
  expect(loadConstants(stores)).toBeUndefined();
  const constants = { chainId: 'a', bech32Prefix: 'mu', denom: 'umu', authority: alice };
  storeConstants(stores, constants);
  expect(loadConstants(stores)).toEqual(constants);
  const store = new MemoryCommitStore(['app', 'toy']);
  const app = initialized({ store });
  block(app, 1n, []);
  expect(toyApp({ store }).chain).toEqual(app.chain);
  const other = toyApp({ store: new MemoryCommitStore(['app', 'toy']) });
  const consensusParams = { block: { maxBytes: 2_000_000n, maxGas: -1n } };
  const appStateBytes = new TextEncoder().encode('{}');
  other.initChain(RequestInitChain.fromPartial({ chainId: 'toy-2', appStateBytes, consensusParams }));
  expect(block(other, 1n, []).appHash).not.toEqual(store.last.appHash);
});

test('a state that does not say of which chain it is, is refused', () => {
  const store = new MemoryCommitStore(['app', 'toy']);
  store.commit(1n, []);
  expect(() => toyApp({ store })).toThrow('does not say of which chain it is');
});

describe('stores of an upgrade', () => {
  const stored = ['a', 'b', 'c'];
  test.each([
    [noStoreUpgrades, undefined],
    [{ added: ['d'], renamed: [{ from: 'a', to: 'e' }], deleted: ['b'] }, undefined],
    [{ added: ['b'], renamed: [], deleted: ['b'] }, undefined],
    [{ added: ['c'], renamed: [], deleted: [] }, 'store c cannot be added: there is one'],
    [{ added: [], renamed: [], deleted: ['x'] }, 'store x cannot be renamed or deleted: there is none'],
    [{ added: [], renamed: [{ from: 'x', to: 'y' }], deleted: [] }, 'store x cannot be renamed or deleted'],
    [{ added: ['d'], renamed: [{ from: 'a', to: 'd' }], deleted: [] }, 'store d is added twice'],
  ])('%j', (upgrades, problem) => {
    const found = storeUpgradesProblem(stored, upgrades);
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(problem);
  });
});
