/** The upgrades that this program can carry out, and what each does to the state. */
import type { Context } from '@mu/framework/context';
import type { VersionMap } from '@mu/framework/migrations';
import type { StoreUpgrades } from '@mu/framework/store/store-upgrades';
import type { Plan } from '@mu/x-upgrade/plan';

/** One upgrade. It stays here until a later one has been applied everywhere: a program that lacks the last refuses to run. */
export interface Upgrade {
  /** the name that the plan on the chain must have */
  readonly name: string;
  /** stores that come, go or change their name with it; none where it is absent */
  readonly stores?: StoreUpgrades;
  /**
   * What happens beside the modules' own migrations; `migrate` runs those.
   * @returns what `migrate` returned
   */
  readonly run?: (ctx: Context, plan: Plan, migrate: () => VersionMap) => VersionMap;
}

/** In the order of their heights. */
export const muUpgrades: readonly Upgrade[] = [];
