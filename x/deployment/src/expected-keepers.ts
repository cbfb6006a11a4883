/** What deployments need of other modules; `chain/app` hands it keepers that have these methods. */
import type { Context } from '@mu/framework/context';
import type { Coin } from '@mu/lib/amounts';
import type { Deployment, DeploymentId, DeploymentInfrastructure } from '@mu/proto/deployment';
import type { CloseReason } from '@mu/proto/market';
import type { Provider, Params as RegistryParams } from '@mu/proto/provider';

export interface ProviderKeeper {
  params(ctx: Context): RegistryParams;
  getProvider(ctx: Context, owner: string): Provider | undefined;
}

export interface BankKeeper {
  sendFromAccountToModule(ctx: Context, from: string, module: string, coins: Coin[]): void;
}

export interface MarketKeeper {
  /**
   * Brings the orders and leases of an infrastructure to what it asks now.
   * @param before what it asked; undefined for a new one
   * @returns whether an order was opened
   */
  updateOrder(
    ctx: Context,
    deployment: Deployment,
    index: number,
    before: DeploymentInfrastructure | undefined,
  ): boolean;
  /** Ends the order and the leases of a removed infrastructure. */
  removeOrder(ctx: Context, id: DeploymentId, index: number): void;
  /** Tells the deployment where neither an open order nor a live lease is left of it. */
  tellWhenAllIsOver(ctx: Context, id: DeploymentId): void;
  /** Closes the open orders and ends the live leases of a deployment. */
  closeDeployment(ctx: Context, id: DeploymentId, reason: CloseReason): void;
}

export interface BillingKeeper {
  /** umu that the escrow must hold at the start */
  reserveFor(ctx: Context, infrastructures: readonly DeploymentInfrastructure[]): bigint;
  openEscrow(ctx: Context, id: DeploymentId, depositor: string, amount: bigint, reserve: bigint): void;
  /** @param orders whether something is ordered, so that the escrow must hold the reserve */
  updateReserve(ctx: Context, id: DeploymentId, reserve: bigint, orders: boolean): void;
  closeEscrow(ctx: Context, id: DeploymentId): void;
}

/** Kept as an object whose members are read at use, so that it may be filled after construction. */
export interface DeploymentDeps {
  readonly bank: BankKeeper;
  readonly provider: ProviderKeeper;
  readonly market: MarketKeeper;
  readonly billing: BillingKeeper;
}
