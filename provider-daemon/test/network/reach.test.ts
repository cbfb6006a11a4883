/**
 * What a container can reach, tried from inside with every right over the container's own network: with real Docker, real rules,
 * and network namespaces for the public and for the provider's private network. Ordinary containers reach all of it.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runTool } from '../../src/network/run-tool.ts';
import { describeWithDocker } from '../support/docker.ts';
import { allowSeconds } from '../workloads/patience.ts';
import { lookUp, type Probes, ping, reached, run, tcp } from './support/containers.ts';
import { type FarMachine, Surroundings } from './support/namespaces.ts';
import { far, makeWorld, open, quiet, type Stand, type World } from './support/world.ts';

allowSeconds(120);

let world: World;

/** A query for other.mu.internal as TCP carries it. */
const tcpQuery = String.raw`\000\043\022\064\001\000\000\001\000\000\000\000\000\000\005other\002mu\010internal\000\000\001\000\001`;

/** What no workload may reach. */
function forbidden({ network, sibling, bridgeIpv6 }: Stand, foreign: Stand): Probes {
  const { hostPort, hostAddress, publishedPort, operator } = world;
  return {
    'host: engine’s bridge': tcp('172.17.0.1', hostPort),
    'host: on its way out': tcp(hostAddress, hostPort),
    'host: ping': ping(hostAddress),
    'host: towards the public': tcp(far.host, hostPort),
    'host: gateway, other port': tcp(network.gateway, hostPort),
    'host: peer’s address, other port': tcp(network.peerAddresses[0]!, hostPort),
    'host: ping of the gateway': ping(network.gateway),
    'host: loopback': tcp('127.0.0.1', hostPort),
    'host: published port of the operator': tcp(hostAddress, publishedPort),
    'operator’s container': tcp(operator.address, 80),
    'other tenant': tcp(foreign.prober.address, 80),
    'other tenant: ping': ping(foreign.prober.address),
    'other tenant’s gateway': tcp(foreign.network.gateway, hostPort),
    'other tenant’s resolver': lookUp('other.mu.internal', foreign.network.gateway, foreign.network.peerAddresses[0]!),
    'other tenant’s peer': tcp(foreign.network.peerAddresses[0]!, 5432),
    'same workload': tcp(sibling.address, 80),
    'same workload: ping': ping(sibling.address),
    'same workload: ARP': `arping -c 1 -w 1 -I eth0 ${sibling.address} >/dev/null`,
    'private: 192.168': tcp(far.private[0]!, 80),
    'private: 10': tcp(far.private[1]!, 80),
    'private: 172.16/12': tcp(far.private[2]!, 80),
    'private: ping': ping(far.private[0]!),
    'private: resolver': lookUp('example.org', far.private[0]!, '203.0.113.99'),
    'shared address space': tcp(far.shared, 80),
    'benchmark range': tcp(far.benchmark, 80),
    'link-local': tcp(far.linkLocal, 80),
    metadata: tcp('169.254.169.254', 80),
    'mail at a public address': tcp(far.public, 25),
    'provider’s own public address': tcp(far.denied, 80),
    'IPv6: host, link-local': tcp(`${bridgeIpv6}%eth0`, hostPort),
    'IPv6: host, ping': `busybox ping6 -c 1 -W 1 ${bridgeIpv6}%eth0 >/dev/null`,
    'IPv6: unique local': tcp(far.ula, 80),
    'IPv6: global': tcp(far.global, 80),
  };
}

/** The data plane's part: what every workload may reach. */
const offered = ({ network }: Stand): Probes => ({
  'resolver by UDP': lookUp('other.mu.internal', network.gateway, network.peerAddresses[0]!),
  'resolver by TCP': `[ $(printf '${tcpQuery}' | nc -w 2 ${network.gateway} 53 | wc -c) -gt 40 ]`,
  'peer by its name': tcp('other.mu.internal', 5432),
});

const outside = (): Probes => ({
  'public: TCP': tcp(far.public, 80),
  'public: UDP': lookUp('example.org', far.public, '203.0.113.99'),
  'public: ping': ping(far.public),
  'public: name': lookUp('example.org', '127.0.0.11', '203.0.113.99'),
});

