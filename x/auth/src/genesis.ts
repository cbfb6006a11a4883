/** Genesis of accounts, in the SDK's shape: parameters and a list of accounts as Any. */
import type { Context } from '@mu/framework/context';
import { moduleAddress, secp256k1Address } from '@mu/lib/address';
import { decodeBech32 } from '@mu/lib/bech32';
import { equalBytes } from '@mu/lib/bytes';
import { GenesisState } from 'cosmjs-types/cosmos/auth/v1beta1/genesis';
import { PubKey } from 'cosmjs-types/cosmos/crypto/secp256k1/keys';
import { type Account, fromAny, secp256k1Url, toAny } from './account.ts';
import type { AccountKeeper } from './keeper.ts';
import { feeCollector } from './keys.ts';
import { defaultParams, validateParams } from './params.ts';

export function defaultGenesis(): GenesisState {
  return GenesisState.fromPartial({ params: defaultParams(), accounts: [] });
}

/** @throws Error with the place of the first thing that is wrong */
export function validateGenesis(state: GenesisState): void {
  validateParams(state.params);
  const seen = new Set<string>();
  state.accounts.forEach((any, at) => {
    const where = `accounts[${at}]`;
    const account = fromAny(any, (text) => decodeBech32(text).bytes);
    const { addressText } = account;
    if (seen.has(addressText)) throw new Error(`${where}: duplicate account ${addressText}`);
    seen.add(addressText);
    checkAccount(account, where);
  });
}

function checkAccount({ address, addressText, module, pubKey }: Account, where: string): void {
  if (module !== undefined && !equalBytes(moduleAddress(module.name), address)) {
    throw new Error(`${where}: ${addressText} is not the address of module ${module.name}`);
  }
  if (pubKey === undefined) return;
  if (pubKey.typeUrl !== secp256k1Url) throw new Error(`${where}.pub_key: keys are ${secp256k1Url}`);
  if (!equalBytes(secp256k1Address(PubKey.decode(pubKey.value).key), address)) {
    throw new Error(`${where}.pub_key: it is not the key of ${addressText}`);
  }
}

/** Stores the accounts by their numbers; numbers that stand twice are given anew, as the SDK does. */
export function initGenesis(ctx: Context, keeper: AccountKeeper, state: GenesisState): void {
  keeper.setParams(ctx, state.params);
  let next = 0n;
  for (const account of numbered(state.accounts.map((any) => keeper.parse(ctx, any)))) {
    keeper.setAccount(ctx, account);
    next = account.accountNumber + 1n;
  }
  // The SDK draws number after number until it has passed the highest; this is where that ends.
  if (next > 0n) keeper.setNextAccountNumber(ctx, next);
  keeper.getModuleAccount(ctx, feeCollector);
}

/** Accounts by number, ascending; of several with one number all but the first get the lowest free ones. */
function numbered(accounts: readonly Account[]): Account[] {
  const taken = new Set<bigint>();
  const repeated: Account[] = [];
  const result: Account[] = [];
  for (const account of accounts) {
    if (taken.has(account.accountNumber)) repeated.push(account);
    else result.push(account);
    taken.add(account.accountNumber);
  }
  let free = 0n;
  // A stable sort keeps the order of the list among those of one number.
  for (const account of [...repeated].sort(byNumber)) {
    while (taken.has(free)) free += 1n;
    taken.add(free);
    result.push({ ...account, accountNumber: free });
  }
  return result.sort(byNumber);
}

function byNumber(a: Account, b: Account): number {
  return a.accountNumber < b.accountNumber ? -1 : a.accountNumber > b.accountNumber ? 1 : 0;
}

export function exportGenesis(ctx: Context, keeper: AccountKeeper): GenesisState {
  return GenesisState.fromPartial({
    params: keeper.params(ctx),
    accounts: [...keeper.accounts(ctx)].map(toAny),
  });
}
