/** Genesis: the records alone; indexes and counters are rebuilt from them. */
import type { Context } from '@mu/framework/context';
import { toBech32 } from '@mu/lib/bech32';
import { GenesisState } from '@mu/proto/deployment';
import { errParams } from './errors.ts';
import { defaultParams, validateParams } from './params.ts';
import { authorityItem, deployments, lastDseq, ownerKey, paramsItem, putDeployment } from './state.ts';

export function defaultGenesis(): GenesisState {
  return GenesisState.fromPartial({ params: defaultParams() });
}

/** @throws AbciError with what is wrong */
export function validateGenesis(state: GenesisState): void {
  validateParams(state.params ?? defaultParams());
  const names = state.deployments.map(({ id }) => `${id?.owner}/${id?.dseq}`);
  if (new Set(names).size !== names.length) throw errParams.wrap('genesis names a deployment twice');
  for (const { id } of state.deployments) {
    const last = state.lastDseqs.find(({ owner }) => owner === id?.owner)?.dseq ?? 0n;
    if (id === undefined || id.dseq > last)
      throw errParams.wrap(`deployment ${id?.owner}/${id?.dseq} is above the owner’s last dseq`);
  }
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
