/** Networks against an engine that is stood in for: what is made in which order, and what a daemon finds that was killed. */
import { describe, expect, it } from '@jest/globals';
import { DockerNetworks, networkLabels } from '../../src/network/docker-networks.ts';
import type { Firewall, FirewallChanges } from '../../src/network/firewall.ts';
import type { FirewallNetwork } from '../../src/network/firewall-rules.ts';
import type { HostNetwork } from '../../src/network/host.ts';
import { overlaps, parseSubnet, type Subnet } from '../../src/network/ipv4.ts';
import type { EngineNetwork, NetworkEngine, NewEngineNetwork } from '../../src/network/network-engine.ts';

const web = { deployment: '7', service: 'web' };
const db = { deployment: '7', service: 'db' };

/** Thrown in place of a step: the process was killed just before, or just after it. */
class Killed extends Error {}

/** The machine: it stays when a daemon dies. */
class Machine implements NetworkEngine, Firewall, HostNetwork {
  readonly networks: EngineNetwork[] = [];
  readonly busy = new Set<string>();
  readonly done: string[] = [];
  readonly addresses = new Map<string, Set<string>>();
  rules: readonly Omit<FirewallNetwork, 'egress'>[] = [];
  egress = new Map<string, 'none' | 'public'>();
  hostRoutes: Subnet[] = [];
  refused: Subnet[] = [];
  /** Steps that are still taken; each step has a point before and one after it. */
  pointsLeft = Number.POSITIVE_INFINITY;

  #step<T>(name: string, work: () => T): T {
    this.#point();
    const result = work();
    this.done.push(name);
    this.#point();
    return result;
  }

  #point(): void {
    this.pointsLeft -= 1;
    if (this.pointsLeft < 0) throw new Killed();
  }

  async list() {
    return [...this.networks];
  }

  async create({ name, bridge, subnet, labels }: NewEngineNetwork) {
    return this.#step(`create ${bridge}`, () => {
      // No packet may find a bridge without rules.
      expect(this.rules.map((rule) => rule.bridge)).toContain(bridge);
      if (this.refused.some((other) => overlaps(other, parseSubnet(subnet)!))) return undefined;
      const id = `id-${this.networks.length}-${name}`;
      this.networks.push({ id, name, bridge, labels, subnets: [subnet] });
      return id;
    });
  }

  async inUse(id: string) {
    return this.busy.has(id);
  }

  async remove(id: string) {
    this.#step(`remove ${id}`, () => {
      const at = this.networks.findIndex((network) => network.id === id);
      if (at >= 0) this.networks.splice(at, 1);
    });
  }

  async apply(rules: readonly Omit<FirewallNetwork, 'egress'>[], { egress }: FirewallChanges = {}) {
    this.#step('apply', () => {
      this.rules = rules;
      for (const [bridge, way] of egress ?? []) this.egress.set(bridge, way);
    });
  }

  async sentBytes() {
    return new Map(this.rules.map(({ counter }) => [counter, 5n]));
  }

  async routes() {
    return this.hostRoutes;
  }

  async addAddresses(link: string, addresses: readonly string[]) {
    this.#step('address', () => {
      this.addresses.set(link, new Set([...(this.addresses.get(link) ?? []), ...addresses]));
    });
  }

  daemon(pool = '10.213.0.0/16', provider = 'mu1provider'): DockerNetworks {
    return new DockerNetworks({ provider, pool: parseSubnet(pool)!, engine: this, firewall: this, host: this });
  }
}

