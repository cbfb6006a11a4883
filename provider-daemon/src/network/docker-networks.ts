/**
 * Networks of containers at the Docker engine. Everything is derived from what stands there, by its labels, so that a
 * daemon killed at any step goes on where it was: rules first, then the network, then the host's addresses in it.
 */
import type Docker from 'dockerode';
import { reach } from '../faults/fault-points.ts';
import { WorkloadError, type WorkloadName } from '../workloads/driver.ts';
import {
  bridgePrefix,
  findFree,
  type Layout,
  layOut,
  maxInstances,
  maxPeers,
  namesOf,
  noRoom,
  prefixFor,
  tableName,
  workloadKey,
} from './addressing.ts';
import { type Firewall, type FirewallChanges, NftFirewall } from './firewall.ts';
import { type HostNetwork, IpHostNetwork } from './host.ts';
import { formatSubnet, parseSubnet, type Subnet } from './ipv4.ts';
import { DockerNetworkEngine, type EngineNetwork, type NetworkEngine } from './network-engine.ts';
import type { Networks, NetworkWish, OfferedService, StandingNetwork, WorkloadNetwork } from './networks.ts';

/** Labels of a network at the engine. */
export const networkLabels = {
  provider: 'mu.provider',
  lease: 'mu.lease',
  service: 'mu.service',
} as const;

/** Where a network's bytes are counted. */
const counterPrefix = 'sent_';
/** Subnets that are tried where the engine knows more of the host than we do. */
const maxTries = 16;

export interface NetworksOptions {
  /** The provider's address: several may share a machine. */
  readonly provider: string;
  /** `a.b.c.d/prefix`, of private addresses that nothing else uses. */
  readonly pool: Subnet;
  readonly engine: NetworkEngine;
  readonly firewall: Firewall;
  readonly host: HostNetwork;
}

/** A network of ours at the engine, read back from its labels. */
interface OwnNetwork {
  readonly id: string;
  readonly name: string;
  readonly workload: WorkloadName;
  readonly bridge: string;
  readonly subnet: Subnet;
}

/** A network that is to be made. */
interface Making {
  readonly workload: WorkloadName;
  readonly prefix: number;
  readonly wish: NetworkWish;
  /** What stands at the engine. */
  readonly engines: readonly EngineNetwork[];
  /** Of the workload's networks that stand. */
  readonly egress: ReadonlyMap<string, NetworkWish['egress']>;
}

/** Networks as a daemon has them. @param denied the provider's own addresses, as subnets or single addresses */
export function dockerNetworks(options: {
  readonly docker: Docker;
  readonly provider: string;
  readonly pool: Subnet;
  readonly denied: readonly string[];
}): DockerNetworks {
  const { docker, provider, pool, denied } = options;
  return new DockerNetworks({
    provider,
    pool,
    engine: new DockerNetworkEngine(docker),
    firewall: new NftFirewall({ table: tableName(provider), bridgePrefix: bridgePrefix(provider), denied }),
    host: new IpHostNetwork(),
  });
}

