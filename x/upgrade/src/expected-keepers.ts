/** What upgrades need of others. */
import type { Context } from '@mu/framework/context';
import type { VersionMap } from '@mu/framework/migrations';
import type { Plan } from './plan.ts';

/** Carries the count of upgrades into block headers. */
export interface ProtocolVersionSetter {
  setProtocolVersion(ctx: Context, version: bigint): void;
}

/**
 * What this program does at the upgrade of a name: its migrations, and whatever else the state needs.
 * @param from versions that the modules have in the state
 * @returns versions that they have afterwards
 */
export type UpgradeHandler = (ctx: Context, plan: Plan, from: VersionMap) => VersionMap;

/** What a program knows of upgrades and where a node stands in them. */
export interface UpgradeWiring {
  /** consensus versions of all modules, for the state of a new chain */
  readonly versions: () => VersionMap;
  readonly protocol: ProtocolVersionSetter;
  /** by the name of the plan */
  readonly handlers: ReadonlyMap<string, UpgradeHandler>;
  /** heights at which this node drops the plan instead; a network must do so together */
  readonly skipHeights: ReadonlySet<bigint>;
  /** told of an upgrade that this program does not know, before the node stops at it */
  readonly onNeeded: (plan: Plan) => void;
}
