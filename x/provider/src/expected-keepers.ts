/** What the registry needs of other modules; `chain/app` hands it keepers that have these methods. */
import type { Context } from '@mu/framework/context';
import type { Coin } from '@mu/lib/amounts';

export interface BankKeeper {
  sendFromAccountToModule(ctx: Context, from: string, module: string, coins: Coin[]): void;
  sendFromModuleToAccount(ctx: Context, module: string, to: string, coins: Coin[]): void;
  balance(ctx: Context, address: string, denom: string): bigint;
}

export interface MarketKeeper {
  /** whether the provider has an open bid or a live lease */
  hasOpenWork(ctx: Context, provider: string): boolean;
}

/** Kept as an object whose members are read at use, so that it may be filled after construction. */
export interface ProviderDeps {
  readonly bank: BankKeeper;
  readonly market: MarketKeeper;
}
