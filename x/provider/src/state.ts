/** The registry's records and indexes. Only the `put…` functions write them, so that index and table agree. */
import { bytesKey, Collection, Item, KeySet, type MessageCodec, u64Key } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { addressBytes } from '@mu/framework/message-registry';
import { toBech32 } from '@mu/lib/bech32';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import { Attestation, Node, Params, PriceList, Provider, ProviderState } from '@mu/proto/provider';
import { attestationKey, leavingKey, moduleName, nodeKey, prefixes, priceListKey, regionOwnerKey } from './keys.ts';

const textCodec: MessageCodec<string> = { encode: (text) => ({ finish: () => utf8(text) }), decode: fromUtf8 };
const countCodec: MessageCodec<bigint> = {
  encode: (count) => ({ finish: () => u64Key.encode(count) }),
  decode: (bytes) => u64Key.decode(bytes, 0)[0],
};

export const paramsItem = new Item<Params>(moduleName, prefixes.params, Params);
export const authorityItem = new Item<string>(moduleName, prefixes.authority, textCodec);
export const providers = new Collection<Uint8Array, Provider>(moduleName, prefixes.providers, bytesKey, Provider);
export const providersByRegion = new KeySet(moduleName, prefixes.providersByRegion, regionOwnerKey);
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

/** Writes a provider, its index by region and its place among those that leave. @param before as it stood, if it did */
export function putProvider(ctx: Context, provider: Provider, before: Provider | undefined): void {
  const owner = ownerKey(ctx, provider.owner);
  for (const region of before?.regions ?? []) {
    if (!provider.regions.includes(region)) providersByRegion.delete(ctx, [region, owner]);
  }
  for (const region of provider.regions) {
    if (!(before?.regions.includes(region) ?? false)) providersByRegion.add(ctx, [region, owner]);
  }
  if (isLeaving(before)) leaving.delete(ctx, [before.unbondingHeight, owner]);
  if (isLeaving(provider)) leaving.add(ctx, [provider.unbondingHeight, owner]);
  providers.set(ctx, owner, provider);
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
