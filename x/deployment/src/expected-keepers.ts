/** What deployments need of other modules; `chain/app` hands it keepers that have these methods. */
import type { Context } from '@mu/framework/context';
import type { Deployment, DeploymentId, DeploymentInfrastructure } from '@mu/proto/deployment';
import type { CloseReason } from '@mu/proto/market';
import type { Params as RegistryParams } from '@mu/proto/provider';

export interface ProviderKeeper {
  params(ctx: Context): RegistryParams;
}

export interface MarketKeeper {
  /** Opens the next order of an infrastructure. */
  openOrder(ctx: Context, deployment: Deployment, index: number): unknown;
  /** Closes the open orders and ends the live leases of a deployment. */
  closeDeployment(ctx: Context, id: DeploymentId, reason: CloseReason): void;
}

export interface BillingKeeper {
  /** umu that the escrow must hold at the start */
  reserveFor(ctx: Context, infrastructures: readonly DeploymentInfrastructure[]): bigint;
  openEscrow(ctx: Context, id: DeploymentId, depositor: string, amount: bigint, reserve: bigint): void;
  closeEscrow(ctx: Context, id: DeploymentId): void;
}

/** Kept as an object whose members are read at use, so that it may be filled after construction. */
export interface DeploymentDeps {
  readonly provider: ProviderKeeper;
  readonly market: MarketKeeper;
  readonly billing: BillingKeeper;
}
