/** Graphics processors by vendor and model: which are held, and whether what is asked can be had. Pure. */
import type { GpuRequest } from '@mu/proto/deployment';

/** Equal processors of the machine; vendor and model in lower case. */
export interface GpuPool {
  readonly vendor: string;
  readonly model: string;
  readonly count: number;
}

/** What one replica asks for, and how many of these replicas there are. */
export interface GpuWish {
  readonly gpu: GpuRequest;
  readonly replicas: number;
}

export interface GpuAllocation {
  /** by pool, in the order of the pools */
  readonly taken: readonly number[];
  /** replicas that found no place */
  readonly unplaced: number;
}

export function matches(pool: Pick<GpuPool, 'vendor' | 'model'>, { vendor, model }: GpuRequest): boolean {
  const same = (asked: string, had: string): boolean => asked === '' || asked.toLowerCase() === had;
  return same(vendor, pool.vendor) && same(model, pool.model);
}

/** What a replica asks must come from one pool: who asks for two processors means two alike. */
export function allocate(pools: readonly GpuPool[], wishes: readonly GpuWish[]): GpuAllocation {
  const free = pools.map(({ count }) => count);
  let unplaced = 0;
  for (const { gpu, replicas } of [...wishes].sort(narrowestFirst)) {
    for (let replica = 0; replica < replicas; replica += 1) {
      const at = roomiest(pools, free, gpu);
      if (at === undefined) {
        unplaced += replicas - replica;
        break;
      }
      free[at] = (free[at] ?? 0) - gpu.count;
    }
  }
  return { taken: pools.map(({ count }, at) => count - (free[at] ?? 0)), unplaced };
}

/** The matching pool with most left, where that is enough; among equals the first. @param free by pool */
export function roomiest(
  pools: readonly Pick<GpuPool, 'vendor' | 'model'>[],
  free: readonly number[],
  gpu: GpuRequest,
): number | undefined {
  let best: number | undefined;
  for (const [at, pool] of pools.entries()) {
    const left = free[at] ?? 0;
    if (matches(pool, gpu) && left >= gpu.count && (best === undefined || left > (free[best] ?? 0))) best = at;
  }
  return best;
}

/** Who asks for a model goes before who takes any, else the second may sit on the first one's only place. */
function narrowestFirst(a: GpuWish, b: GpuWish): number {
  const breadth = ({ gpu }: GpuWish): number => (gpu.model === '' ? 2 : 0) + (gpu.vendor === '' ? 1 : 0);
  return breadth(a) - breadth(b) || b.gpu.count - a.gpu.count;
}

/** Without those that an allocation took. */
export function remaining(pools: readonly GpuPool[], { taken }: GpuAllocation): GpuPool[] {
  return pools.map((pool, at) => ({ ...pool, count: pool.count - (taken[at] ?? 0) }));
}

/**
 * Whether what is wanted finds its processors for sure, and what shares pools with it still does: in whatever order
 * containers come, go and come back. What runs is not moved, so who takes any model may sit on the last one of the model
 * that another asks for; `allocate`, which places all of them at once, would not see that.
 * @param wishes that are held already, by leases and bids
 */
export function fitForSure(pools: readonly GpuPool[], wishes: readonly GpuWish[], wanted: readonly GpuWish[]): boolean {
  const all = [...wishes, ...wanted];
  const shared = (one: GpuWish, other: GpuWish): boolean =>
    pools.some((pool) => couldSit(one, pool) && couldSit(other, pool));
  const concerned = wishes.filter((held) => wanted.some((wish) => shared(held, wish)));
  return [...wanted, ...concerned].every((wish) => {
    const rivals = all.filter((other) => shared(wish, other));
    const others = rivals.reduce((sum, { gpu, replicas }) => sum + gpu.count * replicas, 0) - wish.gpu.count;
    // It finds no place only where the others have left fewer than it needs in each pool in which it could sit.
    const blocking = pools.filter((pool) => couldSit(wish, pool)).map(({ count }) => count - wish.gpu.count + 1);
    return blocking.length > 0 && others < blocking.reduce((sum, least) => sum + least, 0);
  });
}

const couldSit = ({ gpu }: GpuWish, pool: GpuPool): boolean => matches(pool, gpu) && pool.count >= gpu.count;
