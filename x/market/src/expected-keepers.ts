/** What the market needs of other modules; `chain/app` hands it keepers that have these methods. */
import type { Context } from '@mu/framework/context';
import type { Coin } from '@mu/lib/amounts';
import type { Deployment, DeploymentId } from '@mu/proto/deployment';
import type { Lease } from '@mu/proto/market';
import type { Attribute, PriceList, Provider } from '@mu/proto/provider';

/** Moves coins; every method throws an AbciError when it cannot. */
export interface BankKeeper {
  sendFromAccountToModule(ctx: Context, from: string, module: string, coins: Coin[]): void;
  sendFromModuleToAccount(ctx: Context, module: string, to: string, coins: Coin[]): void;
  burnCoins(ctx: Context, module: string, coins: Coin[]): void;
  balance(ctx: Context, address: string, denom: string): bigint;
}

/** The registry of providers. */
export interface ProviderKeeper {
  getProvider(ctx: Context, owner: string): Provider | undefined;
  /** whether the sender is the owner or an operator of an existing provider */
  isActing(ctx: Context, owner: string, sender: string): boolean;
  priceList(ctx: Context, owner: string, version: bigint): PriceList | undefined;
  /** whether the provider states the attributes, or one of the auditors does where any is named */
  satisfies(ctx: Context, owner: string, attributes: readonly Attribute[], auditedBy: readonly string[]): boolean;
}

/** Deployments, whose infrastructure orders are made of. */
export interface DeploymentKeeper {
  getDeployment(ctx: Context, id: DeploymentId): Deployment | undefined;
}

/** What became of a payment of blocks. */
export interface BlockPayment {
  /** with remainder, paid, commission, bill and paid_through brought up to date */
  readonly lease: Lease;
  /** in umu, to the provider */
  readonly paid: bigint;
  /** in umu */
  readonly commission: bigint;
  /** false when the escrow did not hold the whole sum; what is missing is not owed */
  readonly funded: boolean;
}

/** The money of deployments. */
export interface BillingKeeper {
  /** Mints umu to an account. @throws AbciError when the account cannot receive */
  mintInterest(ctx: Context, account: string, amount: bigint): void;
  /** Pays price_per_block for the blocks (paid_through, toHeight] as far as the escrow reaches. */
  payBlocks(ctx: Context, lease: Lease, toHeight: bigint): BlockPayment;
}

/** What deployments are told. */
export interface DeploymentHooks {
  /** a deployment that goes on has no open order and no live lease left */
  afterAllOver(ctx: Context, id: DeploymentId): void;
  /** a lease was confirmed as holding a revision of the manifest that it did not hold before */
  afterManifestHeld(ctx: Context, id: DeploymentId, provider: string, revision: bigint): void;
}

/**
 * What the keeper is made of. The object is kept and its members are read when they are used, so that keepers which
 * need one another can be put into it after construction.
 */
export interface MarketDeps {
  readonly bank: BankKeeper;
  readonly provider: ProviderKeeper;
  readonly deployment: DeploymentKeeper;
  readonly billing: BillingKeeper;
  readonly hooks: DeploymentHooks;
}
