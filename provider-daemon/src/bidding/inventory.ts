/**
 * What a provider offers, what of it is held, and what is left. All of it is derived from the leases and bids that stand,
 * each time anew: a running counter would drift. Pure.
 */
import type { Compute } from '@mu/proto/deployment';
import { allocate, fitForSure, type GpuPool, type GpuWish, remaining } from './gpus.ts';

/** Amounts of a machine: CPU in thousandths of a core, memory and disk in bytes. */
export interface Resources {
  readonly cpu: bigint;
  readonly memory: bigint;
  readonly disk: bigint;
}

export const kinds = ['cpu', 'memory', 'disk'] as const;
export type Kind = (typeof kinds)[number];

/** What may be leased in all. */
export interface Capacity extends Resources {
  readonly gpus: readonly GpuPool[];
}

/** A number of equal replicas. */
export interface Taken {
  readonly compute: Compute | undefined;
  readonly count: number;
}

/** What one lease or one open bid holds. */
export interface Held {
  readonly resources: readonly Taken[];
  /** locked for it, in umu */
  readonly collateral: bigint;
}

export interface Holders {
  readonly leases: readonly Held[];
  /** open bids; one that has become a lease is no longer among them */
  readonly bids: readonly Held[];
  /** bytes of disk that volumes of ended leases have until they are erased; none where it is left out */
  readonly keptDisk?: bigint;
}

/** Processors of one model. */
export interface GpuStock {
  readonly vendor: string;
  readonly model: string;
  readonly offered: number;
  readonly leased: number;
  readonly reserved: number;
  readonly free: number;
}

/** What `mu-provider inventory` and the metrics show. Free is below zero where more is held than offered now. */
export interface Inventory {
  readonly offered: Resources;
  /** what volumes have that outlast their lease for a while is among it */
  readonly leased: Resources;
  /** by open bids */
  readonly reserved: Resources;
  readonly free: Resources;
  readonly gpus: readonly GpuStock[];
  readonly leases: number;
  readonly openBids: number;
  /** in umu */
  readonly collateral: { readonly leases: bigint; readonly bids: bigint };
}

export const nothing: Resources = { cpu: 0n, memory: 0n, disk: 0n };

/** Kind by kind. */
export function combine(a: Resources, b: Resources, how: (a: bigint, b: bigint) => bigint): Resources {
  return { cpu: how(a.cpu, b.cpu), memory: how(a.memory, b.memory), disk: how(a.disk, b.disk) };
}

export const plus = (a: bigint, b: bigint): bigint => a + b;
export const minus = (a: bigint, b: bigint): bigint => a - b;

export function sumResources(groups: readonly Taken[]): Resources {
  return groups.reduce<Resources>((sum, { compute, count }) => {
    if (compute === undefined) return sum;
    const times = (amount: bigint): bigint => amount * BigInt(count);
    const taken = { cpu: times(BigInt(compute.cpu)), memory: times(compute.memory), disk: times(compute.disk) };
    return combine(sum, taken, plus);
  }, nothing);
}

/** Processors that groups ask for. */
export function gpuWishes(groups: readonly Taken[]): GpuWish[] {
  return groups.flatMap(({ compute, count }) =>
    compute?.gpu === undefined ? [] : [{ gpu: compute.gpu, replicas: count }],
  );
}

export const groupsOf = (held: readonly Held[]): Taken[] => held.flatMap(({ resources }) => resources);
export const collateralOf = (held: readonly Held[]): bigint =>
  held.reduce((sum, { collateral }) => sum + collateral, 0n);

export function inventory(offered: Capacity, { leases, bids, keptDisk = 0n }: Holders): Inventory {
  const leased = combine(sumResources(groupsOf(leases)), { ...nothing, disk: keptDisk }, plus);
  const reserved = sumResources(groupsOf(bids));
  const { cpu, memory, disk, gpus } = offered;
  const all = { cpu, memory, disk };
  const byLeases = allocate(gpus, gpuWishes(groupsOf(leases)));
  const byBids = allocate(remaining(gpus, byLeases), gpuWishes(groupsOf(bids)));
  return {
    offered: all,
    leased,
    reserved,
    free: combine(all, combine(leased, reserved, plus), minus),
    gpus: gpus.map(({ vendor, model, count }, at) => {
      const [own, asked] = [byLeases.taken[at] ?? 0, byBids.taken[at] ?? 0];
      return { vendor, model, offered: count, leased: own, reserved: asked, free: count - own - asked };
    }),
    leases: leases.length,
    openBids: bids.length,
    collateral: { leases: collateralOf(leases), bids: collateralOf(bids) },
  };
}

/** What is left to be taken, one piece after the other. */
export interface Room {
  readonly free: Resources;
  /** all processors that are offered */
  readonly gpus: readonly GpuPool[];
  /** what leases and bids ask of these; which ones a lease gets is settled as its containers start */
  readonly wishes: readonly GpuWish[];
}

export function roomOf({ gpus, ...all }: Capacity, { leases, bids, keptDisk = 0n }: Holders): Room {
  const held = [...groupsOf(leases), ...groupsOf(bids)];
  const taken = combine(sumResources(held), { ...nothing, disk: keptDisk }, plus);
  return { free: combine(all, taken, minus), gpus, wishes: gpuWishes(held) };
}

export function without({ free, gpus, wishes }: Room, taken: readonly Taken[]): Room {
  return { free: combine(free, sumResources(taken), minus), gpus, wishes: [...wishes, ...gpuWishes(taken)] };
}

/** The names of what there is too little of; none: it fits. */
export function lacking(room: Room, wanted: readonly Taken[]): string[] {
  const sum = sumResources(wanted);
  const short: string[] = kinds.filter((kind) => sum[kind] > room.free[kind]);
  const wishes = gpuWishes(wanted);
  if (wishes.length === 0) return short;
  return fitForSure(room.gpus, room.wishes, wishes) ? short : [...short, 'gpu'];
}
