/** What must always hold of the registry. Each reads everything: for tests and simulations, never in production. */
import type { Context } from '@mu/framework/context';
import { GasMeter } from '@mu/framework/gas';
import type { Invariant } from '@mu/framework/module';
import { moduleAddress } from '@mu/lib/address';
import { parseAmount } from '@mu/lib/amounts';
import { toBech32 } from '@mu/lib/bech32';
import { toHex } from '@mu/lib/bytes';
import { ProviderState } from '@mu/proto/provider';
import type { ProviderDeps } from './expected-keepers.ts';
import { moduleName } from './keys.ts';
import {
  indexedPrice,
  isLeaving,
  leaving,
  nodeCount,
  nodes,
  offeredVersion,
  priceLists,
  providers,
  providersByAttribute,
  providersByPrice,
  providersByRegion,
} from './state.ts';

export function providerInvariants(deps: ProviderDeps): Invariant[] {
  return [
    { name: 'PRV-1', check: (ctx) => depositsAreHeld(deps, unmetered(ctx)) },
    { name: 'PRV-2', check: (ctx) => regionsAgree(unmetered(ctx)) },
    { name: 'PRV-3', check: (ctx) => leavingAgree(unmetered(ctx)) },
    { name: 'PRV-4', check: (ctx) => nodesAgree(unmetered(ctx)) },
    { name: 'PRV-5', check: (ctx) => listsAgree(unmetered(ctx)) },
    { name: 'PRV-6', check: (ctx) => attributesAgree(unmetered(ctx)) },
    { name: 'PRV-7', check: (ctx) => pricesAgree(unmetered(ctx)) },
  ];
}

function unmetered(ctx: Context): Context {
  return ctx.with({ gas: new GasMeter() });
}

/** The module account holds at least the deposits; others may have sent it more. */
function depositsAreHeld(deps: ProviderDeps, ctx: Context): string | undefined {
  let locked = 0n;
  for (const [, { deposit }] of providers.iterate(ctx)) locked += parseAmount(deposit?.amount ?? '0');
  const held = deps.bank.balance(ctx, toBech32(ctx.chain.bech32Prefix, moduleAddress(moduleName)), ctx.chain.denom);
  return held < locked ? `deposits of ${locked} are locked, the account holds ${held}` : undefined;
}

function regionsAgree(ctx: Context): string | undefined {
  let stated = 0;
  for (const [key, { owner, regions }] of providers.iterate(ctx)) {
    stated += regions.length;
    const missing = regions.find((region) => !providersByRegion.has(ctx, [region, key]));
    if (missing !== undefined) return `${owner} serves ${missing} and the index does not say so`;
  }
  const indexed = [...providersByRegion.iterate(ctx)].length;
  return indexed === stated ? undefined : `${stated} regions are stated, ${indexed} are in the index`;
}

function attributesAgree(ctx: Context): string | undefined {
  let stated = 0;
  for (const [owner, provider] of providers.iterate(ctx)) {
    stated += provider.attributes.length;
    const missing = provider.attributes.find(({ key, value }) => !providersByAttribute.has(ctx, [key, value, owner]));
    if (missing !== undefined) return `${provider.owner} states ${missing.key} and the index does not say so`;
  }
  const listed = [...providersByAttribute.iterate(ctx)].length;
  return listed === stated ? undefined : `${stated} attributes are stated, ${listed} are in the index`;
}

/** Active providers stand in the index with the prices of their latest list, and nobody else does. */
function pricesAgree(ctx: Context): string | undefined {
  let offered = 0;
  for (const [owner, provider] of providers.iterate(ctx)) {
    const prices = priceLists.get(ctx, [owner, offeredVersion(provider)])?.prices ?? [];
    offered += prices.length;
    const missing = prices.find((one) => !providersByPrice.has(ctx, [one.metric, indexedPrice(one), owner]));
    if (missing !== undefined) return `${provider.owner} sells ${missing.metric} and the index does not say so`;
  }
  const listed = [...providersByPrice.iterate(ctx)].length;
  return listed === offered ? undefined : `${offered} prices are offered, ${listed} are in the index`;
}

/** Who waits for a deposit stands in the queue, and nobody else; who is gone has none locked. */
function leavingAgree(ctx: Context): string | undefined {
  let waiting = 0;
  for (const [key, provider] of providers.iterate(ctx)) {
    const { owner, state, unbondingHeight, deposit } = provider;
    if (state === ProviderState.PROVIDER_STATE_GONE && deposit?.amount !== '0')
      return `${owner} is gone, not its deposit`;
    if (!isLeaving(provider)) continue;
    waiting += 1;
    if (!leaving.has(ctx, [unbondingHeight, key])) return `${owner} leaves and is not in the queue`;
  }
  const queued = [...leaving.iterate(ctx)].length;
  return queued === waiting ? undefined : `${waiting} providers leave, ${queued} are in the queue`;
}

/** Nodes are of providers, and the count of each owner is that of its standing nodes. */
function nodesAgree(ctx: Context): string | undefined {
  const standing = new Map<string, bigint>();
  for (const [[owner], node] of nodes.iterate(ctx)) {
    if (!providers.has(ctx, owner)) return `node ${node.nodeId} of ${node.provider} has no provider`;
    if (node.removedHeight === 0n) standing.set(toHex(owner), (standing.get(toHex(owner)) ?? 0n) + 1n);
  }
  let counted = 0;
  for (const [owner, count] of nodeCount.iterate(ctx)) {
    counted += 1;
    const real = standing.get(toHex(owner)) ?? 0n;
    if (real !== count) return `${toHex(owner)} has ${real} nodes, the count says ${count}`;
  }
  return counted === standing.size ? undefined : `${standing.size} owners have nodes, ${counted} are counted`;
}

/** The price lists of a provider are the versions from 1 to its latest. */
function listsAgree(ctx: Context): string | undefined {
  for (const [key, { owner, priceListVersion }] of providers.iterate(ctx)) {
    let next = 1n;
    for (const [[, version]] of priceLists.iterate(ctx, { prefix: [key] })) {
      if (version !== next) return `${owner} lacks price list ${next}`;
      next += 1n;
    }
    if (next - 1n !== priceListVersion) return `${owner} has ${next - 1n} price lists, not ${priceListVersion}`;
  }
  return undefined;
}
