/** Which faults a run has: all, named ones, or a seeded choice that a second run has again. */
import { seeded } from '../../../scripts/lib/perturb/random.ts';
import { type KillPoint, type Phase, phaseOf } from './kill-points.ts';
import { type Outage, outages } from './outages.ts';

export const allPoints = Object.keys(phaseOf) as KillPoint[];
export const allOutages = Object.keys(outages) as Outage[];

/** So many of them, in the order of the whole. */
export function choose<T>(seed: number, all: readonly T[], count: number): T[] {
  const random = seeded(seed);
  const left = [...all];
  const chosen = new Set<T>();
  while (chosen.size < count && left.length > 0) {
    const [one] = left.splice(random.below(left.length), 1);
    if (one !== undefined) chosen.add(one);
  }
  return all.filter((one) => chosen.has(one));
}

/** Kill points that are spread over the phases of a lease, so that no choice is of one phase alone. */
export function choosePoints(seed: number, count: number): KillPoint[] {
  const phases = [...new Set(Object.values(phaseOf))] as Phase[];
  const first = choose(seed, phases, count).flatMap((phase, at) =>
    choose(
      seed + at + 1,
      allPoints.filter((point) => phaseOf[point] === phase),
      1,
    ),
  );
  const rest = choose(
    seed,
    allPoints.filter((point) => !first.includes(point)),
    count - first.length,
  );
  return allPoints.filter((point) => first.includes(point) || rest.includes(point));
}
