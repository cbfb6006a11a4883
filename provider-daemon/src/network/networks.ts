/**
 * Networks of containers (design §7): a small bridge per workload, from the provider's configured pool. Its only
 * neighbour is the data plane; everything else, the host's own addresses and IPv6 included, is dropped.
 */
import type { ContainerSpec, WorkloadName } from '../workloads/driver.ts';

/** Up to so many instances are added in place; more need a larger network, into which all of them move one by one. */
const roomForInstances = 7;

/** The wish for a workload: whoever asks with the same spec gets the same network. */
export function wishOf({ count, egress, peers }: Pick<ContainerSpec, 'count' | 'egress' | 'peers'>): NetworkWish {
  return { instances: Math.max(count, roomForInstances), egress, peers: peers?.length ?? 0 };
}

/** What a workload may reach. */
export interface NetworkWish {
  /** Instances of the workload; each gets two addresses, so that a new one can come up beside the one it replaces. */
  readonly instances: number;
  /** `public`: out to public addresses, never to private, link-local, the provider's own, or port 25. */
  readonly egress: 'none' | 'public';
  /** Peers that the workload may call: each has an address of its own, so that two of them may have the same port. */
  readonly peers?: number;
}

/** An address that the data plane listens at on behalf of a peer; other addresses of the host stay closed. */
export interface OfferedService {
  /** The gateway, or one of `peerAddresses`. */
  readonly address: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** The network of one workload. */
export interface WorkloadNetwork {
  /** Its name at the engine. */
  readonly name: string;
  /** The host's side of it, where the data plane and the resolver are. */
  readonly gateway: string;
  /** Addresses for instances, in ascending order. */
  readonly addresses: readonly string[];
  /** Addresses of the host in this network, one for each peer that was wished, in ascending order. */
  readonly peerAddresses: readonly string[];
}

/** A network as it stands, whosever wish it was. */
export interface StandingNetwork extends WorkloadName {
  readonly name: string;
  readonly gateway: string;
  /** All that there could be; those of the peers that were wished, the first ones, are the host's. */
  readonly peerAddresses: readonly string[];
}

export interface Networks {
  /**
   * To be called before anything else, and whenever the rules may be gone (the engine or the host's firewall was started
   * again): puts the rules of all networks that stand in place, at once and whole.
   */
  refresh(): Promise<void>;
  /**
   * Makes a workload's network, or finds it and makes it as it is wished; its egress changes in place. More instances or
   * peers than the one that stands has room for give a larger one beside it: containers of the old one go on, new ones
   * belong there, and the old network goes with the next call after its last container.
   * @throws WorkloadError `invalid` beyond the limits of a network, `failed` where the host or the engine cannot
   */
  ensure(workload: WorkloadName, wish: NetworkWish): Promise<WorkloadNetwork>;
  /** What a workload may reach at its host addresses, beside the resolver; replaces what was offered before. */
  offer(workload: WorkloadName, services: readonly OfferedService[]): Promise<void>;
  /** All workloads that have a network. */
  list(): Promise<readonly WorkloadName[]>;
  /** All networks that stand: a workload can have two while it moves. */
  standing(): Promise<readonly StandingNetwork[]>;
  /**
   * Removes a workload's networks with their rules; nothing where there is none.
   * @throws WorkloadError `failed` while a container is in it
   */
  remove(workload: WorkloadName): Promise<void>;
  /** Bytes of IP packets sent to public addresses since the network was made; 0 where there is none. */
  egressBytes(workload: WorkloadName): Promise<bigint>;
}
