/** A public port of a container from its manifest to the bytes on the bill: a real relay, a made-up engine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Lease } from '@mu/proto/market';
import { build, owner, twoPlaces } from '../../../client/test/manifest/fixture.ts';
import { read, sample } from '../../../client/test/stack/sample.ts';
import { DataPlane } from '../../src/data-plane/data-plane.ts';
import { Totals } from '../../src/data-plane/totals.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import type { ContainerHost } from '../../src/leases/container-host.ts';
import { Databases } from '../../src/leases/databases.ts';
import { LeaseRunner } from '../../src/leases/lease-runner.ts';
import { PublicPorts } from '../../src/leases/public-ports.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { receiveDelivery } from '../../src/manifests/receive.ts';
import type { ContainerSpec, ServingWorkload } from '../../src/workloads/driver.ts';
import { NullDriver } from '../../src/workloads/null-driver.ts';
import { arriving, bodyOf, factsOf } from '../manifests/fixture.ts';
import { counted } from '../support/surroundings.ts';

const place = { lease: 7n, owner, dseq: 17n, infrastructure: 'main' };
const lease = Lease.fromPartial({ resources: [{ compute: { cpu: 1000, memory: 1n << 31n }, count: 1 }] });

let folder: string;
let journal: Journal;
let databases: Databases;
let totals: Totals;
let gateway: Gateway;
/** What listens in the container: answers with what it hears. */
let container: Server;
let plane: DataPlane;
let runner: LeaseRunner;
let range: { first: number; last: number } | undefined;

function listening(): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** An engine that has one container for each workload, at this machine's own address. */
function host(): ContainerHost {
  const start = async (spec: ContainerSpec) =>
    ({
      spec,
      status: () => [{ index: 0, state: 'ready', restarts: 0, address: '127.0.0.1' }],
      onChange: () => () => {},
      stop: async () => {},
      takeUsage: () => ({ invocations: 0n, megabyteMilliseconds: 0n, egressBytes: 0n }),
    }) as unknown as ServingWorkload;
  const networks = {
    ensure: async () => ({ gateway: '127.0.0.1', peerAddresses: [] }),
    offer: async () => {},
  };
  return {
    driver: { start, found: async () => [] },
    networks,
    volumes: { retire: async () => {} },
  } as unknown as ContainerHost;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-public-port-'));
  journal = openJournal(join(folder, 'journal'), { chainId: 'mu-1', provider: 'mu1p', nodeId: 'node-1' });
  databases = new Databases(join(folder, 'databases'));
  totals = new Totals(join(folder, 'totals'));
  gateway = new Gateway();
  container = await listening();
  // A port that was free a moment ago stands for the operator's range.
  const free = await listening();
  range = { first: portOf(free), last: portOf(free) };
  await new Promise((resolve) => free.close(resolve));
});
afterEach(async () => {
  await runner.stop(7n);
  await gateway.close();
  await totals.close();
  await databases.close();
  await journal.close();
  container.close();
  rmSync(folder, { recursive: true });
});

async function hold(connections: string): Promise<void> {
  const stack = `${sample}  - { type: Workload, name: web, container: web, compute: { cpu: 1, memory: 1GiB }, connections: ${connections} }\n`;
  const built = build({
    stack: read(stack).stack,
    placements: [{ ...twoPlaces[0]!, services: ['web'] }],
    images: new Map([['web', `web@sha256:${'a'.repeat(64)}`]]),
  });
  const manifests = new ManifestStore({
    ...{ folder: join(folder, 'manifests'), index: journal.manifests, random: counted().random },
  });
  const { chunks, sha256 } = arriving(bodyOf(built));
  await receiveDelivery({ chunks, sha256 }, factsOf(built), manifests);
  const one = host();
  // Resolvers of this test have a port of their own: 53 is the system's.
  plane = new DataPlane({
    ...{ driver: new NullDriver(() => ({})), gateway, totals, ways: { upstreams: [], dnsPort: 0 } },
  });
  runner = new LeaseRunner({
    ...{ plane, manifests, databases, volumeRetentionMs: 0 },
    containers: { here: one, host: () => one },
    ...{ gatewayUri: 'http://127.0.0.1:8080', domain: '' },
    ports: { book: new PublicPorts({ range, table: journal.ports }), listenAddress: '127.0.0.1' },
    onTrouble: (_lease, error) => {
      throw error;
    },
  });
}

const start = () => runner.start(place, lease, { revision: 1n, height: 100n });
const sql = () => `[{ name: sql, port: ${portOf(container)}, protocol: tcp, scope: global }]`;

test('whoever connects reaches the container; the bytes are counted, and shown to the operator', async () => {
  await hold(sql());
  const [endpoint] = await start();
  expect(endpoint).toBe(`tcp://127.0.0.1:${range!.first}`);
  const socket = connect({ host: '127.0.0.1', port: range!.first });
  socket.end('hello');
  expect(await text(socket)).toBe('hello');
  await runner.poll();
  expect(runner.totals(7n)).toEqual([{ service: 'web', metric: 'gateway-bytes', quantity: 10n }]);
  expect((await plane.figures()).relays).toMatchObject({ relays: 1, accepted: 1, receivedBytes: 5, sentBytes: 5 });
});

test('paused and started again it has the same address, until the lease is over', async () => {
  await hold(sql());
  const endpoints = await start();
  await runner.stop(7n);
  expect(journal.ports.all()).toHaveLength(1);
  expect(await start()).toEqual(endpoints);
  await runner.stop(7n);
  await runner.erase(place);
  expect(journal.ports.all()).toEqual([]);
});

test('a port that somebody else has taken is told', async () => {
  await hold(sql());
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(range!.first, '127.0.0.1', resolve));
  await expect(start()).rejects.toThrow(
    new RegExp(`tcp 127\\.0\\.0\\.1:${range!.first} cannot be listened at: .*EADDRINUSE`),
  );
  other.close();
});

test('nothing runs where no ports are offered', async () => {
  range = undefined;
  await hold(sql());
  await expect(start()).rejects.toThrow(/offers no public tcp ports/);
  expect(await plane.served()).toEqual([]);
});

test('nothing runs where more addresses are wished than the chain takes', async () => {
  const many = [1, 2, 3, 4, 5].map((i) => `{ name: c${i}, port: ${i}, protocol: http, scope: global }`);
  await hold(`[${many.join(', ')}]`);
  await expect(start()).rejects.toThrow(/5 public addresses/);
  expect(await plane.served()).toEqual([]);
});
