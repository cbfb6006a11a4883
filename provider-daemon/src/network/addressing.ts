/**
 * Where a workload's network lies, and what it is called. Nothing here is counted or remembered: names are hashes of what
 * they stand for, and a free subnet is found among what the engine and the host's routes show.
 */
import { createHash } from 'node:crypto';
import type { WorkloadName } from '../workloads/driver.ts';
import { formatAddress, formatSubnet, overlaps, type Subnet, sizeOf } from './ipv4.ts';

/** Sizes of networks: from 8 addresses to 256. */
export const smallestPrefix = 24;
export const largestPrefix = 29;

/** The kernel's limit for names of interfaces is 15 bytes. */
const bridgePrefixHex = 4;
const bridgeHashHex = 9;

/**
 * How a network's addresses are used: the lower half is the gateway and the instances, the upper half the peers. Fixed by
 * the size alone, so that no address changes its meaning while containers of before still hold theirs.
 */
export interface Layout {
  readonly gateway: string;
  readonly addresses: readonly string[];
  readonly peerAddresses: readonly string[];
}

export function layOut(subnet: Subnet): Layout {
  const size = sizeOf(subnet.prefix);
  const range = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, at) => formatAddress(subnet.base + from + at));
  return {
    gateway: formatAddress(subnet.base + 1),
    addresses: range(2, size / 2),
    peerAddresses: range(size / 2, size - 1),
  };
}

/** Most instances and peers of a workload on one machine. */
export const maxInstances = (sizeOf(smallestPrefix) / 2 - 2) / 2;
export const maxPeers = sizeOf(smallestPrefix) / 2 - 1;

/** @returns the prefix of the smallest network with two addresses for each instance; undefined where none is large enough */
export function prefixFor(instances: number, peers: number): number | undefined {
  for (let prefix = largestPrefix; prefix >= smallestPrefix; prefix -= 1) {
    const half = sizeOf(prefix) / 2;
    if (instances * 2 <= half - 2 && peers <= half - 1) return prefix;
  }
  return undefined;
}

/** Of the same workload and size always the same. */
export interface NetworkNames {
  /** Of the engine's network. */
  readonly name: string;
  /** At most 15 characters. */
  readonly bridge: string;
}

const hash = (...parts: readonly string[]): string => createHash('sha256').update(parts.join('\n')).digest('hex');

/** Of the provider's nftables tables. */
export function tableName(provider: string): string {
  return `mu_${hash(provider).slice(0, 8)}`;
}

/** All bridges of a provider begin so: rules hold for one that they do not know yet. */
export function bridgePrefix(provider: string): string {
  return `mu${hash(provider).slice(0, bridgePrefixHex)}`;
}

/** Stands for a workload, whichever networks it has: its bytes are counted under it. */
export function workloadKey(workload: WorkloadName): string {
  return hash(workload.deployment, workload.service).slice(0, 16);
}

export function namesOf(provider: string, workload: WorkloadName, prefix: number): NetworkNames {
  const { deployment, service } = workload;
  const id = hash(deployment, service, String(prefix)).slice(0, bridgeHashHex);
  return {
    name: `${tableName(provider)}_${deployment}_${service}_${prefix}`,
    bridge: `${bridgePrefix(provider)}${id}`,
  };
}

/**
 * Finds a free subnet of the pool. The search begins at a place that depends on the workload: an address that one
 * workload has left is not given to the next one at once, while answers to the first are still on their way.
 * @param taken what overlaps is passed over
 */
export function findFree(
  pool: Subnet,
  prefix: number,
  taken: readonly Subnet[],
  workload: WorkloadName,
): Subnet | undefined {
  const size = sizeOf(prefix);
  const slots = sizeOf(pool.prefix) / size;
  if (slots < 1) return undefined;
  const near = taken.filter((subnet) => overlaps(subnet, pool));
  const first = Number.parseInt(workloadKey(workload).slice(0, 8), 16) % slots;
  for (let step = 0; step < slots; step += 1) {
    const subnet = { base: pool.base + ((first + step) % slots) * size, prefix };
    if (!near.some((other) => overlaps(other, subnet))) return subnet;
  }
  return undefined;
}

/** Why a pool has no room, for the operator. */
export function noRoom(pool: Subnet, taken: readonly Subnet[]): string {
  const covering = taken.find((subnet) => subnet.prefix <= pool.prefix && overlaps(subnet, pool));
  return covering === undefined
    ? `no free subnet is left in the pool ${formatSubnet(pool)} of container networks: configure a larger one`
    : `the pool ${formatSubnet(pool)} of container networks lies within ${formatSubnet(covering)}, which the host routes elsewhere: configure another pool`;
}
