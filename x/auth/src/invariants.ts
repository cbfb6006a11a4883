/** What always holds of accounts. */
import type { Context } from '@mu/framework/context';
import type { Invariant } from '@mu/framework/module';
import { equalBytes, readU64be } from '@mu/lib/bytes';
import type { AccountKeeper } from './keeper.ts';
import { accountNumberKey, storeName } from './keys.ts';

export function authInvariants(keeper: AccountKeeper): Invariant[] {
  return [{ name: 'AUTH-1 account numbers', check: (ctx) => accountNumbers(ctx, keeper) }];
}

/** Each account stands in the index by its number, and all numbers are below the next one. */
function accountNumbers(ctx: Context, keeper: AccountKeeper): string | undefined {
  const bytes = ctx.store(storeName).get(accountNumberKey);
  const next = bytes === undefined ? 0n : readU64be(bytes);
  for (const { address, addressText, accountNumber } of keeper.accounts(ctx)) {
    if (accountNumber >= next) return `${addressText} has number ${accountNumber}, the next one is ${next}`;
    const indexed = keeper.addressByNumber(ctx, accountNumber);
    if (indexed === undefined || !equalBytes(indexed, address)) return `number ${accountNumber} is not ${addressText}`;
  }
  return undefined;
}
