/** An update that does not come up: what ran before runs on, and may call whom it could call. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Lease } from '@mu/proto/market';
import { build, owner, twoPlaces } from '../../../client/test/manifest/fixture.ts';
import { read, sample } from '../../../client/test/stack/sample.ts';
import type { Plane, ServedWays } from '../../src/data-plane/plane.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import type { ContainerHost } from '../../src/leases/container-host.ts';
import { Databases } from '../../src/leases/databases.ts';
import { LeaseRunner } from '../../src/leases/lease-runner.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { receiveDelivery } from '../../src/manifests/receive.ts';
import type { OfferedService } from '../../src/network/networks.ts';
import {
  type ContainerSpec,
  type ServingWorkload,
  WorkloadError,
  type WorkloadName,
} from '../../src/workloads/driver.ts';
import { arriving, bodyOf, factsOf } from '../manifests/fixture.ts';
import { counted } from '../support/surroundings.ts';

const place = { lease: 7n, owner, dseq: 17n, infrastructure: 'main' };
const lease = Lease.fromPartial({ resources: [{ compute: { cpu: 2000, memory: 1n << 32n }, count: 1 }] });
const image = `web@sha256:${'a'.repeat(64)}`;

let folder: string;
let journal: Journal;
let databases: Databases;
let manifests: ManifestStore;
let fails: boolean;
/** What the web may reach at the host, as the firewall has it, and the names that it can resolve. */
let offered: readonly OfferedService[];
let resolved: readonly string[];
/** What the links were told, one line each, the connections of a plan, or an end; and what else goes before or after. */
let linked: string[];
let runner: LeaseRunner;

function host(): ContainerHost {
  const start = async (spec: ContainerSpec) => {
    if (spec.service === 'web') linked.push('web starts');
    if (fails) throw new WorkloadError('unhealthy', 'it does not come up');
    return {
      spec,
      status: () => [],
      onChange: () => () => {},
      stop: async () => {},
      takeUsage: () => ({ invocations: 0n, megabyteMilliseconds: 0n, egressBytes: 0n }),
    } as unknown as ServingWorkload;
  };
  const networks = {
    ensure: async () => ({ gateway: '10.0.0.1', peerAddresses: ['10.0.0.14'] }),
    async offer({ service }: WorkloadName, services: readonly OfferedService[]) {
      if (service === 'web') offered = services;
    },
  };
  return { driver: { start, found: async () => [] }, networks } as unknown as ContainerHost;
}

const plane = {
  async open(_lease: string, { names }: ServedWays) {
    linked.push('open');
    resolved = names.flatMap((one) => Object.keys(one.names));
  },
  serve: async () => {},
  place: async () => {},
  withdraw: async () => void linked.push('withdraw'),
  totals: async () => [],
} as unknown as Plane;

/** @param connections of a database beside the web; @param far of one in another infrastructure */
async function hold(revision: bigint, connections: string, far = ''): Promise<void> {
  const workload = (name: string, rest: string): string =>
    `  - { type: Workload, name: ${name}, container: web, compute: { cpu: 1, memory: 1GiB }${rest} }\n`;
  const stack = `${sample}${workload('web', `, env: { REVISION: "${revision}" }`)}${workload('sql', connections)}${workload('db', far)}`;
  const built = build({
    revision,
    stack: read(stack).stack,
    placements: [
      { ...twoPlaces[0]!, services: ['web', 'sql'] },
      { ...twoPlaces[1]!, services: ['db'] },
    ],
    images: new Map([
      ['web', image],
      ['sql', image],
      ['db', image],
    ]),
  });
  const { chunks, sha256 } = arriving(bodyOf(built));
  await receiveDelivery({ chunks, sha256 }, factsOf(built), manifests);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-failed-update-'));
  journal = openJournal(join(folder, 'journal'), { chainId: 'mu-1', provider: 'mu1p', nodeId: 'node-1' });
  databases = new Databases(join(folder, 'databases'));
  const index = journal.manifests;
  manifests = new ManifestStore({ folder: join(folder, 'manifests'), index, random: counted().random });
  [fails, offered, resolved, linked] = [false, [], [], []];
  const one = host();
  runner = new LeaseRunner({
    ...{ plane, manifests, databases, volumeRetentionMs: 0, gatewayUri: 'http://127.0.0.1:8080', domain: '' },
    containers: { here: one, host: () => one },
    links: {
      started: async ({ lease: number }, { farCalls }) =>
        void linked.push(`${number}: ${farCalls.map(({ callee, connection }) => `${callee}/${connection}`)}`),
      stopped: (number) => void linked.push(`${number} stopped`),
    },
    onTrouble: (_lease, error) => {
      throw error;
    },
  });
});
afterEach(async () => {
  await databases.close();
  await journal.close();
  rmSync(folder, { recursive: true });
});

test('one that drops a connection and fails leaves the connection as it was', async () => {
  await hold(1n, ', connections: [{ name: sql, port: 5432, protocol: tcp, scope: workload }]');
  await hold(2n, '');
  await runner.start(place, lease, { revision: 1n, height: 1n });
  const before = [{ address: '10.0.0.14', port: 5432, protocol: 'tcp' }];
  expect([offered, resolved]).toEqual([before, ['sql']]);
  fails = true;
  await expect(runner.start(place, lease, { revision: 2n, height: 2n })).rejects.toThrow('does not come up');
  expect([offered, resolved]).toEqual([before, ['sql']]);
  fails = false;
  await runner.start(place, lease, { revision: 2n, height: 3n });
  expect([offered, resolved]).toEqual([[], []]);
});

const farOf = (name: string): string =>
  `, connections: [{ name: ${name}, port: 5432, protocol: tcp, scope: workload, from: [web] }]`;

test('links stand before the workloads start that need them, and end with the lease', async () => {
  await hold(1n, '', farOf('sql'));
  await runner.start(place, lease, { revision: 1n, height: 1n });
  await runner.stop(place.lease);
  expect(linked).toEqual(['open', '7: db/sql', 'web starts', '7 stopped', 'withdraw']);
});

test('during an update the links of both revisions stand, and then those of the one that runs', async () => {
  await hold(1n, '', farOf('sql'));
  await hold(2n, '', farOf('pg'));
  await runner.start(place, lease, { revision: 1n, height: 1n });
  [linked, fails] = [[], true];
  await expect(runner.start(place, lease, { revision: 2n, height: 2n })).rejects.toThrow('does not come up');
  expect(linked).toEqual(['open', '7: db/sql,db/pg', 'web starts', 'open', '7: db/sql']);
  [linked, fails] = [[], false];
  await runner.start(place, lease, { revision: 2n, height: 3n });
  expect(linked).toEqual(['open', '7: db/sql,db/pg', 'web starts', '7: db/pg']);
});

test('what does not come up at all is linked with nobody', async () => {
  await hold(1n, '', farOf('sql'));
  fails = true;
  await expect(runner.start(place, lease, { revision: 1n, height: 1n })).rejects.toThrow('does not come up');
  expect(linked).toEqual(['open', '7: db/sql', 'web starts', '7: ']);
});