describe('a network', () => {
  it('is made once, with rules before it, and found by its labels afterwards', async () => {
    const machine = new Machine();
    const first = await machine.daemon().ensure(web, { instances: 1, egress: 'none', peers: 2 });
    expect(machine.done.map((step) => step.split(' ')[0])).toEqual(['apply', 'create', 'address']);
    expect(machine.networks[0]?.labels).toEqual({
      [networkLabels.provider]: 'mu1provider',
      [networkLabels.lease]: '7',
      [networkLabels.service]: 'web',
    });
    expect(await machine.daemon().ensure(web, { instances: 1, egress: 'none', peers: 2 })).toEqual(first);
    expect(machine.networks).toHaveLength(1);
    expect(first.addresses).toHaveLength(2);
    expect(first.peerAddresses).toHaveLength(2);
    expect(await machine.daemon().list()).toEqual([web]);
  });

  it('is the same after a kill at any step, and one more call', async () => {
    const whole = new Machine();
    const expected = await whole.daemon().ensure(web, { instances: 1, egress: 'public', peers: 1 });
    let kills = 0;
    for (let points = 0; ; points += 1) {
      const machine = new Machine();
      machine.pointsLeft = points;
      const outcome = await machine
        .daemon()
        .ensure(web, { instances: 1, egress: 'public', peers: 1 })
        .catch((cause: unknown) => cause);
      if (!(outcome instanceof Killed)) break;
      kills += 1;
      machine.pointsLeft = Number.POSITIVE_INFINITY;
      expect(await machine.daemon().ensure(web, { instances: 1, egress: 'public', peers: 1 })).toEqual(expected);
      expect(machine.networks).toHaveLength(1);
      expect(machine.rules).toEqual(whole.rules);
      expect(machine.addresses).toEqual(whole.addresses);
    }
    // Before and after each of three steps.
    expect(kills).toBe(6);
  });

  it('goes whole, whenever its removal is interrupted', async () => {
    for (let points = 0; points < 4; points += 1) {
      const machine = new Machine();
      await machine.daemon().ensure(web, { instances: 1, egress: 'none' });
      machine.pointsLeft = points;
      await expect(machine.daemon().remove(web)).rejects.toThrow(Killed);
      machine.pointsLeft = Number.POSITIVE_INFINITY;
      await machine.daemon().refresh();
      await machine.daemon().remove(web);
      expect(machine.networks).toEqual([]);
      expect(machine.rules).toEqual([]);
    }
  });

  it('keeps away from the host’s routes and from other networks of the engine', async () => {
    const machine = new Machine();
    machine.hostRoutes = [parseSubnet('10.213.0.0/30')!];
    machine.networks.push({ id: 'x', name: 'theirs', labels: {}, subnets: ['10.213.0.16/28'], bridge: undefined });
    const daemon = machine.daemon('10.213.0.0/27');
    const { gateway } = await daemon.ensure(web, { instances: 1, egress: 'none' });
    expect(gateway).toBe('10.213.0.9');
    await expect(daemon.ensure(db, { instances: 1, egress: 'none' })).rejects.toMatchObject({ reason: 'failed' });
  });

  it('is made elsewhere where the engine knows better', async () => {
    const machine = new Machine();
    const { gateway } = await machine.daemon().ensure(web, { instances: 1, egress: 'none' });
    const again = new Machine();
    again.refused = [parseSubnet(machine.networks[0]!.subnets[0]!)!];
    expect((await again.daemon().ensure(web, { instances: 1, egress: 'none' })).gateway).not.toBe(gateway);
    expect(again.networks).toHaveLength(1);
    again.refused = [parseSubnet('10.213.0.0/16')!];
    await expect(again.daemon().ensure(db, { instances: 1, egress: 'none' })).rejects.toThrow('refused 16 subnets');
  });

  it('of more instances than there is room for is refused', async () => {
    const daemon = new Machine().daemon();
    await expect(daemon.ensure(web, { instances: 64, egress: 'none' })).rejects.toMatchObject({ reason: 'invalid' });
    await expect(daemon.ensure(web, { instances: 1, egress: 'none', peers: 128 })).rejects.toMatchObject({
      reason: 'invalid',
    });
  });

  it('that is too small stays beside the larger one as long as it has containers', async () => {
    const machine = new Machine();
    const daemon = machine.daemon();
    const small = await daemon.ensure(web, { instances: 1, egress: 'none', peers: 1 });
    machine.busy.add(machine.networks[0]!.id);
    const large = await daemon.ensure(web, { instances: 4, egress: 'public', peers: 2 });
    expect(large.name).not.toBe(small.name);
    expect((await daemon.standing()).map(({ name }) => name)).toEqual([large.name, small.name]);
    expect(await daemon.list()).toEqual([web]);
    // Containers in both have the same rights, and their peers.
    expect([...machine.egress.values()]).toEqual(['public', 'public']);
    expect([...machine.addresses.values()].map((set) => set.size).sort()).toEqual([2, 2]);
    expect(new Set(machine.rules.map(({ counter }) => counter)).size).toBe(1);
    machine.busy.clear();
    expect(await daemon.ensure(web, { instances: 1, egress: 'public' })).toMatchObject({ name: large.name });
    expect((await daemon.standing()).map(({ name }) => name)).toEqual([large.name]);
  });

  it('is not removed under a container', async () => {
    const machine = new Machine();
    await machine.daemon().ensure(web, { instances: 1, egress: 'none' });
    machine.busy.add(machine.networks[0]!.id);
    await expect(machine.daemon().remove(web)).rejects.toMatchObject({ reason: 'failed' });
    expect(machine.rules).toHaveLength(1);
  });
});

describe('networks', () => {
  it('made at the same time do not overlap', async () => {
    const machine = new Machine();
    const daemon = machine.daemon('10.213.0.0/24');
    const services = Array.from({ length: 32 }, (_, at) => ({ deployment: '1', service: `s${at}` }));
    await Promise.all(services.map((workload) => daemon.ensure(workload, { instances: 1, egress: 'none' })));
    expect(new Set(machine.networks.map(({ subnets }) => subnets[0])).size).toBe(32);
    expect(machine.rules).toHaveLength(32);
    await expect(daemon.ensure(web, { instances: 1, egress: 'none' })).rejects.toThrow('no free subnet is left');
  });

  it('of another provider are nobody’s business', async () => {
    const machine = new Machine();
    await machine.daemon().ensure(web, { instances: 1, egress: 'none' });
    const other = machine.daemon('10.213.0.0/16', 'mu1other');
    expect(await other.list()).toEqual([]);
    await other.remove(web);
    expect(machine.networks).toHaveLength(1);
    await other.ensure(web, { instances: 1, egress: 'none' });
    expect(machine.networks).toHaveLength(2);
  });

  it('offer services at the host’s addresses in them alone', async () => {
    const machine = new Machine();
    const daemon = machine.daemon();
    const { peerAddresses, addresses, gateway } = await daemon.ensure(web, { instances: 1, egress: 'none', peers: 1 });
    const foreign = await daemon.ensure(db, { instances: 1, egress: 'none', peers: 1 });
    await daemon.offer(web, [
      { address: peerAddresses[0]!, port: 5432, protocol: 'tcp' },
      { address: gateway, port: 8080, protocol: 'tcp' },
    ]);
    for (const address of [addresses[0]!, foreign.gateway, '127.0.0.1']) {
      const offer = daemon.offer(web, [{ address, port: 80, protocol: 'tcp' }]);
      await expect(offer).rejects.toMatchObject({ reason: 'invalid' });
    }
  });
});
