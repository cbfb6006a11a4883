/** Genesis: the records alone; indexes and counters are rebuilt from them. */
import type { Context } from '@mu/framework/context';
import { toBech32 } from '@mu/lib/bech32';
import { type Deployment, DeploymentState, GenesisState } from '@mu/proto/deployment';
import { errParams } from './errors.ts';
import { defaultParams, validateParams } from './params.ts';
import { authorityItem, deployments, isActive, lastDseq, ownerKey, paramsItem, putDeployment } from './state.ts';

export function defaultGenesis(): GenesisState {
  return GenesisState.fromPartial({ params: defaultParams() });
}

/** @throws AbciError with the path of what is wrong */
export function validateGenesis(state: GenesisState): void {
  validateParams(state.params ?? defaultParams());
  const last = new Map<string, bigint>();
  for (const [at, { owner, dseq }] of state.lastDseqs.entries()) {
    if (last.has(owner)) throw errParams.wrap(`last_dseqs[${at}] names an owner twice`);
    last.set(owner, dseq);
  }
  const known = new Set<string>();
  for (const [at, deployment] of state.deployments.entries()) {
    const where = `deployments[${at}]`;
    const { owner = '', dseq = 0n } = deployment.id ?? {};
    const name = `${owner}/${dseq}`;
    if (known.has(name)) throw errParams.wrap(`${where} stands twice`);
    known.add(name);
    if (dseq < 1n || dseq > (last.get(owner) ?? 0n))
      throw errParams.wrap(`${where}.id.dseq is above the owner’s last dseq`);
    checkRecord(where, deployment);
  }
}

function checkRecord(where: string, deployment: Deployment): void {
  const { state, closedHeight, infrastructure, version, revision } = deployment;
  const isKnown = state >= DeploymentState.DEPLOYMENT_STATE_ACTIVE && state <= DeploymentState.DEPLOYMENT_STATE_CLOSED;
  if (!isKnown) throw errParams.wrap(`${where}.state is unknown`);
  if (isActive(deployment) !== (closedHeight === 0n))
    throw errParams.wrap(`${where}.closed_height is 0 while active and only then`);
  if (infrastructure.length === 0) throw errParams.wrap(`${where}.infrastructure is empty`);
  checkRemoved(where, deployment);
  if (version.length !== 32) throw errParams.wrap(`${where}.version has no 32 bytes`);
  if (revision < 1n) throw errParams.wrap(`${where}.revision counts from 1`);
}

function checkRemoved(where: string, { infrastructure, removed }: Deployment): void {
  const ascends = removed.every((index, at) => index > (removed[at - 1] ?? -1) && index < infrastructure.length);
  if (!ascends || removed.length >= infrastructure.length)
    throw errParams.wrap(`${where}.removed are ascending indexes of infrastructures, not of all`);
}

export function initGenesis(ctx: Context, state: GenesisState): void {
  paramsItem.set(ctx, state.params ?? defaultParams());
  authorityItem.set(ctx, state.authority);
  for (const { owner, dseq } of state.lastDseqs) lastDseq.set(ctx, ownerKey(ctx, owner), dseq);
  for (const deployment of state.deployments) putDeployment(ctx, deployment, undefined);
}

export function exportGenesis(ctx: Context): GenesisState {
  return GenesisState.fromPartial({
    params: paramsItem.get(ctx),
    authority: authorityItem.get(ctx),
    deployments: [...deployments.iterate(ctx)].map(([, deployment]) => deployment),
    lastDseqs: [...lastDseq.iterate(ctx)].map(([owner, dseq]) => ({
      owner: toBech32(ctx.chain.bech32Prefix, owner),
      dseq,
    })),
  });
}
