/** What always holds of coins. */
import type { Context } from '@mu/framework/context';
import type { Invariant } from '@mu/framework/module';
import { prefixEnd } from '@mu/framework/store/kv-store';
import { parseAmount } from '@mu/lib/amounts';
import { holderKey, holderPrefix, storeName } from './keys.ts';
import { allBalances, allSupply } from './state.ts';

export function bankInvariants(): Invariant[] {
  return [
    { name: 'BANK-1 supply', check: supplyIsSum },
    { name: 'BANK-2 positive', check: balancesArePositive },
    { name: 'BANK-3 holders', check: holdersAreBalances },
  ];
}

/** The supply of each denomination is the sum of all balances of it. */
function supplyIsSum(ctx: Context): string | undefined {
  const sums = new Map<string, bigint>();
  for (const [, { denom, amount }] of allBalances(ctx)) {
    sums.set(denom, (sums.get(denom) ?? 0n) + parseAmount(amount));
  }
  for (const { denom, amount } of allSupply(ctx)) {
    const sum = sums.get(denom) ?? 0n;
    if (sum !== parseAmount(amount)) return `supply of ${denom} is ${amount}, the balances sum up to ${sum}`;
    sums.delete(denom);
  }
  const [left] = [...sums.keys()].sort((a, b) => (a < b ? -1 : 1));
  return left === undefined ? undefined : `${left} has balances and no supply`;
}

/** No balance is recorded that is nothing. */
function balancesArePositive(ctx: Context): string | undefined {
  for (const [, { denom, amount }] of allBalances(ctx)) {
    if (parseAmount(amount) === 0n) return `a balance of 0${denom} is recorded`;
  }
  return undefined;
}

/** The index of holders has an entry for each balance, and no other. */
function holdersAreBalances(ctx: Context): string | undefined {
  const store = ctx.store(storeName);
  let balances = 0;
  for (const [address, { denom }] of allBalances(ctx)) {
    balances += 1;
    if (!store.has(holderKey(denom, address))) return `a holder of ${denom} is missing in the index`;
  }
  const entries = [...store.iterate(holderPrefix, prefixEnd(holderPrefix))].length;
  return entries === balances ? undefined : `${entries} holders in the index, ${balances} balances`;
}
