/** Events of deployments. Each carries what an indexer needs, so that it asks nothing back. */
import type { Context } from '@mu/framework/context';
import { toHex } from '@mu/lib/bytes';
import type { Deployment } from '@mu/proto/deployment';
import { idOf } from './state.ts';
import { standing } from './update.ts';

export function emitDeployment(
  ctx: Context,
  type:
    | 'deployment_submitted'
    | 'deployment_updated'
    | 'deployment_canceled'
    | 'deployment_closing'
    | 'deployment_closed',
  deployment: Deployment,
): void {
  const { owner, dseq } = idOf(deployment);
  ctx.events.emit(type, [
    ['owner', owner],
    ['dseq', dseq.toString()],
    ['name', deployment.name],
    ['version', toHex(deployment.version)],
    ['revision', deployment.revision.toString()],
    ['infrastructures', standing(deployment).length.toString()],
  ]);
}

export function emitParamsUpdated(ctx: Context): void {
  ctx.events.emit('params_updated', [['module', 'deployment']]);
}
