/** Genesis of coins, in the SDK's shape: who holds what, the sum of it, and what the denominations are. */
import type { Context } from '@mu/framework/context';
import type { GenesisIntake } from '@mu/framework/genesis-parts';
import { addCoins, type Coin, coinsToString, parseAmount, validateCoins, validateDenom } from '@mu/lib/amounts';
import { fromBech32, toBech32 } from '@mu/lib/bech32';
import { ByteSet } from '@mu/lib/byte-set';
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

/** Checks a genesis and, with a context, stores it; of the balances that have passed it keeps addresses and sums. */
export function takeGenesis(ctx: Context | undefined): GenesisIntake<GenesisState> {
  const holders = new ByteSet();
  const sums = new Map<string, bigint>();
  let stated: readonly Coin[] = [];
  return {
    begin(rest) {
      checkRest(rest);
      stated = rest.supply;
      if (ctx !== undefined) storeRest(ctx, rest);
    },
    part({ balances }, from) {
      for (const [index, balance] of balances.entries()) {
        at(`balances[${from + index}]`, () => takeBalance(ctx, balance, holders, sums));
      }
    },
    end() {
      const total = coinsOf(sums);
      if (stated.length > 0) checkSupply(stated, total);
      if (ctx !== undefined) for (const { denom, amount } of total) setSupply(ctx, denom, parseAmount(amount));
    },
  };
}

function checkRest({ params, sendEnabled, denomMetadata, supply }: GenesisState): void {
  at('params', () => validateParams(params));
  unique(
    'send_enabled',
    sendEnabled,
    ({ denom }) => denom,
    ({ denom }) => validateDenom(denom),
  );
  unique('denom_metadata', denomMetadata, ({ base }) => base, validateMetadata);
  at('supply', () => validateCoins(supply));
}

function storeRest(ctx: Context, { params, sendEnabled, denomMetadata }: GenesisState): void {
  setParams(ctx, params);
  for (const entry of sendEnabled) setSendEnabled(ctx, entry);
  for (const metadata of denomMetadata) setMetadata(ctx, metadata);
}

function takeBalance(
  ctx: Context | undefined,
  { address: text, coins }: Balance,
  holders: ByteSet,
  sums: Map<string, bigint>,
): void {
  // One account is one raw address, however its text is written.
  const address = fromBech32(text, ctx?.chain.bech32Prefix);
  if (!holders.add(address)) throw new Error('it stands twice');
  validateCoins(coins);
  for (const { denom, amount: digits } of coins) {
    const amount = parseAmount(digits);
    sums.set(denom, (sums.get(denom) ?? 0n) + amount);
    if (ctx !== undefined) setBalance(ctx, address, { denom, amount });
  }
}

function checkSupply(stated: readonly Coin[], total: readonly Coin[]): void {
  const [expected, got] = [coinsToString(stated), coinsToString(total)];
  if (expected !== got) throw new Error(`supply: genesis supply is incorrect, expected ${expected}, got ${got}`);
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

/** Coins by denomination. @throws AmountError for a sum of more than 256 bits */
function coinsOf(sums: ReadonlyMap<string, bigint>): Coin[] {
  const total = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  return addCoins(
    total.map(([denom, amount]) => ({ denom, amount: amount.toString() })),
    [],
  );
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
