/** Which versions of the state a node keeps, with the SDK's names and numbers (store/pruning/types/options.go). */

export interface PruningPlan {
  /** versions kept beside the latest; undefined: all */
  readonly keepRecent: number | undefined;
  /** blocks between two prunings */
  readonly interval: number;
}

/** The least that a custom plan may say: the SDK's bounds. */
const leastKeepRecent = 2;
const leastInterval = 10;

/** @throws Error that says what is allowed */
export function pruningPlan(options: {
  readonly pruning: 'default' | 'nothing' | 'everything' | 'custom';
  readonly keepRecent: number;
  readonly interval: number;
}): PruningPlan {
  const { pruning, keepRecent, interval } = options;
  if (pruning === 'default') return { keepRecent: 362_880, interval: 10 };
  if (pruning === 'nothing') return { keepRecent: undefined, interval: 0 };
  if (pruning === 'everything') return { keepRecent: 2, interval: 10 };
  if (interval === 0 && keepRecent === 0) return { keepRecent: undefined, interval: 0 };
  if (interval < leastInterval) throw new Error(`store.pruning_interval is at least ${leastInterval}, not ${interval}`);
  if (keepRecent < leastKeepRecent) {
    throw new Error(`store.pruning_keep_recent is at least ${leastKeepRecent}, not ${keepRecent}`);
  }
  return { keepRecent, interval };
}

/**
 * The oldest version that stays, asked after a commit; undefined when nothing is to be pruned at this height.
 * @param held versions that somebody still reads, like a snapshot that is being taken
 */
export function oldestToKeep(plan: PruningPlan, height: number, held: Iterable<number>): number | undefined {
  if (plan.keepRecent === undefined || height % plan.interval !== 0 || height <= plan.keepRecent) return undefined;
  return Math.min(height - plan.keepRecent, ...held);
}
