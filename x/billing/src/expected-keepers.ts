/** What x/billing needs of other modules. Addresses are bech32, amounts umu. */
import type { Context } from '@mu/framework/context';
import type { Coin } from '@mu/lib/amounts';
import type { DeploymentId } from '@mu/proto/deployment';
import type { Lease } from '@mu/proto/market';
import type { Node, PriceList, Provider, Params as ProviderParams } from '@mu/proto/provider';

export interface BankKeeper {
  sendFromAccountToModule(ctx: Context, from: string, module: string, coins: Coin[]): void;
  sendFromModuleToAccount(ctx: Context, module: string, to: string, coins: Coin[]): void;
  balance(ctx: Context, address: string, denom: string): bigint;
  /** whether an account takes coins from its own module alone */
  isBlocked(address: Uint8Array): boolean;
  mintCoins(ctx: Context, module: string, coins: readonly Coin[]): void;
}

export interface AccountKeeper {
  moduleAddress(ctx: Context, name: string): string;
}

export interface ProviderKeeper {
  getProvider(ctx: Context, owner: string): Provider | undefined;
  /** true for the owner and the operators of an existing provider */
  isActing(ctx: Context, owner: string, sender: string): boolean;
  priceList(ctx: Context, owner: string, version: bigint): PriceList | undefined;
  getNode(ctx: Context, owner: string, nodeId: string): Node | undefined;
  params(ctx: Context): ProviderParams;
}

export interface MarketKeeper {
  getLease(ctx: Context, number: bigint): Lease | undefined;
  saveLease(ctx: Context, lease: Lease): void;
  leasesOfDeployment(ctx: Context, id: DeploymentId): Lease[];
  /** numbers of all leases that a deployment ever had, ascending */
  leaseNumbersOfDeployment(ctx: Context, id: DeploymentId): bigint[];
  /** how many blocks the chain reckons a year has */
  blocksPerYear(ctx: Context): bigint;
  /** a deposit has come: leases that are out of funds go on from this block */
  resumeLeases(ctx: Context, id: DeploymentId): void;
}

export interface DeploymentKeeper {
  /** the escrow is settled */
  markClosed(ctx: Context, id: DeploymentId): void;
}

/**
 * All of them. The keepers of Mu's modules need one another, so the object may be filled after the keeper was made: it is
 * read when a keeper is used, never in the constructor.
 */
export interface BillingDeps {
  readonly bank: BankKeeper;
  readonly accounts: AccountKeeper;
  readonly provider: ProviderKeeper;
  readonly market: MarketKeeper;
  readonly deployment: DeploymentKeeper;
}
