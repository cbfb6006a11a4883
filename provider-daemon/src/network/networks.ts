/**
 * Networks of containers (design §7): a small bridge per workload, from the provider's configured pool. Its only
 * neighbour is the data plane; everything else, the host's own addresses and IPv6 included, is dropped.
 */
import type { WorkloadName } from '../workloads/driver.ts';

/** What a workload may reach. */
export interface NetworkWish {
  /** Addresses that are needed, twice the number of instances while they are replaced. */
  readonly instances: number;
  /** `public`: out to public addresses, never to private, link-local, the provider's own, or port 25. */
  readonly egress: 'none' | 'public';
}

/** The network of one workload. */
export interface WorkloadNetwork {
  /** Its name at the engine. */
  readonly name: string;
  /** The host's side of it, where the data plane and the resolver are. */
  readonly gateway: string;
  /** Addresses for instances, in ascending order. */
  readonly addresses: readonly string[];
}

export interface Networks {
  /** Makes a workload's network, or finds it and makes it as it is wished. */
  ensure(workload: WorkloadName, wish: NetworkWish): Promise<WorkloadNetwork>;
  /** All that stand. */
  list(): Promise<readonly WorkloadName[]>;
  /** Removes a network with its rules; nothing where there is none. */
  remove(workload: WorkloadName): Promise<void>;
  /** Bytes sent to public addresses since the network was made; 0 where there is none. */
  egressBytes(workload: WorkloadName): Promise<bigint>;
}
