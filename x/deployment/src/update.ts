/** What an update makes of a deployment's infrastructures: a pure rule. */
import type { Deployment, DeploymentInfrastructure } from '@mu/proto/deployment';

/** One infrastructure that an update states. */
export interface Stated {
  readonly index: number;
  /** what stood at the index under the same name; undefined for a new one */
  readonly before: DeploymentInfrastructure | undefined;
}

/** Infrastructures after an update. */
export interface Merged {
  readonly infrastructure: DeploymentInfrastructure[];
  /** indexes without a standing infrastructure, ascending */
  readonly removed: number[];
  /** those that the update states, in its order */
  readonly stated: Stated[];
  /** indexes that the update removes, ascending */
  readonly dropped: number[];
}

/** The infrastructures that stand. */
export function standing({ infrastructure, removed }: Deployment): DeploymentInfrastructure[] {
  return infrastructure.filter((_, index) => !removed.includes(index));
}

/**
 * Infrastructures are known by name: one that stands keeps its index, since its orders are named by it; a new one takes
 * the first free index, else the next. What is not stated is removed and leaves its index free.
 */
export function merge(deployment: Deployment, stated: readonly DeploymentInfrastructure[]): Merged {
  const infrastructure = [...deployment.infrastructure];
  const standsAt = (name: string): number =>
    deployment.infrastructure.findIndex((one, at) => one.name === name && !deployment.removed.includes(at));
  const kept = new Set(stated.map(({ name }) => standsAt(name)).filter((at) => at >= 0));
  const dropped = [...infrastructure.keys()].filter((at) => !kept.has(at) && !deployment.removed.includes(at));
  const free = [...deployment.removed];
  const placed = stated.map((one): Stated => {
    const at = standsAt(one.name);
    const index = at >= 0 ? at : (free.shift() ?? infrastructure.length);
    const before = at >= 0 ? infrastructure[at] : undefined;
    infrastructure[index] = one;
    return { index, before };
  });
  const removed = [...free, ...dropped].sort((a, b) => a - b);
  return { infrastructure, removed, stated: placed, dropped };
}

/** What an update makes that states no infrastructure. */
export function unchanged({ infrastructure, removed }: Deployment): Merged {
  return { infrastructure: [...infrastructure], removed: [...removed], stated: [], dropped: [] };
}
