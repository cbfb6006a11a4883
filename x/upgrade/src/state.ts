/** What is stored: the plan, what was done, versions. Every access is the SDK's, in its order: gas depends on it. */
import type { Context } from '@mu/framework/context';
import type { VersionMap } from '@mu/framework/migrations';
import { prefixEnd } from '@mu/framework/store/kv-store';
import { fromUtf8, readU64be, u64be } from '@mu/lib/bytes';
import { compareText } from '@mu/lib/text';
import { Plan as PlanMessage } from 'cosmjs-types/cosmos/upgrade/v1beta1/upgrade';
import {
  doneKey,
  donePrefix,
  parseDoneKey,
  planKey,
  protocolVersionKey,
  storeName,
  upgradedClientKey,
  upgradedConsensusStateKey,
  versionKey,
  versionPrefix,
} from './keys.ts';
import { type Plan, planMessage, readPlan } from './plan.ts';

export function getPlan(ctx: Context): Plan | undefined {
  const bytes = ctx.store(storeName).get(planKey);
  return bytes === undefined ? undefined : readPlan(PlanMessage.decode(bytes));
}

/** Replaces the plan that there was. */
export function putPlan(ctx: Context, plan: Plan): void {
  const old = getPlan(ctx);
  if (old !== undefined) clearIbcState(ctx, old.height);
  ctx.store(storeName).set(planKey, PlanMessage.encode(planMessage(plan)).finish());
}

export function deletePlan(ctx: Context): void {
  const old = getPlan(ctx);
  if (old === undefined) return;
  clearIbcState(ctx, old.height);
  ctx.store(storeName).delete(planKey);
}

/** What older chains kept for IBC clients under a plan's height. */
export function clearIbcState(ctx: Context, height: bigint): void {
  ctx.store(storeName).delete(upgradedClientKey(height));
  ctx.store(storeName).delete(upgradedConsensusStateKey(height));
}

/** At which height an upgrade was applied; 0 if never. */
export function getDoneHeight(ctx: Context, name: string): bigint {
  for (const [key] of ctx.store(storeName).iterate(donePrefix, prefixEnd(donePrefix))) {
    const done = parseDoneKey(key);
    if (done.name === name) return done.height;
  }
  return 0n;
}

/** The name of the last upgrade; undefined before the first. */
export function getLastDone(ctx: Context): string | undefined {
  for (const [key] of ctx.store(storeName).iterate(donePrefix, prefixEnd(donePrefix), true)) {
    return parseDoneKey(key).name;
  }
  return undefined;
}

/** Marks an upgrade as applied in this block. */
export function putDone(ctx: Context, name: string): void {
  ctx.store(storeName).set(doneKey(name, ctx.height), Uint8Array.of(1));
}

/** How many upgrades were applied. */
export function getProtocolVersion(ctx: Context): bigint {
  const store = ctx.store(storeName);
  if (!store.has(protocolVersionKey)) return 0n;
  return readU64be(store.get(protocolVersionKey) as Uint8Array, 0);
}

export function putProtocolVersion(ctx: Context, version: bigint): void {
  ctx.store(storeName).set(protocolVersionKey, u64be(version));
}

/** Consensus versions of all modules, by name. */
export function getVersions(ctx: Context): VersionMap {
  const versions = new Map<string, bigint>();
  for (const [key, value] of ctx.store(storeName).iterate(versionPrefix, prefixEnd(versionPrefix))) {
    versions.set(fromUtf8(key.slice(1)), readU64be(value, 0));
  }
  return versions;
}

/** Versions of modules that are not named stay. */
export function putVersions(ctx: Context, versions: VersionMap): void {
  for (const name of [...versions.keys()].sort(compareText)) {
    ctx.store(storeName).set(versionKey(name), u64be(versions.get(name) as bigint));
  }
}
