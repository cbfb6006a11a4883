/** Genesis of coins, in the SDK's shape: who holds what, the sum of it, and what the denominations are. */
import type { Context } from '@mu/framework/context';
import { addCoins, type Coin, coinsToString, parseAmount, validateCoins, validateDenom } from '@mu/lib/amounts';
import { decodeBech32, fromBech32, toBech32 } from '@mu/lib/bech32';
import { compareBytes, toHex } from '@mu/lib/bytes';
import { Balance, GenesisState } from 'cosmjs-types/cosmos/bank/v1beta1/genesis';
import { validateMetadata } from './metadata.ts';
import { defaultParams, validateParams } from './params.ts';
import {
  allBalances,
  allMetadata,
  allSendEnabled,
  allSupply,
  getParams,
  setBalance,
  setMetadata,
  setParams,
  setSendEnabled,
  setSupply,
} from './state.ts';

export function defaultGenesis(): GenesisState {
  return GenesisState.fromPartial({ params: defaultParams() });
}

/** @throws Error with the place of the first thing that is wrong */
export function validateGenesis(state: GenesisState): void {
  at('params', () => validateParams(state.params));
  unique(
    'send_enabled',
    state.sendEnabled,
    ({ denom }) => denom,
    ({ denom }) => validateDenom(denom),
  );
  // One account is one raw address, however its text is written.
  const addressOf = ({ address }: Balance): string => toHex(decodeBech32(address).bytes);
  unique('balances', state.balances, addressOf, ({ coins }) => validateCoins(coins));
  unique('denom_metadata', state.denomMetadata, ({ base }) => base, validateMetadata);
  if (state.supply.length === 0) return;
  at('supply', () => validateCoins(state.supply));
  const total = coinsToString(totalOf(state.balances));
  const stated = coinsToString(state.supply);
  if (stated !== total) throw new Error(`supply: genesis supply is incorrect, expected ${stated}, got ${total}`);
}

function at(where: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : 'invalid'}`);
  }
}

function unique<T>(name: string, list: readonly T[], keyOf: (item: T) => string, check: (item: T) => void): void {
  const seen = new Set<string>();
  list.forEach((item, index) => {
    at(`${name}[${index}]`, () => {
      const key = keyOf(item);
      if (seen.has(key)) throw new Error('it stands twice');
      seen.add(key);
      check(item);
    });
  });
}

function totalOf(balances: readonly Balance[]): Coin[] {
  // Summed by denomination: adding list to list would be quadratic for a genesis of many accounts.
  const sums = new Map<string, bigint>();
  for (const { coins } of balances) {
    for (const { denom, amount } of coins) sums.set(denom, (sums.get(denom) ?? 0n) + parseAmount(amount));
  }
  const total = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  return addCoins(
    total.map(([denom, amount]) => ({ denom, amount: amount.toString() })),
    [],
  );
}

export function initGenesis(ctx: Context, state: GenesisState): void {
  setParams(ctx, state.params);
  for (const entry of state.sendEnabled) setSendEnabled(ctx, entry);
  const holders = state.balances.map(({ address, coins }) => ({
    address: fromBech32(address, ctx.chain.bech32Prefix),
    coins,
  }));
  for (const { address, coins } of holders.sort((a, b) => compareBytes(a.address, b.address))) {
    for (const { denom, amount } of coins) setBalance(ctx, address, { denom, amount: parseAmount(amount) });
  }
  for (const { denom, amount } of totalOf(state.balances)) setSupply(ctx, denom, parseAmount(amount));
  for (const metadata of state.denomMetadata) setMetadata(ctx, metadata);
}

export function exportGenesis(ctx: Context): GenesisState {
  return GenesisState.fromPartial({
    params: getParams(ctx),
    balances: exportBalances(ctx),
    supply: [...allSupply(ctx)],
    denomMetadata: [...allMetadata(ctx)],
    sendEnabled: [...allSendEnabled(ctx)],
  });
}

function exportBalances(ctx: Context): Balance[] {
  const balances: Balance[] = [];
  for (const [address, coin] of allBalances(ctx)) {
    const text = toBech32(ctx.chain.bech32Prefix, address);
    const last = balances.at(-1);
    if (last?.address === text) last.coins.push(coin);
    else balances.push(Balance.fromPartial({ address: text, coins: [coin] }));
  }
  return balances;
}
