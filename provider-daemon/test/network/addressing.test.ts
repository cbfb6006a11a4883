import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  bridgePrefix,
  findFree,
  layOut,
  maxInstances,
  maxPeers,
  namesOf,
  noRoom,
  prefixFor,
} from '../../src/network/addressing.ts';
import {
  contains,
  formatAddress,
  formatSubnet,
  isPublicAddress,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
  sizeOf,
} from '../../src/network/ipv4.ts';

const pool = parseSubnet('10.213.0.0/16')!;
const workload = { deployment: '7', service: 'web' };

describe('IPv4 addresses', () => {
  it('are read in plain decimals only', () => {
    expect(parseAddress('10.213.0.1')).toBe(0x0ad50001);
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '01.2.3.4',
      '1.2.3.4 ',
      '::1',
      '0x1.2.3.4',
      '1.2.3.-4',
    ]) {
      expect(parseAddress(text)).toBeUndefined();
    }
  });

  it('come back as they were', () => {
    fc.assert(fc.property(fc.nat(0xffffffff), (address) => parseAddress(formatAddress(address)) === address));
  });

  it('make subnets that begin where their prefix says', () => {
    expect(parseSubnet('10.213.0.8/29')).toEqual({ base: 0x0ad50008, prefix: 29 });
    expect(parseSubnet('192.0.2.1')).toEqual({ base: 0xc0000201, prefix: 32 });
    for (const text of ['10.213.0.1/29', '10.0.0.0/33', '10.0.0.0/', 'fd00::/8', 'default', '10.0.0.0/8/8']) {
      expect(parseSubnet(text)).toBeUndefined();
    }
    expect(overlaps(parseSubnet('10.0.0.0/8')!, parseSubnet('10.213.0.8/29')!)).toBe(true);
    expect(overlaps(parseSubnet('10.213.0.0/29')!, parseSubnet('10.213.0.8/29')!)).toBe(false);
  });

  it('are public outside the reserved ranges', () => {
    const inside = ['0.1.2.3', '10.0.0.1', '100.64.0.1', '100.127.255.255', '127.0.0.1', '169.254.169.254'];
    const more = [
      '172.16.0.1',
      '172.31.255.255',
      '192.0.0.8',
      '192.168.1.1',
      '198.19.0.1',
      '224.0.0.1',
      '255.255.255.255',
    ];
    for (const address of [...inside, ...more, 'fd00::1', 'x']) expect(isPublicAddress(address)).toBe(false);
    for (const address of [
      '1.1.1.1',
      '100.63.255.255',
      '100.128.0.0',
      '172.32.0.0',
      '192.0.1.1',
      '198.20.0.0',
      '223.9.9.9',
    ]) {
      expect(isPublicAddress(address)).toBe(true);
    }
  });
});

describe('the size of a network', () => {
  it('is the smallest with two addresses for each instance', () => {
    expect(prefixFor(1, 0)).toBe(29);
    expect(prefixFor(1, 3)).toBe(29);
    expect(prefixFor(1, 4)).toBe(28);
    expect(prefixFor(2, 0)).toBe(28);
    expect(prefixFor(maxInstances, maxPeers)).toBe(24);
    expect(prefixFor(maxInstances + 1, 0)).toBeUndefined();
    expect(prefixFor(1, maxPeers + 1)).toBeUndefined();
  });

  it('has room for what it was chosen for, and no address has two uses', () => {
    const wish = fc.record({
      instances: fc.integer({ min: 0, max: maxInstances }),
      peers: fc.integer({ min: 0, max: maxPeers }),
    });
    fc.assert(
      fc.property(wish, ({ instances, peers }) => {
        const subnet = { base: pool.base, prefix: prefixFor(instances, peers)! };
        const { gateway, addresses, peerAddresses } = layOut(subnet);
        const all = [gateway, ...addresses, ...peerAddresses];
        expect(addresses.length).toBeGreaterThanOrEqual(instances * 2);
        expect(peerAddresses.length).toBeGreaterThanOrEqual(peers);
        expect(new Set(all).size).toBe(all.length);
        // All but the network's and the broadcast address.
        expect(all.length).toBe(sizeOf(subnet.prefix) - 2);
        for (const address of all) expect(contains(subnet, parseAddress(address)!)).toBe(true);
      }),
    );
  });
});

describe('a free subnet', () => {
  const someSubnets = fc.array(
    fc.record({ slot: fc.nat(8191), prefix: fc.integer({ min: 24, max: 29 }) }).map(({ slot, prefix }): Subnet => {
      const base = pool.base + slot * 8;
      return { base: base - (base % sizeOf(prefix)), prefix };
    }),
    { maxLength: 60 },
  );

  it('overlaps nothing that stands, and is found again in the same place', () => {
    fc.assert(
      fc.property(someSubnets, fc.integer({ min: 24, max: 29 }), fc.string(), (taken, prefix, service) => {
        const found = findFree(pool, prefix, taken, { deployment: '1', service })!;
        expect(found.prefix).toBe(prefix);
        expect(overlaps(found, pool)).toBe(true);
        expect(taken.some((other) => overlaps(other, found))).toBe(false);
        expect(findFree(pool, prefix, taken, { deployment: '1', service })).toEqual(found);
      }),
    );
  });

  it('is found as long as there is one', () => {
    const small = parseSubnet('10.213.0.0/27')!;
    const taken: Subnet[] = [];
    for (let at = 0; at < 4; at += 1) taken.push(findFree(small, 29, taken, workload)!);
    expect(taken.map(formatSubnet).sort()).toEqual([
      '10.213.0.0/29',
      '10.213.0.16/29',
      '10.213.0.24/29',
      '10.213.0.8/29',
    ]);
    expect(findFree(small, 29, taken, workload)).toBeUndefined();
    expect(findFree(small, 24, [], workload)).toBeUndefined();
  });

  it('that cannot be found is told with the reason', () => {
    expect(noRoom(pool, [parseSubnet('10.213.4.0/24')!])).toContain('configure a larger one');
    expect(noRoom(pool, [parseSubnet('10.0.0.0/8')!])).toContain('lies within 10.0.0.0/8');
  });
});

describe('names', () => {
  it('of bridges fit into the kernel’s 15 characters and begin with the provider’s prefix', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (provider, deployment, service) => {
        const { bridge } = namesOf(provider, { deployment, service }, 29);
        expect(bridge).toMatch(/^mu[0-9a-f]{13}$/);
        expect(bridge.startsWith(bridgePrefix(provider))).toBe(true);
      }),
    );
  });

  it('differ by provider, workload and size, and by nothing else', () => {
    const all = [
      namesOf('a', workload, 29),
      namesOf('b', workload, 29),
      namesOf('a', workload, 28),
      namesOf('a', { ...workload, service: 'db' }, 29),
      namesOf('a', { ...workload, deployment: '8' }, 29),
    ];
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    expect(new Set(all.map(({ bridge }) => bridge)).size).toBe(all.length);
    expect(namesOf('a', { ...workload }, 29)).toEqual(all[0]);
  });
});
