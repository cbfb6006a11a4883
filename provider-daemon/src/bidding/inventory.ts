/**
 * What a provider has left to offer. It is derived from the leases and bids that stand, each time anew: a running counter
 * would drift.
 */
import type { Compute } from '@mu/proto/deployment';

/** Amounts of a machine: CPU in thousandths of a core, memory and disk in bytes. */
export interface Resources {
  readonly cpu: bigint;
  readonly memory: bigint;
  readonly disk: bigint;
}

/** A number of equal replicas. */
export interface Taken {
  readonly compute: Compute | undefined;
  readonly count: number;
}

export function sumResources(groups: readonly Taken[]): Resources {
  return groups.reduce<Resources>(
    (sum, { compute, count }) => ({
      cpu: sum.cpu + BigInt(compute?.cpu ?? 0) * BigInt(count),
      memory: sum.memory + (compute?.memory ?? 0n) * BigInt(count),
      disk: sum.disk + (compute?.disk ?? 0n) * BigInt(count),
    }),
    { cpu: 0n, memory: 0n, disk: 0n },
  );
}

/** The names of what `wanted` would take beyond the capacity, given what is taken; none: it fits. */
export function lacking(capacity: Resources, taken: readonly Taken[], wanted: readonly Taken[]): string[] {
  const sum = sumResources([...taken, ...wanted]);
  return (['cpu', 'memory', 'disk'] as const).filter((kind) => sum[kind] > capacity[kind]);
}
