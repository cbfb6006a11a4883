import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { bundleFor } from '@mu/client/manifest/bundle';
import { build, owner, twoPlaces } from '../../../client/test/manifest/fixture.ts';
import { DataPlane } from '../../src/data-plane/data-plane.ts';
import { Totals } from '../../src/data-plane/totals.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import type { ContainerHost } from '../../src/leases/container-host.ts';
import { Databases } from '../../src/leases/databases.ts';
import { type LeasePlace, LeaseRunner, type LeaseRunnerOptions } from '../../src/leases/lease-runner.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { receiveDelivery } from '../../src/manifests/receive.ts';
import { NullDriver, type NullHandler } from '../../src/workloads/null-driver.ts';
import { arriving, bodyOf, factsOf } from '../manifests/fixture.ts';
import { counted } from '../support/surroundings.ts';

const place: LeasePlace = { lease: 7n, owner, dseq: 17n, infrastructure: 'main' };

let folder: string;
let journal: Journal;
let databases: Databases;
let gateway: Gateway;
let driver: NullDriver;
let totals: Totals;
let runner: LeaseRunner;
let options: LeaseRunnerOptions;
let origin: string;
/** what a function sees of its caller and its environment */
let seen: Record<string, string>[];

const answer: NullHandler = (_spec, { env }) => {
  seen.push({ ...env });
  return { stdout: 'content-type: text/plain\n\nfour' };
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-runner-'));
  seen = [];
  journal = openJournal(join(folder, 'journal'), { chainId: 'mu-1', provider: 'mu1provider', nodeId: 'node-1' });
  databases = new Databases(join(folder, 'databases'));
  gateway = new Gateway();
  driver = new NullDriver(answer);
  const { host, port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  origin = `http://${host}:${port}`;
  const manifests = new ManifestStore({
    folder: join(folder, 'manifests'),
    index: journal.manifests,
    random: counted().random,
  });
  totals = new Totals(join(folder, 'totals'));
  options = {
    plane: new DataPlane({ driver, gateway, totals, ways: { upstreams: [] } }),
    containers: undefined,
    volumeRetentionMs: 0,
    manifests,
    databases,
    gatewayUri: origin,
    domain: '',
    onTrouble: (_lease, error) => {
      throw error;
    },
  };
  runner = new LeaseRunner(options);
  const built = build();
  const { chunks, sha256 } = arriving(bodyOf(built));
  await receiveDelivery({ chunks, sha256 }, factsOf(built), manifests);
});

afterEach(async () => {
  await gateway.close();
  await driver.close();
  await totals.close();
  await databases.close();
  await journal.close();
  rmSync(folder, { recursive: true });
});

const start = (revision: bigint, height: bigint) => runner.start(place, { resources: [] }, { revision, height });

/** What the lease has used in all, by service and metric. */
async function used(height: bigint): Promise<Record<string, bigint>> {
  await runner.poll();
  const all = [...runner.totals(7n), ...runner.takeUsage(7n, height)].filter(({ quantity }) => quantity > 0n);
  return Object.fromEntries(all.map(({ service, metric, quantity }) => [`${service} ${metric}`, quantity]));
}

const login = (endpoint: string): Promise<Response> => fetch(`${endpoint}/login`, { method: 'POST', body: 'body' });

test('a manifest that is held answers at an address that any restart gives again, with the environment of its section', async () => {
  const [endpoint] = (await start(1n, 100n)) as [string];
  expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/~[a-z2-7]{16}$/);
  const response = await login(endpoint);
  expect([response.status, await response.text()]).toEqual([200, 'four']);
  expect(seen[0]).toMatchObject({ REQUEST_METHOD: 'POST', VAR1: 'value1', VAR2: 'value2' });
  await runner.stop(place.lease);
  expect((await login(endpoint)).status).toBe(404);
  expect(await start(1n, 101n)).toEqual([endpoint]);
});

test('a lease with nothing to run starts, has no address, and stops', async () => {
  const standby = { infrastructure: 'main-standby-1', share: 'all', services: [] } as const;
  const built = build({ revision: 2n, placements: [...twoPlaces, standby] });
  const facts = factsOf(built, { held: [{ lease: 9n, infrastructure: 'main-standby-1' }] });
  const { keys, files } = bundleFor(built, ['main-standby-1'], 'none');
  const { chunks, sha256 } = arriving(bodyOf(built, { keys, files: new Map() }));
  expect(files.size).toBe(0);
  await receiveDelivery({ chunks, sha256 }, facts, options.manifests);
  const idle = { ...place, lease: 9n, infrastructure: 'main-standby-1' };
  expect(await runner.start(idle, { resources: [] }, { revision: 2n, height: 100n })).toEqual([]);
  expect(runner.view(9n)?.plan).toMatchObject({ functions: [], containers: [], gateways: [], databases: [] });
  await runner.poll();
  expect([runner.totals(9n), runner.takeUsage(9n, 200n)]).toEqual([[], []]);
  await runner.stop(9n);
  expect(runner.view(9n)).toBeUndefined();
});

