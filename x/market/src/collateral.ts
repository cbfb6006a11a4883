/** Collateral in the module account: locked by bids, returned or divided at their end. */
import type { Context } from '@mu/framework/context';
import { moduleAddress } from '@mu/lib/address';
import { makeCoin } from '@mu/lib/amounts';
import { toBech32 } from '@mu/lib/bech32';
import type { MarketDeps } from './expected-keepers.ts';
import { moduleName } from './keys.ts';
import type { Division } from './leases.ts';

/** The market's account, which holds the collateral and signs what a block must begin with. */
export function marketAddress(ctx: Context): string {
  return toBech32(ctx.chain.bech32Prefix, moduleAddress(moduleName));
}

/**
 * The sender of a bid pays its collateral, and it returns to the provider's payout address: so a stolen operator key
 * can lock its own coins but never take those of the provider.
 */
export class Collateral {
  readonly #deps: MarketDeps;

  constructor(deps: MarketDeps) {
    this.#deps = deps;
  }

  /** @throws AbciError insufficient funds (5) */
  lock(ctx: Context, sender: string, amount: bigint): void {
    if (amount > 0n)
      this.#deps.bank.sendFromAccountToModule(ctx, sender, moduleName, [makeCoin(amount, ctx.chain.denom)]);
  }

  /** Returns a collateral to the provider. */
  refund(ctx: Context, provider: string, amount: bigint): void {
    this.#pay(ctx, this.#accountsOf(ctx, provider), amount);
  }

  /** Mints interest to the provider. @returns umu minted: 0 where none of its accounts can receive */
  payInterest(ctx: Context, provider: string, amount: bigint): bigint {
    if (amount === 0n) return 0n;
    for (const account of this.#accountsOf(ctx, provider)) {
      const failure = ctx.isolated((own) => this.#deps.billing.mintInterest(own, account, amount));
      if (failure === undefined) return amount;
    }
    return 0n;
  }

  /** Where a provider is paid, in the order in which it is tried. */
  #accountsOf(ctx: Context, provider: string): readonly string[] {
    const payout = this.#deps.provider.getProvider(ctx, provider)?.payoutAddress ?? '';
    return payout === '' ? [provider] : [payout, provider];
  }

  /** Pays out a divided collateral. */
  divide(ctx: Context, provider: string, user: string, division: Division): void {
    this.refund(ctx, provider, division.toProvider);
    this.#pay(ctx, [user], division.toUser);
    this.#burn(ctx, division.burnt);
  }

  /**
   * Pays the first of the accounts that can receive. A payout address that cannot must not hold up a match with other
   * parties, so the next one gets it; where none can, it is burnt and no coin is left behind in the module account.
   */
  #pay(ctx: Context, accounts: readonly string[], amount: bigint): void {
    if (amount === 0n) return;
    const coins = [makeCoin(amount, ctx.chain.denom)];
    for (const account of accounts) {
      const failure = ctx.isolated((own) => this.#deps.bank.sendFromModuleToAccount(own, moduleName, account, coins));
      if (failure === undefined) return;
    }
    // Out of gas is no fault of a receiver: it comes back here at the first access of the store.
    this.#burn(ctx, amount);
  }

  #burn(ctx: Context, amount: bigint): void {
    if (amount > 0n) this.#deps.bank.burnCoins(ctx, moduleName, [makeCoin(amount, ctx.chain.denom)]);
  }
}
