/** Messages of deployments: each a ladder of guards, then the writes. The README's table is in the order of the guards. */
import type { Context } from '@mu/framework/context';
import { errInvalidRequest, errUnauthorized } from '@mu/framework/errors';
import { type Handlers, sameAddress } from '@mu/framework/message-registry';
import { parseAmount } from '@mu/lib/amounts';
import { equalBytes } from '@mu/lib/bytes';
import {
  Deployment,
  type DeploymentId,
  DeploymentState,
  MsgCancelDeploymentResponse,
  type MsgDefinition,
  type MsgSubmitDeployment,
  MsgSubmitDeploymentResponse,
  type MsgUpdateDeployment,
  MsgUpdateDeploymentResponse,
  MsgUpdateParamsResponse,
  type Params,
} from '@mu/proto/deployment';
import { errDeposit, errDseq, errNotActive, errNotFound, errTooMany } from './errors.ts';
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
import { merge, standing, unchanged } from './update.ts';

type DeploymentMsgs = Handlers<(typeof MsgDefinition)['methods']>;

export function createMsgServer(keeper: DeploymentKeeper): DeploymentMsgs {
  return {
    submitDeployment: (ctx, message) => submit(ctx, keeper, message),
    updateDeployment: (ctx, message) => update(ctx, keeper, message),
    cancelDeployment(ctx, { owner, dseq }) {
      const id = { owner: canonical(ctx, owner), dseq };
      keeper.cancel(ctx, requireActive(ctx, keeper, id), id);
      return MsgCancelDeploymentResponse.fromPartial({});
    },
    updateParams(ctx, { authority, params }) {
      if (authority === '' || !sameAddress(authority, authorityItem.get(ctx)))
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
  checkFields(message, knownOf(ctx, keeper, params));
  const sealedManifest = keeper.checkedSeal(ctx, message.sealedManifest, message.infrastructure);
  const deposit = depositOf(ctx, message);
  const { billing } = keeper.deps;
  const deployment = Deployment.fromPartial({
    id,
    name: message.name,
    infrastructure: message.infrastructure,
    version: message.version,
    revision: 1n,
    waitBlocks: message.waitBlocks,
    accessKeys: message.accessKeys,
    sealedManifest,
    state: DeploymentState.DEPLOYMENT_STATE_ACTIVE,
    createdHeight: ctx.height,
  });
  lastDseq.set(ctx, key, dseq);
  putDeployment(ctx, deployment, undefined);
  emitDeployment(ctx, 'deployment_submitted', deployment);
  billing.openEscrow(ctx, id, owner, deposit, billing.reserveFor(ctx, deployment.infrastructure));
  keeper.paySeal(ctx, deployment);
  for (const index of deployment.infrastructure.keys())
    keeper.deps.market.updateOrder(ctx, deployment, index, undefined);
  return MsgSubmitDeploymentResponse.fromPartial({ id });
}

function knownOf(ctx: Context, keeper: DeploymentKeeper, params: Params): Known {
  return { params, registry: keeper.deps.provider.params(ctx), prefix: ctx.chain.bech32Prefix };
}

function checkFields(message: MsgSubmitDeployment, known: Known): void {
  checkName(message.name, known);
  checkInfrastructures(message.infrastructure, known);
  checkVersion(message.version);
  checkWait(message.waitBlocks, known);
  checkAccessKeys(message.accessKeys, known);
}

/** @throws AbciError not found (2), not active (3) */
function requireActive(ctx: Context, keeper: DeploymentKeeper, id: DeploymentId): Deployment {
  const deployment = keeper.getDeployment(ctx, id);
  if (deployment === undefined) throw errNotFound.wrap(`${id.owner}/${id.dseq}`);
  if (!isActive(deployment)) throw errNotActive.wrap(`${id.owner}/${id.dseq}`);
  return deployment;
}

function update(ctx: Context, keeper: DeploymentKeeper, message: MsgUpdateDeployment): MsgUpdateDeploymentResponse {
  const id = { owner: canonical(ctx, message.owner), dseq: message.dseq };
  const before = requireActive(ctx, keeper, id);
  const known = knownOf(ctx, keeper, paramsItem.get(ctx));
  if (message.infrastructure.length > 0) checkInfrastructures(message.infrastructure, known);
  if (message.version.length > 0) checkVersion(message.version);
  checkAccessKeys(message.accessKeys, known);
  const isNext = message.version.length > 0 && !equalBytes(message.version, before.version);
  const merged = message.infrastructure.length > 0 ? merge(before, message.infrastructure) : unchanged(before);
  const { infrastructure, removed } = merged;
  const asks = standing({ ...before, infrastructure, removed });
  const sealed = keeper.checkedSeal(ctx, message.sealedManifest, asks);
  const next: Deployment = {
    ...before,
    infrastructure,
    removed,
    version: isNext ? message.version : before.version,
    revision: isNext ? before.revision + 1n : before.revision,
    accessKeys: message.accessKeys,
    sealedManifest: sealed ?? (isNext ? undefined : before.sealedManifest),
  };
  keeper.update(ctx, before, next, merged);
  if (sealed !== undefined) keeper.paySeal(ctx, next);
  return MsgUpdateDeploymentResponse.fromPartial({ revision: next.revision });
}

function depositOf(ctx: Context, { deposit }: MsgSubmitDeployment): bigint {
  if (deposit === undefined || deposit.denom !== ctx.chain.denom) throw errDeposit.wrap(`it is in ${ctx.chain.denom}`);
  try {
    return parseAmount(deposit.amount);
  } catch (error) {
    throw errDeposit.wrap(error instanceof Error ? error.message : 'not an amount');
  }
}
