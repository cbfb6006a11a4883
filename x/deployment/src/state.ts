/** Deployments and their indexes. Only `putDeployment` writes them, so that index and table agree. */
import { bytesKey, Collection, Item, KeySet, type MessageCodec, u64Key } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { addressBytes } from '@mu/framework/message-registry';
import { toBech32 } from '@mu/lib/bech32';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import { Deployment, type DeploymentId, DeploymentState, Params } from '@mu/proto/deployment';
import { deploymentKey, moduleName, prefixes, stateDeploymentKey } from './keys.ts';

const textCodec: MessageCodec<string> = { encode: (text) => ({ finish: () => utf8(text) }), decode: fromUtf8 };
const numberCodec: MessageCodec<bigint> = {
  encode: (number) => ({ finish: () => u64Key.encode(number) }),
  decode: (bytes) => u64Key.decode(bytes, 0)[0],
};

export const paramsItem = new Item<Params>(moduleName, prefixes.params, Params);
export const authorityItem = new Item<string>(moduleName, prefixes.authority, textCodec);
export const deployments = new Collection(moduleName, prefixes.deployments, deploymentKey, Deployment);
export const lastDseq = new Collection<Uint8Array, bigint>(moduleName, prefixes.lastDseq, bytesKey, numberCodec);
export const activeCount = new Collection<Uint8Array, bigint>(moduleName, prefixes.activeCount, bytesKey, numberCodec);
export const byState = new KeySet(moduleName, prefixes.byState, stateDeploymentKey);

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

export function keyOf(ctx: Context, { owner, dseq }: DeploymentId): readonly [Uint8Array, bigint] {
  return [ownerKey(ctx, owner), dseq];
}

/** Every deployment has an id once it is stored. */
export function idOf(deployment: Deployment): DeploymentId {
  if (deployment.id === undefined) throw new Error('a deployment without an id was stored');
  return deployment.id;
}

export function isActive(deployment: Deployment | undefined): boolean {
  return deployment?.state === DeploymentState.DEPLOYMENT_STATE_ACTIVE;
}

/** Writes a deployment, its index by state, and how many of the owner's are active. */
export function putDeployment(ctx: Context, deployment: Deployment, before: Deployment | undefined): void {
  const [owner, dseq] = keyOf(ctx, idOf(deployment));
  if (before?.state !== deployment.state) {
    if (before !== undefined) byState.delete(ctx, [before.state, owner, dseq]);
    byState.add(ctx, [deployment.state, owner, dseq]);
    const change = (isActive(deployment) ? 1n : 0n) - (isActive(before) ? 1n : 0n);
    if (change !== 0n) countActive(ctx, owner, change);
  }
  deployments.set(ctx, [owner, dseq], deployment);
}

function countActive(ctx: Context, owner: Uint8Array, change: bigint): void {
  const count = (activeCount.get(ctx, owner) ?? 0n) + change;
  if (count === 0n) activeCount.delete(ctx, owner);
  else activeCount.set(ctx, owner, count);
}
