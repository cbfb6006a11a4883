/** The registry's records and indexes. Only the `put…` functions write them, so that index and table agree. */
import { bytesKey, Collection, Item, KeySet, type MessageCodec, u64Key } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { addressBytes } from '@mu/framework/message-registry';
import { toBech32 } from '@mu/lib/bech32';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import {
  Attestation,
  type Attribute,
  type MetricPrice,
  Node,
  Params,
  PriceList,
  Provider,
  ProviderState,
} from '@mu/proto/provider';
import {
  attestationKey,
  attributeOwnerKey,
  leavingKey,
  moduleName,
  nodeKey,
  prefixes,
  priceListKey,
  priceOwnerKey,
  regionOwnerKey,
} from './keys.ts';
import { unitPrice } from './unit-price.ts';

const textCodec: MessageCodec<string> = { encode: (text) => ({ finish: () => utf8(text) }), decode: fromUtf8 };
const countCodec: MessageCodec<bigint> = {
  encode: (count) => ({ finish: () => u64Key.encode(count) }),
  decode: (bytes) => u64Key.decode(bytes, 0)[0],
};

export const paramsItem = new Item<Params>(moduleName, prefixes.params, Params);
export const authorityItem = new Item<string>(moduleName, prefixes.authority, textCodec);
export const providers = new Collection<Uint8Array, Provider>(moduleName, prefixes.providers, bytesKey, Provider);
export const providersByRegion = new KeySet(moduleName, prefixes.providersByRegion, regionOwnerKey);
export const providersByAttribute = new KeySet(moduleName, prefixes.providersByAttribute, attributeOwnerKey);
/** active providers by what their latest list asks, the cheapest first */
export const providersByPrice = new KeySet(moduleName, prefixes.providersByPrice, priceOwnerKey);
export const priceLists = new Collection(moduleName, prefixes.priceLists, priceListKey, PriceList);
export const nodes = new Collection(moduleName, prefixes.nodes, nodeKey, Node);
/** standing nodes by owner: the cap is checked without counting them */
export const nodeCount = new Collection<Uint8Array, bigint>(moduleName, prefixes.nodeCount, bytesKey, countCodec);

export const attestations = new Collection(moduleName, prefixes.attestations, attestationKey, Attestation);
/** providers that wait for their deposit, the earliest first */
export const leaving = new KeySet(moduleName, prefixes.leaving, leavingKey);

/** The address that keys begin with. @throws AbciError invalid address (7) */
export function ownerKey(ctx: Context, owner: string): Uint8Array {
  return addressBytes(owner, ctx.chain.bech32Prefix);
}

/**
 * The one text of an address. bech32 may also be written in upper case; records hold the lower-case text, so that
 * comparing texts compares addresses. @throws AbciError invalid address (7)
 */
export function canonical(ctx: Context, address: string): string {
  return toBech32(ctx.chain.bech32Prefix, addressBytes(address, ctx.chain.bech32Prefix));
}

export function isLeaving(provider: Provider | undefined): provider is Provider {
  return provider?.state === ProviderState.PROVIDER_STATE_LEAVING;
}

/**
 * Writes a provider, its indexes and its place among those that leave. Its price lists stand before it: the index by price
 * is that of the latest. @param before as it stood, if it did
 */
export function putProvider(ctx: Context, provider: Provider, before: Provider | undefined): void {
  const owner = ownerKey(ctx, provider.owner);
  for (const region of before?.regions ?? []) {
    if (!provider.regions.includes(region)) providersByRegion.delete(ctx, [region, owner]);
  }
  for (const region of provider.regions) {
    if (!(before?.regions.includes(region) ?? false)) providersByRegion.add(ctx, [region, owner]);
  }
  indexAttributes(ctx, owner, provider.attributes, before?.attributes ?? []);
  indexPrices(ctx, owner, provider, before);
  if (isLeaving(before)) leaving.delete(ctx, [before.unbondingHeight, owner]);
  if (isLeaving(provider)) leaving.add(ctx, [provider.unbondingHeight, owner]);
  providers.set(ctx, owner, provider);
}

function indexAttributes(
  ctx: Context,
  owner: Uint8Array,
  stated: readonly Attribute[],
  before: readonly Attribute[],
): void {
  const among = (list: readonly Attribute[], one: Attribute): boolean =>
    list.some(({ key, value }) => key === one.key && value === one.value);
  for (const one of before) {
    if (!among(stated, one)) providersByAttribute.delete(ctx, [one.key, one.value, owner]);
  }
  for (const one of stated) {
    if (!among(before, one)) providersByAttribute.add(ctx, [one.key, one.value, owner]);
  }
}

/** The version whose prices stand in the index: the latest of who is active; 0 for none. */
export function offeredVersion(provider: Provider | undefined): bigint {
  return provider?.state === ProviderState.PROVIDER_STATE_ACTIVE ? provider.priceListVersion : 0n;
}

/** What a list's price of a metric is in the index. @throws DecError for a price that is no Dec */
export function indexedPrice({ price, per }: MetricPrice): bigint {
  return unitPrice(Dec.fromAtomics(price).atomics, per);
}

function indexPrices(ctx: Context, owner: Uint8Array, provider: Provider, before: Provider | undefined): void {
  const [was, is] = [offeredVersion(before), offeredVersion(provider)];
  if (was === is) return;
  const pricesOf = (version: bigint): readonly [string, bigint][] =>
    (version === 0n ? [] : (priceLists.get(ctx, [owner, version])?.prices ?? [])).map((one) => [
      one.metric,
      indexedPrice(one),
    ]);
  const [old, next] = [pricesOf(was), pricesOf(is)];
  const among = (list: readonly [string, bigint][], [metric, unit]: readonly [string, bigint]): boolean =>
    list.some((one) => one[0] === metric && one[1] === unit);
  for (const one of old) if (!among(next, one)) providersByPrice.delete(ctx, [...one, owner]);
  for (const one of next) if (!among(old, one)) providersByPrice.add(ctx, [...one, owner]);
}

export function putPriceList(ctx: Context, list: PriceList): void {
  priceLists.set(ctx, [ownerKey(ctx, list.provider), list.version], list);
}

/** Writes a node and keeps the count of those that stand. */
export function putNode(ctx: Context, node: Node, before: Node | undefined): void {
  const owner = ownerKey(ctx, node.provider);
  const stands = (one: Node | undefined): bigint => (one !== undefined && one.removedHeight === 0n ? 1n : 0n);
  const change = stands(node) - stands(before);
  if (change !== 0n) countNodes(ctx, owner, change);
  nodes.set(ctx, [owner, node.nodeId], node);
}

function countNodes(ctx: Context, owner: Uint8Array, change: bigint): void {
  const count = (nodeCount.get(ctx, owner) ?? 0n) + change;
  if (count === 0n) nodeCount.delete(ctx, owner);
  else nodeCount.set(ctx, owner, count);
}

export function putAttestation(ctx: Context, attestation: Attestation): void {
  attestations.set(ctx, [ownerKey(ctx, attestation.provider), ownerKey(ctx, attestation.auditor)], attestation);
}
