/**
 * Networks of containers at the Docker engine. Everything is derived from what stands there, by its labels, so that a
 * daemon killed at any step goes on where it was: rules first, then the network, then the host's addresses in it.
 */
import type Docker from 'dockerode';
import { WorkloadError, type WorkloadName } from '../workloads/driver.ts';
import {
  bridgePrefix,
  findFree,
  type Layout,
  layOut,
  maxInstances,
  maxPeers,
  type NetworkShape,
  namesOf,
  noRoom,
  prefixFor,
  tableName,
  workloadKey,
} from './addressing.ts';
import { type Firewall, NftFirewall, type Offers } from './firewall.ts';
import type { FirewallNetwork } from './firewall-rules.ts';
import { type HostNetwork, IpHostNetwork } from './host.ts';
import { formatSubnet, parseSubnet, type Subnet } from './ipv4.ts';
import { DockerNetworkEngine, type NetworkEngine } from './network-engine.ts';
import type { Networks, NetworkWish, OfferedService, StandingNetwork, WorkloadNetwork } from './networks.ts';

/** Labels of a network at the engine. */
export const networkLabels = {
  provider: 'mu.provider',
  lease: 'mu.lease',
  service: 'mu.service',
  egress: 'mu.egress',
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
  readonly shape: NetworkShape;
  readonly bridge: string;
  readonly subnet: Subnet;
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
    return (await this.#own()).map(({ workload, name, shape, subnet }) => ({
      ...workload,
      name,
      gateway: layOut(subnet).gateway,
      egress: shape.egress,
    }));
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
      const own = await this.#own();
      const fitting = own.find((network) => isOf(network, workload) && fits(network, { prefix, egress: wish.egress }));
      const network = fitting ?? (await this.#make(workload, { prefix, egress: wish.egress }, own));
      // Another container of this wish may be running for long: its rules may have gone meanwhile.
      if (fitting !== undefined) await this.#apply(own);
      await this.#removeOutgrown(workload, network);
      const layout = layOut(network.subnet);
      const peerAddresses = layout.peerAddresses.slice(0, peers);
      await this.#options.host.addAddresses(network.bridge, peerAddresses);
      return { name: network.name, gateway: layout.gateway, addresses: layout.addresses, peerAddresses };
    });
  }

  offer(workload: WorkloadName, services: readonly OfferedService[]): Promise<void> {
    return this.#inTurn(async () => {
      const own = await this.#own();
      const offers = new Map<string, OfferedService[]>();
      for (const { bridge, subnet } of own.filter((network) => isOf(network, workload))) {
        const here = hostAddresses(layOut(subnet));
        offers.set(
          bridge,
          services.filter(({ address }) => here.has(address)),
        );
      }
      const placed = new Set([...offers.values()].flat());
      const lost = services.find((service) => !placed.has(service));
      if (lost !== undefined) {
        throw new WorkloadError(
          'invalid',
          `${lost.address}:${lost.port} is not an address of the host in a network of ${workload.deployment}/${workload.service}`,
        );
      }
      await this.#apply(own, offers);
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
  async #make(workload: WorkloadName, shape: NetworkShape, own: readonly OwnNetwork[]): Promise<OwnNetwork> {
    const { engine, host, pool, provider } = this.#options;
    const taken = [
      ...(await engine.list()).flatMap(({ subnets }) => subnets.flatMap((text) => parseSubnet(text) ?? [])),
      ...(await host.routes()),
    ];
    const names = namesOf(provider, workload, shape);
    for (let attempt = 0; attempt < maxTries; attempt += 1) {
      const subnet = findFree(pool, shape, taken, workload);
      if (subnet === undefined) throw new WorkloadError('failed', noRoom(pool, taken));
      const network: OwnNetwork = { id: '', ...names, workload, shape, subnet };
      await this.#apply([...own, network]);
      const made = await engine.create({
        ...names,
        subnet: formatSubnet(subnet),
        gateway: layOut(subnet).gateway,
        labels: {
          [networkLabels.provider]: provider,
          [networkLabels.lease]: workload.deployment,
          [networkLabels.service]: workload.service,
          [networkLabels.egress]: shape.egress,
        },
      });
      if (made) return network;
      taken.push(subnet);
    }
    throw new WorkloadError('failed', `the engine refused ${maxTries} subnets for network ${names.name}: see its log`);
  }

  /** Networks of former wishes, once their last container has gone. */
  async #removeOutgrown(workload: WorkloadName, current: OwnNetwork): Promise<void> {
    const own = await this.#own();
    const gone: OwnNetwork[] = [];
    for (const network of own) {
      if (!isOf(network, workload) || network.name === current.name) continue;
      if (await this.#options.engine.inUse(network.id)) continue;
      await this.#options.engine.remove(network.id);
      gone.push(network);
    }
    if (gone.length > 0) await this.#apply(own.filter((network) => !gone.includes(network)));
  }

  async #apply(own: readonly OwnNetwork[], offers: Offers = new Map()): Promise<void> {
    const networks = own.map(
      ({ bridge, subnet, shape, workload }): FirewallNetwork => ({
        bridge,
        subnet: formatSubnet(subnet),
        gateway: layOut(subnet).gateway,
        egress: shape.egress,
        counter: counterOf(workload),
      }),
    );
    await this.#options.firewall.apply(networks, offers);
  }

  /** Ascending by name: the same networks give the same rules. */
  async #own(): Promise<readonly OwnNetwork[]> {
    const networks = await this.#options.engine.list();
    return networks
      .flatMap((network): OwnNetwork[] => {
        const { labels, id, name, bridge } = network;
        const deployment = labels[networkLabels.lease];
        const service = labels[networkLabels.service];
        const subnet = parseSubnet(network.subnets[0] ?? '');
        if (labels[networkLabels.provider] !== this.#options.provider) return [];
        if (deployment === undefined || service === undefined || subnet === undefined || bridge === undefined)
          return [];
        const egress = labels[networkLabels.egress] === 'public' ? 'public' : 'none';
        return [
          { id, name, bridge, subnet, workload: { deployment, service }, shape: { prefix: subnet.prefix, egress } },
        ];
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

const fits = ({ shape }: OwnNetwork, wish: NetworkShape): boolean =>
  shape.prefix <= wish.prefix && shape.egress === wish.egress;

const hostAddresses = ({ gateway, peerAddresses }: Layout): ReadonlySet<string> => new Set([gateway, ...peerAddresses]);
