/** What of the container engine is needed for networks, narrow enough to be stood in for. */
import type Docker from 'dockerode';
import * as z from 'zod';

/** A network of the engine, whosever it is. */
export interface EngineNetwork {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** IPv4, `a.b.c.d/prefix`; networks of other drivers may have none. */
  readonly subnets: readonly string[];
  readonly bridge: string | undefined;
}

export interface NewEngineNetwork {
  readonly name: string;
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface NetworkEngine {
  list(): Promise<readonly EngineNetwork[]>;
  /** @returns its id; undefined where the engine refuses, because the subnet or the bridge is another network's */
  create(network: NewEngineNetwork): Promise<string | undefined>;
  /** Whether any container belongs to it, stopped ones included. */
  inUse(id: string): Promise<boolean>;
  /** Nothing where it is gone already. */
  remove(id: string): Promise<void>;
}

const optionOfBridge = 'com.docker.network.bridge.name';
const statusOf = z.object({ statusCode: z.number() });

function hasStatus(cause: unknown, status: number): boolean {
  const parsed = statusOf.safeParse(cause);
  return parsed.success && parsed.data.statusCode === status;
}

export class DockerNetworkEngine implements NetworkEngine {
  readonly #docker: Docker;

  constructor(docker: Docker) {
    this.#docker = docker;
  }

  async list(): Promise<readonly EngineNetwork[]> {
    const networks = await this.#docker.listNetworks();
    return networks.map((network) => ({
      id: network.Id,
      name: network.Name,
      labels: network.Labels ?? {},
      subnets: (network.IPAM?.Config ?? []).flatMap(({ Subnet }) => (Subnet?.includes('.') ? [Subnet] : [])),
      bridge: network.Options?.[optionOfBridge],
    }));
  }

  async create({ name, bridge, subnet, gateway, labels }: NewEngineNetwork): Promise<string | undefined> {
    try {
      const made = await this.#docker.createNetwork({
        Name: name,
        // Else two of the same name could stand side by side.
        CheckDuplicate: true,
        Driver: 'bridge',
        EnableIPv6: false,
        IPAM: { Driver: 'default', Config: [{ Subnet: subnet, Gateway: gateway }] },
        Options: {
          [optionOfBridge]: bridge,
          // Makes the engine have bridged frames judged by the host's filters (br_netfilter) and drop them there.
          'com.docker.network.bridge.enable_icc': 'false',
          // Our rules do it, for those that have a way out.
          'com.docker.network.bridge.enable_ip_masquerade': 'false',
        },
        Labels: { ...labels },
      });
      return made.id;
    } catch (cause) {
      if (hasStatus(cause, 403) || hasStatus(cause, 409)) return undefined;
      throw cause;
    }
  }

  async inUse(id: string): Promise<boolean> {
    const containers = await this.#docker.listContainers({ all: true, filters: { network: [id] } });
    return containers.length > 0;
  }

  async remove(id: string): Promise<void> {
    try {
      await this.#docker.getNetwork(id).remove();
    } catch (cause) {
      if (!hasStatus(cause, 404)) throw cause;
    }
  }
}
