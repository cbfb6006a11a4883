/** Deployments as other modules see them, and the turns of their life. */
import type { Context } from '@mu/framework/context';
import { makeCoin } from '@mu/lib/amounts';
import {
  type Deployment,
  type DeploymentId,
  type DeploymentInfrastructure,
  DeploymentState,
  type SealedManifest,
} from '@mu/proto/deployment';
import { CloseReason } from '@mu/proto/market';
import { emitDeployment } from './events.ts';
import type { DeploymentDeps } from './expected-keepers.ts';
import { feeCollector } from './keys.ts';
import { checkSealedManifest, sealedManifestFee } from './sealed-manifest.ts';
import { canonical, deployments, idOf, isActive, keyOf, paramsItem, putDeployment } from './state.ts';
import { type Merged, standing } from './update.ts';

export class DeploymentKeeper {
  readonly deps: DeploymentDeps;

  constructor(deps: DeploymentDeps) {
    this.deps = deps;
  }

  getDeployment(ctx: Context, id: DeploymentId): Deployment | undefined {
    return deployments.get(ctx, keyOf(ctx, id));
  }

  /** The user ends it: orders and leases first, then the escrow begins to close. */
  cancel(ctx: Context, deployment: Deployment, id: DeploymentId): void {
    // The state moves first, so that an ending lease opens no new order (effects after writes, ASA-2024-007).
    const closing = this.#move(ctx, deployment, DeploymentState.DEPLOYMENT_STATE_CLOSING);
    emitDeployment(ctx, 'deployment_canceled', closing);
    this.deps.market.closeDeployment(ctx, id, CloseReason.CLOSE_REASON_DEPLOYMENT_CANCELED);
    this.deps.billing.closeEscrow(ctx, id);
  }

  /** Writes an updated deployment and brings orders, leases and reserve to it. @throws AbciError as the README says */
  update(ctx: Context, before: Deployment, next: Deployment, { stated, dropped }: Merged): void {
    const id = idOf(next);
    const { market, billing } = this.deps;
    putDeployment(ctx, next, before);
    emitDeployment(ctx, 'deployment_updated', next);
    for (const index of dropped) market.removeOrder(ctx, id, index);
    let orders = false;
    for (const { index, before: asked } of stated) {
      if (market.updateOrder(ctx, next, index, asked)) orders = true;
    }
    // What ended was paid out of the escrow: only now it is known what it holds.
    billing.updateReserve(ctx, id, billing.reserveFor(ctx, standing(next)), orders);
    market.tellWhenAllIsOver(ctx, id);
  }

  /** A sealed manifest as the state keeps it. @throws AbciError sealed manifest (20) */
  checkedSeal(
    ctx: Context,
    sealed: SealedManifest | undefined,
    infrastructures: readonly DeploymentInfrastructure[],
  ): SealedManifest | undefined {
    if (sealed === undefined) return undefined;
    const provider = this.deps.provider.getProvider(ctx, sealed.provider);
    checkSealedManifest(sealed, { params: paramsItem.get(ctx), infrastructures, provider, height: ctx.height });
    return { ...sealed, provider: canonical(ctx, sealed.provider) };
  }

  /** Pays for the bytes of a deployment's sealed manifest. @throws AbciError insufficient funds (5) */
  paySeal(ctx: Context, { id, sealedManifest }: Deployment): void {
    if (id === undefined || sealedManifest === undefined) return;
    const fee = sealedManifestFee(sealedManifest, paramsItem.get(ctx));
    if (fee === 0n) return;
    this.deps.bank.sendFromAccountToModule(ctx, id.owner, feeCollector, [makeCoin(fee, ctx.chain.denom)]);
  }

  /** The market's hook: once its provider holds the manifest, a sealed one has done its work. */
  afterManifestHeld(ctx: Context, id: DeploymentId, provider: string, revision: bigint): void {
    const deployment = this.getDeployment(ctx, id);
    if (deployment?.sealedManifest?.provider !== provider || deployment.revision !== revision) return;
    putDeployment(ctx, { ...deployment, sealedManifest: undefined }, deployment);
  }

  /** The market's hook: no open order and no live lease is left. */
  afterAllOver(ctx: Context, id: DeploymentId): void {
    const deployment = this.getDeployment(ctx, id);
    if (deployment === undefined || !isActive(deployment)) return;
    emitDeployment(ctx, 'deployment_closing', this.#move(ctx, deployment, DeploymentState.DEPLOYMENT_STATE_CLOSING));
    this.deps.billing.closeEscrow(ctx, id);
  }

  /** The escrow is settled: the deployment is over. */
  markClosed(ctx: Context, id: DeploymentId): void {
    const deployment = this.getDeployment(ctx, id);
    if (deployment?.state !== DeploymentState.DEPLOYMENT_STATE_CLOSING) return;
    emitDeployment(ctx, 'deployment_closed', this.#move(ctx, deployment, DeploymentState.DEPLOYMENT_STATE_CLOSED));
  }

  #move(ctx: Context, deployment: Deployment, state: DeploymentState): Deployment {
    // The end is the block in which it stopped, not the one that settled it.
    const closedHeight = isActive(deployment) ? ctx.height : deployment.closedHeight;
    // Nobody will open a sealed manifest any more.
    const next = { ...deployment, state, closedHeight, sealedManifest: undefined };
    putDeployment(ctx, next, deployment);
    return next;
  }
}
