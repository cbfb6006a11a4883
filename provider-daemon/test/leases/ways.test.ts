/** Ways of containers: addresses, firewall and names of their peers, here and elsewhere. */
import { expect, test } from '@jest/globals';
import type { ManifestHead } from '@mu/client/manifest/head';
import { planOf } from '../../src/leases/plan.ts';
import { containerWays } from '../../src/leases/ways.ts';
import type { Networks, NetworkWish, OfferedService } from '../../src/network/networks.ts';
import { headOf, tcp, workload } from './far-fixture.ts';

/** What was offered to each workload. */
type Offered = Record<string, readonly OfferedService[]>;

async function waysIn(head: ManifestHead, infrastructure: string) {
  const offered: Offered = {};
  let next = 0;
  const networks = {
    async ensure(_workload: unknown, { peers = 0 }: NetworkWish) {
      next += 1;
      const peerAddresses = Array.from({ length: peers }, (_none, i) => `10.0.${next}.${8 + i}`);
      return { gateway: `10.0.${next}.1`, peerAddresses };
    },
    offer: async ({ service }: { service: string }, services: readonly OfferedService[]) => {
      offered[service] = services;
    },
  } as unknown as Networks;
  const fileOf = (): never => {
    throw new Error('no files');
  };
  const place = { lease: 7n, owner: 'mu1owner', dseq: 1n, infrastructure };
  const plan = planOf({ place, head, secrets: { env: {} }, fileOf });
  return { ...(await containerWays(plan, networks)), offered };
}

test('a peer elsewhere has an address, a name and an open port in its caller’s network, as one beside it has', async () => {
  const head = headOf({
    front: [workload('web'), workload('cache', tcp('redis', 6379, { from: ['web'] }))],
    back: [workload('db', tcp('sql', 5432, { from: ['web'] }), tcp('log', 514, { protocol: 'udp', from: ['web'] }))],
  });
  const { relays, names, offered } = await waysIn(head, 'front');
  const metered = false;
  // The cache, which calls nobody, comes first.
  expect(relays).toEqual([
    { listen: { address: '10.0.2.8', port: 6379 }, protocol: 'tcp', to: { service: 'cache', port: 6379 }, metered },
    {
      listen: { address: '10.0.2.9', port: 5432 },
      protocol: 'tcp',
      to: { far: 'db/sql', service: 'db', caller: 'web' },
      metered,
    },
    {
      listen: { address: '10.0.2.9', port: 514 },
      protocol: 'udp',
      to: { far: 'db/log', service: 'db', caller: 'web' },
      metered,
    },
  ]);
  expect(names).toEqual([
    { address: '10.0.1.1', names: {}, egress: 'none' },
    { address: '10.0.2.1', names: { cache: '10.0.2.8', db: '10.0.2.9' }, egress: 'none' },
  ]);
  expect(offered).toEqual({
    cache: [],
    web: [
      { address: '10.0.2.8', port: 6379, protocol: 'tcp' },
      { address: '10.0.2.9', port: 5432, protocol: 'tcp' },
      { address: '10.0.2.9', port: 514, protocol: 'udp' },
    ],
  });
});

test('a callee has no way to its callers', async () => {
  const head = headOf({ front: [workload('web')], back: [workload('db', tcp('sql', 5432))] });
  const { relays, offered } = await waysIn(head, 'back');
  expect([relays, offered]).toEqual([[], { db: [] }]);
});
