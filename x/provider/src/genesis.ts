/** Genesis: the records alone; indexes and counters are rebuilt from them. */
import type { Context } from '@mu/framework/context';
import { parseAmount } from '@mu/lib/amounts';
import { GenesisState, type Node, type Params, type PriceList, type Provider, ProviderState } from '@mu/proto/provider';
import { errParams } from './errors.ts';
import { defaultParams, requireDenom, validateParams } from './params.ts';
import { checkAttributeForm, checkAuthorityKey, checkPriceForm, nodeIdPattern } from './rules.ts';
import {
  attestations,
  authorityItem,
  nodes,
  paramsItem,
  priceLists,
  providers,
  putAttestation,
  putNode,
  putPriceList,
  putProvider,
} from './state.ts';

export function defaultGenesis(): GenesisState {
  return GenesisState.fromPartial({ params: defaultParams() });
}

const paramsOf = ({ params }: GenesisState): Params => params ?? defaultParams();

/** @throws AbciError with the path of what is wrong */
export function validateGenesis(state: GenesisState): void {
  validateParams(paramsOf(state));
  const byOwner = checkProviders(state.providers);
  checkPriceLists(state.priceLists, byOwner);
  checkNodes(state.nodes, byOwner);
  const known = new Set<string>();
  for (const [at, { provider, auditor }] of state.attestations.entries()) {
    if (!byOwner.has(provider)) throw errParams.wrap(`attestations[${at}] is of no provider`);
    once(known, `${provider}/${auditor}`, `attestations[${at}]`);
  }
}

function checkProviders(list: readonly Provider[]): Map<string, Provider> {
  const byOwner = new Map<string, Provider>();
  for (const [at, provider] of list.entries()) {
    const where = `providers[${at}]`;
    const { owner, state, unbondingHeight, deposit } = provider;
    if (byOwner.has(owner)) throw errParams.wrap(`${where} stands twice`);
    byOwner.set(owner, provider);
    const isKnown = state >= ProviderState.PROVIDER_STATE_ACTIVE && state <= ProviderState.PROVIDER_STATE_GONE;
    if (!isKnown) throw errParams.wrap(`${where}.state is unknown`);
    if ((state === ProviderState.PROVIDER_STATE_ACTIVE) !== (unbondingHeight === 0n))
      throw errParams.wrap(`${where}.unbonding_height is 0 while active and only then`);
    if (deposit === undefined || !isAmount(deposit.amount)) throw errParams.wrap(`${where}.deposit is no coin`);
    checkAuthorityKey(provider.nodeAuthorityKey);
    checkAttributeForm(provider.attributes);
  }
  return byOwner;
}

function isAmount(text: string): boolean {
  try {
    parseAmount(text);
    return true;
  } catch {
    return false;
  }
}

/** Every version from 1 to the provider's latest stands once. */
function checkPriceLists(list: readonly PriceList[], byOwner: ReadonlyMap<string, Provider>): void {
  const known = new Set<string>();
  const counts = new Map<string, bigint>();
  for (const [at, { provider, version, prices }] of list.entries()) {
    const latest = byOwner.get(provider)?.priceListVersion ?? 0n;
    if (version < 1n || version > latest) throw errParams.wrap(`price_lists[${at}] is of no provider’s version`);
    once(known, `${provider}/${version}`, `price_lists[${at}]`);
    checkPriceForm(prices);
    counts.set(provider, (counts.get(provider) ?? 0n) + 1n);
  }
  for (const [owner, { priceListVersion }] of byOwner) {
    if ((counts.get(owner) ?? 0n) !== priceListVersion) throw errParams.wrap(`price lists of ${owner} are missing`);
  }
}

function checkNodes(list: readonly Node[], byOwner: ReadonlyMap<string, Provider>): void {
  const known = new Set<string>();
  for (const [at, { provider, nodeId, publicKey }] of list.entries()) {
    if (!byOwner.has(provider)) throw errParams.wrap(`nodes[${at}] is of no provider`);
    if (!nodeIdPattern.test(nodeId)) throw errParams.wrap(`nodes[${at}].node_id is wrong`);
    if (publicKey.length !== 32) throw errParams.wrap(`nodes[${at}].public_key has no 32 bytes`);
    once(known, `${provider}/${nodeId}`, `nodes[${at}]`);
  }
}

function once(known: Set<string>, name: string, where: string): void {
  if (known.has(name)) throw errParams.wrap(`${where} stands twice`);
  known.add(name);
}

/** @throws AbciError for a deposit in another coin than the chain's, or an address of another chain */
export function initGenesis(ctx: Context, state: GenesisState): void {
  const params = paramsOf(state);
  requireDenom(params, ctx.chain.denom);
  paramsItem.set(ctx, params);
  authorityItem.set(ctx, state.authority);
  // Lists first: a provider's place in the index by price is that of its latest list.
  for (const list of state.priceLists) putPriceList(ctx, list);
  for (const provider of state.providers) {
    requireDenom(provider, ctx.chain.denom);
    putProvider(ctx, provider, undefined);
  }
  for (const node of state.nodes) putNode(ctx, node, undefined);
  for (const attestation of state.attestations) putAttestation(ctx, attestation);
}

export function exportGenesis(ctx: Context): GenesisState {
  return GenesisState.fromPartial({
    params: paramsItem.get(ctx),
    authority: authorityItem.get(ctx),
    providers: [...providers.iterate(ctx)].map(([, provider]) => provider),
    priceLists: [...priceLists.iterate(ctx)].map(([, list]) => list),
    nodes: [...nodes.iterate(ctx)].map(([, node]) => node),
    attestations: [...attestations.iterate(ctx)].map(([, attestation]) => attestation),
  });
}
