/**
 * A small world with real parts: three workloads in networks of ours (one of them may go out), a container of the
 * operator's on the engine's own bridge, a machine of the public internet, and one of the provider's private network.
 */
import { networkInterfaces } from 'node:os';
import type Docker from 'dockerode';
import { bridgePrefix, namesOf, tableName } from '../../../src/network/addressing.ts';
import { type DockerNetworks, dockerNetworks } from '../../../src/network/docker-networks.ts';
import { InstanceRoute } from '../../../src/network/instance-route.ts';
import { parseSubnet } from '../../../src/network/ipv4.ts';
import type { WorkloadNetwork } from '../../../src/network/networks.ts';
import { listenTcp } from '../../../src/network/relay.ts';
import { Resolver } from '../../../src/network/resolver.ts';
import { runTool } from '../../../src/network/run-tool.ts';
import type { WorkloadName } from '../../../src/workloads/driver.ts';
import type { DockerBench } from '../../support/docker.ts';
import { type Placed, place } from './containers.ts';
import { type FarMachine, runNumber, type Surroundings } from './namespaces.ts';

const publicBase = runNumber * 16;
const third = 100 + runNumber;

/** Addresses of the far machines. */
export const far = {
  host: `203.0.113.${publicBase + 1}`,
  public: `203.0.113.${publicBase + 10}`,
  /** Public, but the provider's own by its configuration. */
  denied: `203.0.113.${publicBase + 11}`,
  private: [`192.168.${third}.10`, `10.99.${third}.10`, `172.30.${third}.10`],
  shared: `100.64.${third}.10`,
  benchmark: `198.18.${third}.10`,
  linkLocal: `169.254.${third}.10`,
  ula: `fd99:${third}::10`,
  global: `2001:db8:${third}::10`,
};

export const quiet: WorkloadName = { deployment: '41', service: 'db' };
export const open: WorkloadName = { deployment: '42', service: 'web' };
export const other: WorkloadName = { deployment: '43', service: 'api' };

export interface World {
  readonly docker: Docker;
  /** Of nftables. */
  readonly table: string;
  readonly networks: DockerNetworks;
  readonly publicMachine: FarMachine;
  readonly privateMachine: FarMachine;
  /** Where this host greets on all of its addresses. */
  readonly hostPort: number;
  /** Of this host, on its way out. */
  readonly hostAddress: string;
  /** Where the operator's container greets on the host's addresses. */
  readonly publishedPort: number;
  readonly stand: Readonly<Record<'quiet' | 'open' | 'other', Stand>>;
  readonly operator: Placed;
  /** The networks as a daemon has them that was started again. */
  another(): DockerNetworks;
}

export interface Stand {
  readonly network: WorkloadNetwork;
  /** From which everything is tried. */
  readonly prober: Placed;
  readonly sibling: Placed;
  /** Link-local address of the host's side. */
  readonly bridgeIpv6: string;
}

export async function makeWorld(bench: DockerBench, surroundings: Surroundings): Promise<World> {
  const { docker, name: provider } = bench;
  const table = tableName(provider);
  const { publicMachine, privateMachine } = await makeFar(surroundings);
  const [hostPort] = await surroundings.greeter([0], undefined);
  const another = (): DockerNetworks =>
    dockerNetworks({ docker, provider, pool: parseSubnet('10.213.0.0/16')!, denied: [far.denied] });
  const networks = another();
  surroundings.later(() => runTool('nft', ['delete', 'table', 'inet', table]));
  surroundings.later(() => runTool('nft', ['delete', 'table', 'bridge', table]));
  const image = await bench.importBusybox();
  const publishedPort = 20_000 + (process.pid % 10_000);
  const operator = await place(bench, { image, publish: publishedPort });
  const build = (workload: WorkloadName, egress: 'none' | 'public'): Promise<Stand> =>
    makeStand({ bench, surroundings, networks, image }, workload, egress);
  const stand = {
    other: await build(other, 'none'),
    quiet: await build(quiet, 'none'),
    open: await build(open, 'public'),
  };
  for (const { network } of [stand.quiet, stand.open]) {
    const listen = { address: network.peerAddresses[0]!, port: 5432 };
    const route = new InstanceRoute([{ address: stand.other.prober.address, port: 80 }]);
    const relay = await listenTcp({ listen, route });
    surroundings.later(() => relay.close(0));
  }
  const hostAddress = Object.entries(networkInterfaces())
    .filter(([name]) => name === 'eth0' || name.startsWith('en'))
    .flatMap(([, addresses]) => addresses ?? [])
    .find(({ family }) => family === 'IPv4')?.address;
  return {
    ...{ docker, networks, publicMachine, privateMachine, table, stand, operator, publishedPort, another },
    hostPort: hostPort!,
    hostAddress: hostAddress ?? far.host,
  };
}

async function makeFar(surroundings: Surroundings) {
  const publicMachine = await surroundings.farMachine({
    name: 'p',
    gateway: far.host,
    addresses: [
      [`${far.host}/28`, `${far.public}/28`],
      [`203.0.113.${publicBase + 2}/28`, `${far.denied}/28`],
      [`2001:db8:${third}::1/64`, `${far.global}/64`],
    ],
  });
  const near = (address: string): string => address.replace(/10$/, '1');
  const addresses = [...far.private, far.shared, far.benchmark, far.linkLocal];
  const privateMachine = await surroundings.farMachine({
    name: 's',
    gateway: near(far.private[0]!),
    addresses: [
      ...addresses.map((address) => [`${near(address)}/24`, `${address}/24`] as const),
      [`${near(far.ula)}/64`, `${far.ula}/64`],
    ],
  });
  await surroundings.greeter([80, 25], 53, publicMachine);
  await surroundings.greeter([80], 53, privateMachine);
  return { publicMachine, privateMachine };
}

interface Around {
  readonly bench: DockerBench;
  readonly surroundings: Surroundings;
  readonly networks: DockerNetworks;
  readonly image: string;
}

async function makeStand(around: Around, workload: WorkloadName, egress: 'none' | 'public'): Promise<Stand> {
  const { bench, surroundings, networks, image } = around;
  const provider = bench.name;
  const network = await networks.ensure(workload, { instances: 1, egress, peers: 1 });
  const { gateway, addresses, peerAddresses } = network;
  await networks.offer(workload, [{ address: peerAddresses[0]!, port: 5432, protocol: 'tcp' }]);
  const resolver = await Resolver.listen({
    address: gateway,
    port: 53,
    table: { peers: new Map([['other', peerAddresses[0]!]]), egress },
    upstreams: [{ address: far.public, port: 53 }],
  });
  surroundings.later(() => resolver.close());
  const [first, second] = addresses.map((address) => ({ image, network: { name: network.name, address, gateway } }));
  const prober = await place(bench, first!);
  const sibling = await place(bench, second!);
  const { bridge } = namesOf(provider, workload, 29);
  if (!bridge.startsWith(bridgePrefix(provider))) throw new Error(`bridge ${bridge} has another prefix than the rules`);
  return { network, prober, sibling, bridgeIpv6: await linkLocalOf(bridge) };
}

async function linkLocalOf(link: string): Promise<string> {
  const [info] = JSON.parse(await runTool('ip', ['-j', '-6', 'address', 'show', 'dev', link])) as Array<{
    addr_info?: Array<{ local: string; scope: string }>;
  }>;
  return info?.addr_info?.find(({ scope }) => scope === 'link')?.local ?? '';
}