test('what is used adds up: calls, running time, requests, bytes, and stored bytes by block', async () => {
  const [endpoint] = (await start(1n, 100n)) as [string];
  await login(endpoint);
  await login(endpoint);
  await databases.table(7n, 'main_db').put(Buffer.from('key'), Buffer.from('value'));
  const counted = {
    'simple_backend function-invocations': 2n,
    // 128 MiB for 1 ms each
    'simple_backend function-megabyte-milliseconds': 256n,
    'main_gw gateway-requests': 2n,
    // four bytes in, four bytes out
    'main_gw gateway-bytes': 16n,
  };
  // 8 bytes of key and value for 10 blocks
  expect(await used(110n)).toEqual({ ...counted, 'main_db database-byte-blocks': 80n });
  expect(await used(110n)).toEqual(counted);
  await login(endpoint);
  await runner.stop(7n);
  expect(await used(111n)).toMatchObject({ 'main_gw gateway-requests': 3n, 'simple_backend function-invocations': 3n });
});

test('what is left of leases that are over ends, and its counts go when nothing is owed for them', async () => {
  const [endpoint] = (await start(1n, 100n)) as [string];
  await login(endpoint);
  await runner.poll();
  const over = async () => true;
  await runner.sweep(async () => false, new Set());
  expect((await login(endpoint)).status).toBe(200);
  await runner.sweep(over, new Set([7n]));
  expect((await login(endpoint)).status).toBe(404);
  expect(await used(100n)).toMatchObject({ 'main_gw gateway-requests': 2n });
  await runner.sweep(over, new Set());
  expect(await used(100n)).toEqual({});
});

test('what a daemon before this one has left running is stopped too', async () => {
  const [endpoint] = (await start(1n, 100n)) as [string];
  expect((await login(endpoint)).status).toBe(200);
  const found = [
    { deployment: '7', service: 'web' },
    { deployment: '8', service: 'web' },
  ];
  const removed: string[] = [];
  const host = {
    driver: {
      found: async () => found,
      remove: async ({ deployment }: { deployment: string }) => void removed.push(deployment),
    },
  } as unknown as ContainerHost;
  const next = new LeaseRunner({ ...options, containers: { here: host, host: () => host } });
  await next.stop(7n);
  expect((await login(endpoint)).status).toBe(404);
  expect(removed).toEqual(['7']);
});

test('a database keeps what it stores over a stop, and loses it when the lease is over', async () => {
  await start(1n, 100n);
  await databases.table(7n, 'main_db').put(Buffer.from('a'), Buffer.from('b'));
  await runner.stop(7n);
  expect(databases.storedBytes(7n, 'main_db')).toBe(2n);
  await databases.table(8n, 'main_db').put(Buffer.from('a'), Buffer.from('b'));
  await runner.erase(place);
  expect(databases.leases()).toEqual([8n]);
  // Nobody has told that lease 8 is over: it ended while the daemon was away.
  await runner.sweep(async (number) => number === 8n, new Set());
  expect(databases.leases()).toEqual([]);
});

test('what cannot be removed of one lease that is over keeps no other’s remains', async () => {
  const removed: string[] = [];
  const host = {
    driver: {
      found: async () => ['7', '8', '9'].map((deployment) => ({ deployment, service: 'web' })),
      async remove({ deployment }: { deployment: string }) {
        if (deployment === '7') throw new Error('the volume is busy');
        removed.push(deployment);
      },
    },
    volumes: { list: async () => [], sweep: async () => void removed.push('volumes') },
  } as unknown as ContainerHost;
  const next = new LeaseRunner({ ...options, containers: { here: host, host: () => host } });
  await expect(next.sweep(async () => true, new Set())).rejects.toThrow('the volume is busy');
  expect(removed).toEqual(['8', '9', 'volumes']);
});

test('a revision that is not held starts nothing and leaves what runs', async () => {
  const [endpoint] = (await start(1n, 100n)) as [string];
  await expect(start(2n, 101n)).rejects.toThrow('revision 2 is not held');
  expect((await login(endpoint)).status).toBe(200);
});
