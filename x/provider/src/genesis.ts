/** Genesis: the records alone; indexes and counters are rebuilt from them. */
import type { Context } from '@mu/framework/context';
import { GenesisState } from '@mu/proto/provider';
import { errParams } from './errors.ts';
import { defaultParams, validateParams } from './params.ts';
import {
  authorityItem,
  nodes,
  paramsItem,
  priceLists,
  providers,
  putNode,
  putPriceList,
  putProvider,
} from './state.ts';

export function defaultGenesis(): GenesisState {
  return GenesisState.fromPartial({ params: defaultParams() });
}

/** @throws AbciError with what is wrong */
export function validateGenesis(state: GenesisState): void {
  validateParams(state.params ?? defaultParams());
  const owners = state.providers.map(({ owner }) => owner);
  if (new Set(owners).size !== owners.length) throw errParams.wrap('genesis names a provider twice');
  for (const { provider, version } of state.priceLists) {
    const latest = state.providers.find(({ owner }) => owner === provider)?.priceListVersion ?? 0n;
    if (version < 1n || version > latest) throw errParams.wrap(`price list ${version} of ${provider} has no provider`);
  }
  for (const { provider, nodeId } of state.nodes) {
    if (!owners.includes(provider)) throw errParams.wrap(`node ${nodeId} of ${provider} has no provider`);
  }
}

export function initGenesis(ctx: Context, state: GenesisState): void {
  const params = state.params ?? defaultParams();
  const denom = params.deposit?.denom;
  if (denom !== ctx.chain.denom)
    throw errParams.wrap(`the deposit is in ${denom}, the chain’s denomination is ${ctx.chain.denom}`);
  paramsItem.set(ctx, params);
  authorityItem.set(ctx, state.authority);
  for (const provider of state.providers) putProvider(ctx, provider, undefined);
  for (const list of state.priceLists) putPriceList(ctx, list);
  for (const node of state.nodes) putNode(ctx, node, undefined);
}

export function exportGenesis(ctx: Context): GenesisState {
  return GenesisState.fromPartial({
    params: paramsItem.get(ctx),
    authority: authorityItem.get(ctx),
    providers: [...providers.iterate(ctx)].map(([, provider]) => provider),
    priceLists: [...priceLists.iterate(ctx)].map(([, list]) => list),
    nodes: [...nodes.iterate(ctx)].map(([, node]) => node),
  });
}
