/** Which stores an upgrade adds, renames and deletes (the SDK's store/types StoreUpgrades). */

export interface StoreRename {
  readonly from: string;
  readonly to: string;
}

/**
 * Applied by a commit store when it is opened for the first block of the upgrade, before anything reads it: an added
 * store begins empty at that height, a renamed one has all pairs of the old one and the old one is gone, a deleted one
 * is gone with its pairs. The last committed version stays what it was: its hash and proofs are those of before.
 */
export interface StoreUpgrades {
  readonly added: readonly string[];
  readonly renamed: readonly StoreRename[];
  readonly deleted: readonly string[];
}

export const noStoreUpgrades: StoreUpgrades = { added: [], renamed: [], deleted: [] };

/** What is wrong with the upgrades of a set of stores; undefined when they can be applied. */
export function storeUpgradesProblem(
  stored: readonly string[],
  { added, renamed, deleted }: StoreUpgrades,
): string | undefined {
  const gone = [...deleted, ...renamed.map(({ from }) => from)];
  const come = [...added, ...renamed.map(({ to }) => to)];
  const missing = gone.find((name) => !stored.includes(name));
  if (missing !== undefined) return `store ${missing} cannot be renamed or deleted: there is none`;
  const taken = come.find((name) => stored.includes(name) && !gone.includes(name));
  if (taken !== undefined) return `store ${taken} cannot be added: there is one`;
  const twice = come.find((name, at) => come.indexOf(name) !== at);
  return twice === undefined ? undefined : `store ${twice} is added twice`;
}