const namesOf = (probes: Probes): string[] => Object.keys(probes).sort();

/** Gives a container IPv6, a way out by it included: what its image or a bug of the engine could bring about. */
async function withIpv6({ prober, bridgeIpv6 }: Stand): Promise<void> {
  const script = `ip -6 addr add fd99:7::2/64 dev eth0 nodad; ip -6 addr add fe80::7/64 dev eth0 nodad
    ip -6 route add default via ${bridgeIpv6} dev eth0; ip -6 route show default`;
  expect(await run(world.docker, prober, script)).toContain(`default via ${bridgeIpv6}`);
}

describeWithDocker('networks of containers', (bench) => {
  const { docker } = bench;
  const surroundings = new Surroundings();
  beforeAll(async () => {
    world = await makeWorld(bench, surroundings);
  });
  afterAll(() => surroundings.remove());

  describe('what a container reaches', () => {
    it('is there to be reached: an ordinary container of the engine gets to it', async () => {
      const { hostPort, hostAddress, operator } = world;
      const probes = {
        host: tcp('172.17.0.1', hostPort),
        'host on its way out': tcp(hostAddress, hostPort),
        ...Object.fromEntries(
          [...far.private, far.shared, far.benchmark, far.linkLocal].map((at) => [at, tcp(at, 80)]),
        ),
        'private resolver': lookUp('example.org', far.private[0]!, '203.0.113.99'),
        mail: tcp(far.public, 25),
        denied: tcp(far.denied, 80),
        public: tcp(far.public, 80),
        ping: ping(far.private[0]!),
      };
      expect(await reached(docker, operator, probes)).toEqual(namesOf(probes));
    });

    it('with egress none is its resolver and its peers', async () => {
      const stand = world.stand.quiet;
      await withIpv6(stand);
      const probes = { ...forbidden(stand, world.stand.open), ...outside(), ...offered(stand) };
      expect(await reached(docker, stand.prober, probes)).toEqual(namesOf(offered(stand)));
    });

    it('with egress public is the public beside them', async () => {
      const stand = world.stand.open;
      await withIpv6(stand);
      const probes = { ...forbidden(stand, world.stand.quiet), ...outside(), ...offered(stand) };
      expect(await reached(docker, stand.prober, probes)).toEqual(namesOf({ ...offered(stand), ...outside() }));
    });

    it('is nothing by a source address that is not its own', async () => {
      const { publicMachine, stand } = world;
      const before = await publicMachine.pings();
      const spoof = `ip addr add 203.0.113.200/32 dev eth0; ip addr add ${stand.other.prober.address}/32 dev eth0
        ping -c 2 -W 1 -I 203.0.113.200 ${far.public}; ping -c 2 -W 1 -I ${stand.other.prober.address} ${far.public}
        ip addr del 203.0.113.200/32 dev eth0; ip addr del ${stand.other.prober.address}/32 dev eth0`;
      await run(docker, stand.open.prober, spoof);
      expect(await publicMachine.pings()).toBe(before);
      await run(docker, stand.open.prober, ping(far.public));
      expect(await publicMachine.pings()).toBe(before + 1);
    });
  });

  describe('who reaches a container', () => {
    it('is this host, not a neighbour: no container, no machine with a route', async () => {
      const { stand, privateMachine, publicMachine, operator } = world;
      const { prober, network } = stand.open;
      expect(await runTool('busybox', ['nc', '-w', '2', prober.address, '80'])).toBe('mu-greeting\n');
      const probes = {
        instance: tcp(prober.address, 80),
        ping: ping(prober.address),
        resolver: lookUp('other.mu.internal', network.gateway, network.peerAddresses[0]!),
        peer: tcp(network.peerAddresses[0]!, 5432),
      };
      expect(await reached(docker, operator, probes)).toEqual([]);
      const from = ({ namespace }: FarMachine, address: string, port: number): Promise<string> =>
        runTool('ip', ['netns', 'exec', namespace, 'busybox', 'nc', '-w', '1', address, String(port)], {
          accept: [0, 1],
        });
      expect(await from(privateMachine, '172.17.0.1', world.hostPort)).toBe('mu-greeting\n');
      expect(await from(privateMachine, prober.address, 80)).toBe('');
      expect(await from(privateMachine, network.peerAddresses[0]!, 5432)).toBe('');
      // Also where the host's own rules would let it pass.
      const rule = ['DOCKER-USER', '-s', far.public, '-j', 'ACCEPT'];
      await runTool('iptables', ['-I', ...rule]);
      surroundings.later(() => runTool('iptables', ['-D', ...rule]));
      expect(await from(publicMachine, prober.address, 80)).toBe('');
    });
  });

  describe('rules', () => {
    it('count what goes out, and go on counting when they are put in place again', async () => {
      const { networks, stand, table } = world;
      await run(docker, stand.open.prober, `ping -c 4 -s 1000 ${far.public}`);
      const counted = await networks.egressBytes(open);
      expect(counted).toBeGreaterThanOrEqual(4n * 1028n);
      expect(await networks.egressBytes(quiet)).toBe(0n);
      await networks.refresh();
      expect(await networks.egressBytes(open)).toBe(counted);
      await runTool('nft', ['delete', 'table', 'inet', table]);
      await networks.refresh();
      expect(await networks.egressBytes(open)).toBe(counted);
      await run(docker, stand.open.prober, `ping -c 1 -s 1000 ${far.public}`);
      expect(await networks.egressBytes(open)).toBe(counted + 1028n);
    });

    it('are what holds a container back, and come back as they were where somebody has flushed them', async () => {
      const { networks, stand, hostAddress, hostPort, table } = world;
      const probes = {
        host: tcp(hostAddress, hostPort),
        'host by IPv6': tcp(`${stand.quiet.bridgeIpv6}%eth0`, hostPort),
        peer: tcp('other.mu.internal', 5432),
      };
      await runTool('nft', ['delete', 'table', 'inet', table]);
      expect(await reached(docker, stand.quiet.prober, probes)).toEqual(['host', 'host by IPv6', 'peer']);
      await networks.refresh();
      expect(await reached(docker, stand.quiet.prober, probes)).toEqual(['peer']);
    });

    it('stand after a restart of the daemon as before, though nobody has spoken yet', async () => {
      const { stand } = world;
      const later = world.another();
      await later.refresh();
      const probes = { peer: tcp('other.mu.internal', 5432), public: tcp(far.public, 80) };
      expect(await reached(docker, stand.open.prober, probes)).toEqual(['peer', 'public']);
      expect(await reached(docker, stand.quiet.prober, probes)).toEqual(['peer']);
    });

    it('take a way out away, and give one, while the container runs', async () => {
      const { networks, stand } = world;
      const probes = { public: tcp(far.public, 80) };
      const wish = { instances: 1, peers: 1 };
      await networks.ensure(open, { ...wish, egress: 'none' });
      expect(await reached(docker, stand.open.prober, probes)).toEqual([]);
      await networks.ensure(open, { ...wish, egress: 'public' });
      expect(await reached(docker, stand.open.prober, probes)).toEqual(['public']);
    });
  });

  describe('networks', () => {
    it('cannot be removed under a container, and leave nothing', async () => {
      const { networks, table } = world;
      await expect(networks.remove(open)).rejects.toThrow('still has containers');
      const lonely = { deployment: '44', service: 'lonely' };
      const small = await networks.ensure(lonely, { instances: 1, egress: 'none' });
      const large = await networks.ensure(lonely, { instances: 5, egress: 'public' });
      expect(large.name).not.toBe(small.name);
      expect((await networks.standing()).filter(({ deployment }) => deployment === '44')).toHaveLength(1);
      await networks.remove(lonely);
      expect(await networks.list()).not.toContainEqual(lonely);
      expect(await runTool('nft', ['list', 'table', 'inet', table])).not.toContain(large.gateway);
    });
  });
});
