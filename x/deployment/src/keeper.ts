/** Deployments as other modules see them, and the turns of their life. */
import type { Context } from '@mu/framework/context';
import { type Deployment, type DeploymentId, DeploymentState } from '@mu/proto/deployment';
import { CloseReason } from '@mu/proto/market';
import { emitDeployment } from './events.ts';
import type { DeploymentDeps } from './expected-keepers.ts';
import { deployments, isActive, keyOf, putDeployment } from './state.ts';

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
    const next = { ...deployment, state, closedHeight };
    putDeployment(ctx, next, deployment);
    return next;
  }
}