export class DockerNetworks implements Networks {
  readonly #options: NetworksOptions;
  /** Changes are made one after the other: each looks at what stands, then adds to it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: NetworksOptions) {
    this.#options = options;
  }

  refresh(): Promise<void> {
    return this.#inTurn(async () => this.#apply(await this.#own()));
  }

  async list(): Promise<readonly WorkloadName[]> {
    const found = new Map((await this.#own()).map(({ workload }) => [workloadKey(workload), workload]));
    return [...found.values()];
  }

  async standing(): Promise<readonly StandingNetwork[]> {
    return (await this.#own()).map(({ workload, name, subnet }) => {
      const { gateway, peerAddresses } = layOut(subnet);
      return { ...workload, name, gateway, peerAddresses };
    });
  }

  ensure(workload: WorkloadName, wish: NetworkWish): Promise<WorkloadNetwork> {
    return this.#inTurn(async () => {
      const peers = wish.peers ?? 0;
      const prefix = prefixFor(wish.instances, peers);
      if (prefix === undefined) {
        throw new WorkloadError(
          'invalid',
          `${wish.instances} instances with ${peers} peers do not fit into one network: at most ${maxInstances} and ${maxPeers}`,
        );
      }
      const engines = await this.#options.engine.list();
      const own = this.#ownAmong(engines);
      const mine = own.filter((network) => isOf(network, workload));
      const egress = new Map(mine.map(({ bridge }) => [bridge, wish.egress]));
      // Sorted: the largest stands first.
      const fitting = mine.find((network) => network.subnet.prefix <= prefix);
      const network = fitting ?? (await this.#make({ workload, prefix, wish, engines, egress }));
      if (fitting === undefined) reach('network.made');
      else await this.#apply(own, { egress });
      const all = fitting === undefined ? [...own, network] : own;
      const left = await this.#removeOutgrown(workload, network, all);
      for (const { bridge, subnet } of left) {
        await this.#options.host.addAddresses(bridge, layOut(subnet).peerAddresses.slice(0, peers));
      }
      const { gateway, addresses, peerAddresses } = layOut(network.subnet);
      return { name: network.name, gateway, addresses, peerAddresses: peerAddresses.slice(0, peers) };
    });
  }

  offer(workload: WorkloadName, services: readonly OfferedService[]): Promise<void> {
    return this.#inTurn(async () => {
      const own = await this.#own();
      const offered = new Map<string, OfferedService[]>();
      for (const { bridge, subnet } of own.filter((network) => isOf(network, workload))) {
        const here = hostAddresses(layOut(subnet));
        offered.set(
          bridge,
          services.filter(({ address }) => here.has(address)),
        );
      }
      const placed = new Set([...offered.values()].flat());
      const lost = services.find((service) => !placed.has(service));
      if (lost !== undefined) {
        throw new WorkloadError(
          'invalid',
          `${lost.address}:${lost.port} is not an address of the host in a network of ${workload.deployment}/${workload.service}`,
        );
      }
      await this.#apply(own, { services: offered });
    });
  }

  remove(workload: WorkloadName): Promise<void> {
    return this.#inTurn(async () => {
      const before = await this.#own();
      const going = before.filter((network) => isOf(network, workload));
      if (going.length === 0) return;
      for (const network of going) {
        if (await this.#options.engine.inUse(network.id)) {
          throw new WorkloadError('failed', `network ${network.name} still has containers: remove them first`);
        }
        await this.#options.engine.remove(network.id);
      }
      await this.#apply(before.filter((network) => !going.includes(network)));
    });
  }

  async egressBytes(workload: WorkloadName): Promise<bigint> {
    const sent = await this.#options.firewall.sentBytes();
    return sent.get(counterOf(workload)) ?? 0n;
  }

  /** Rules first: no packet of the new network ever meets a host without them. */
  async #make({ workload, prefix, wish, engines, egress }: Making): Promise<OwnNetwork> {
    const { engine, host, pool, provider } = this.#options;
    const own = this.#ownAmong(engines);
    const taken = [
      ...engines.flatMap(({ subnets }) => subnets.flatMap((text) => parseSubnet(text) ?? [])),
      ...(await host.routes()),
    ];
    const names = namesOf(provider, workload, prefix);
    const changes = { egress: new Map([...egress, [names.bridge, wish.egress]]) };
    for (let attempt = 0; attempt < maxTries; attempt += 1) {
      const subnet = findFree(pool, prefix, taken, workload);
      if (subnet === undefined) throw new WorkloadError('failed', noRoom(pool, taken));
      await this.#apply([...own, { id: '', ...names, workload, subnet }], changes);
      reach('network.making');
      const id = await engine.create({
        ...names,
        subnet: formatSubnet(subnet),
        gateway: layOut(subnet).gateway,
        labels: {
          [networkLabels.provider]: provider,
          [networkLabels.lease]: workload.deployment,
          [networkLabels.service]: workload.service,
        },
      });
      if (id !== undefined) return { id, ...names, workload, subnet };
      taken.push(subnet);
    }
    throw new WorkloadError('failed', `the engine refused ${maxTries} subnets for network ${names.name}: see its log`);
  }

  /** Networks that became too small, once their last container has gone. @returns the workload's that stand then */
  async #removeOutgrown(
    workload: WorkloadName,
    current: OwnNetwork,
    all: readonly OwnNetwork[],
  ): Promise<readonly OwnNetwork[]> {
    const { engine } = this.#options;
    const gone: OwnNetwork[] = [];
    for (const network of all) {
      if (!isOf(network, workload) || network === current || (await engine.inUse(network.id))) continue;
      await engine.remove(network.id);
      gone.push(network);
    }
    const left = all.filter((network) => !gone.includes(network));
    if (gone.length > 0) await this.#apply(left);
    return left.filter((network) => isOf(network, workload));
  }

  async #apply(own: readonly OwnNetwork[], changes: FirewallChanges = {}): Promise<void> {
    const networks = own.map(({ bridge, subnet, workload }) => ({
      bridge,
      subnet: formatSubnet(subnet),
      gateway: layOut(subnet).gateway,
      counter: counterOf(workload),
    }));
    await this.#options.firewall.apply(networks, changes);
  }

  async #own(): Promise<readonly OwnNetwork[]> {
    return this.#ownAmong(await this.#options.engine.list());
  }

  /** Ascending by name: the same networks give the same rules, and of a workload the largest stands first. */
  #ownAmong(networks: readonly EngineNetwork[]): readonly OwnNetwork[] {
    return networks
      .flatMap((network): OwnNetwork[] => {
        const { labels, id, name, bridge } = network;
        const deployment = labels[networkLabels.lease];
        const service = labels[networkLabels.service];
        const subnet = parseSubnet(network.subnets[0] ?? '');
        if (labels[networkLabels.provider] !== this.#options.provider) return [];
        if (deployment === undefined || service === undefined || subnet === undefined || bridge === undefined)
          return [];
        return [{ id, name, bridge, subnet, workload: { deployment, service } }];
      })
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

const counterOf = (workload: WorkloadName): string => `${counterPrefix}${workloadKey(workload)}`;

const isOf = (network: OwnNetwork, { deployment, service }: WorkloadName): boolean =>
  network.workload.deployment === deployment && network.workload.service === service;

const hostAddresses = ({ gateway, peerAddresses }: Layout): ReadonlySet<string> => new Set([gateway, ...peerAddresses]);
