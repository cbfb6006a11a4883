/** Queries of deployments. Lists go over the index that the filter names first; the rest of the filter is applied to it. */
import type { Context } from '@mu/framework/context';
import { errKeyNotFound } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { listPage, type Source } from '@mu/framework/pagination';
import { Deployment, DeploymentState, type QueryDefinition } from '@mu/proto/deployment';
import type { DeploymentKeeper } from './keeper.ts';
import { deploymentKey, stateDeploymentKey } from './keys.ts';
import { byState, deployments, lastDseq, ownerKey, paramsItem } from './state.ts';

type DeploymentQueries = Handlers<(typeof QueryDefinition)['methods']>;

export function createQueryServer(keeper: DeploymentKeeper): DeploymentQueries {
  return {
    params: (ctx) => ({ params: paramsItem.get(ctx) }),
    deployments(ctx, { owner, state, pagination: page }) {
      const any = state === DeploymentState.DEPLOYMENT_STATE_UNSPECIFIED;
      const keeps = (one: Deployment): boolean => any || one.state === state;
      const { items, pagination } =
        owner === '' && !any
          ? listPage(ctx, inState(state), page, keeps)
          : listPage(ctx, ofOwner(ctx, owner), page, keeps);
      return { deployments: items, pagination };
    },
    deployment(ctx, id) {
      const deployment = keeper.getDeployment(ctx, id);
      if (deployment === undefined) throw errKeyNotFound.wrap(`deployment ${id.owner}/${id.dseq} does not exist`);
      return { deployment };
    },
    lastDseq: (ctx, { owner }) => ({ dseq: lastDseq.get(ctx, ownerKey(ctx, owner)) ?? 0n }),
  };
}

function ofOwner(ctx: Context, owner: string): Source<readonly [Uint8Array, bigint], Deployment> {
  return {
    keys: deployments,
    codec: deploymentKey,
    prefix: owner === '' ? [] : [ownerKey(ctx, owner)],
    load: (_ctx, _key, value) => Deployment.decode(value),
  };
}

function inState(state: DeploymentState): Source<readonly [number, Uint8Array, bigint], Deployment> {
  return {
    keys: byState,
    codec: stateDeploymentKey,
    prefix: [state],
    load: (ctx, [, owner, dseq]) => deployments.get(ctx, [owner, dseq]) as Deployment,
  };
}
