/** Messages of deployments: each a ladder of guards, then the writes. The README's table is in the order of the guards. */
import type { Context } from '@mu/framework/context';
import { errInvalidRequest, errUnauthorized } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { parseAmount } from '@mu/lib/amounts';
import {
  Deployment,
  DeploymentState,
  MsgCancelDeploymentResponse,
  type MsgDefinition,
  type MsgSubmitDeployment,
  MsgSubmitDeploymentResponse,
  MsgUpdateParamsResponse,
} from '@mu/proto/deployment';
import { errDeposit, errDseq, errNotActive, errNotFound, errSealedManifest, errTooMany } from './errors.ts';
import { emitDeployment, emitParamsUpdated } from './events.ts';
import type { DeploymentKeeper } from './keeper.ts';
import { validateParams } from './params.ts';
import { checkAccessKeys, checkInfrastructures, checkName, checkVersion, checkWait, type Known } from './rules.ts';
import {
  activeCount,
  authorityItem,
  canonical,
  isActive,
  lastDseq,
  ownerKey,
  paramsItem,
  putDeployment,
} from './state.ts';

type DeploymentMsgs = Partial<Handlers<(typeof MsgDefinition)['methods']>>;

export function createMsgServer(keeper: DeploymentKeeper): DeploymentMsgs {
  return {
    submitDeployment: (ctx, message) => submit(ctx, keeper, message),
    cancelDeployment(ctx, { owner, dseq }) {
      const id = { owner: canonical(ctx, owner), dseq };
      const deployment = keeper.getDeployment(ctx, id);
      if (deployment === undefined) throw errNotFound.wrap(`${owner}/${dseq}`);
      if (!isActive(deployment)) throw errNotActive.wrap(`${owner}/${dseq}`);
      keeper.cancel(ctx, deployment, id);
      return MsgCancelDeploymentResponse.fromPartial({});
    },
    updateParams(ctx, { authority, params }) {
      if (authority === '' || authority !== authorityItem.get(ctx))
        throw errUnauthorized.wrap('only the authority of genesis changes parameters');
      if (params === undefined) throw errInvalidRequest.wrap('params is missing');
      validateParams(params);
      paramsItem.set(ctx, params);
      emitParamsUpdated(ctx);
      return MsgUpdateParamsResponse.fromPartial({});
    },
  };
}

function submit(ctx: Context, keeper: DeploymentKeeper, message: MsgSubmitDeployment): MsgSubmitDeploymentResponse {
  const { dseq } = message;
  const owner = canonical(ctx, message.owner);
  const id = { owner, dseq };
  const key = ownerKey(ctx, owner);
  const params = paramsItem.get(ctx);
  const last = lastDseq.get(ctx, key) ?? 0n;
  if (dseq <= last) throw errDseq.wrap(`${dseq}, the last one is ${last}`);
  const active = activeCount.get(ctx, key) ?? 0n;
  if (active >= BigInt(params.maxActiveDeployments))
    throw errTooMany.wrap(`${active}, at most ${params.maxActiveDeployments}`);
  const known: Known = { params, registry: keeper.deps.provider.params(ctx), prefix: ctx.chain.bech32Prefix };
  checkFields(message, known);
  const deposit = depositOf(ctx, message);
  const { billing, market } = keeper.deps;
  const deployment = Deployment.fromPartial({
    id,
    name: message.name,
    infrastructure: message.infrastructure,
    version: message.version,
    revision: 1n,
    waitBlocks: message.waitBlocks,
    accessKeys: message.accessKeys,
    state: DeploymentState.DEPLOYMENT_STATE_ACTIVE,
    createdHeight: ctx.height,
  });
  lastDseq.set(ctx, key, dseq);
  putDeployment(ctx, deployment, undefined);
  emitDeployment(ctx, 'deployment_submitted', deployment);
  billing.openEscrow(ctx, id, owner, deposit, billing.reserveFor(ctx, deployment.infrastructure));
  for (const index of deployment.infrastructure.keys()) market.openOrder(ctx, deployment, index);
  return MsgSubmitDeploymentResponse.fromPartial({ id });
}

function checkFields(message: MsgSubmitDeployment, known: Known): void {
  checkName(message.name, known);
  checkInfrastructures(message.infrastructure, known);
  checkVersion(message.version);
  checkWait(message.waitBlocks, known);
  checkAccessKeys(message.accessKeys, known);
  if (message.sealedManifest !== undefined) throw errSealedManifest.wrap('hand the manifest to the provider instead');
}

function depositOf(ctx: Context, { deposit }: MsgSubmitDeployment): bigint {
  if (deposit === undefined || deposit.denom !== ctx.chain.denom) throw errDeposit.wrap(`it is in ${ctx.chain.denom}`);
  try {
    return parseAmount(deposit.amount);
  } catch (error) {
    throw errDeposit.wrap(error instanceof Error ? error.message : 'not an amount');
  }
}
