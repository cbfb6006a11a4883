import { existsSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { drainFile } from '../../src/bidding/offer.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { askDaemon, askIfThere, DaemonAway } from '../../src/operators/admin-client.ts';
import { drain } from '../../src/operators/commands/drain.ts';
import type { Facts } from '../../src/operators/facts.ts';
import { refuseSecond } from '../../src/operators/operators.ts';
import { isListening, processStartMs } from '../../src/operators/processes.ts';
import { adminSocket, type OperatorServers, startOperatorServers } from '../../src/operators/servers.ts';
import type { OperatorSources } from '../../src/operators/sources.ts';
import type { ServingWorkload } from '../../src/workloads/driver.ts';
import { configIn, factsOf, identityIn, keeperOf, lease, nowMs, sourcesOf, testFolder } from './fixture.ts';

let own: ReturnType<typeof testFolder>;
let identity: Identity;
let servers: OperatorServers | undefined;
let socket: string;

beforeEach(async () => {
  own = testFolder();
  identity = await identityIn(own.folder);
  socket = adminSocket(join(own.folder, 'data'));
});
afterEach(async () => {
  await servers?.close();
  servers = undefined;
  own.remove();
});

const log = pino({ level: 'silent' });
const config = (more = '') => configIn(own.folder, more);

async function serve(change: Partial<OperatorSources> = {}, more = ''): Promise<OperatorServers> {
  servers = await startOperatorServers(sourcesOf(config(more), identity, change), log);
  return servers;
}

test('the socket is for its owner alone, tells what the daemon knows, and replaces what a crash has left', async () => {
  await serve();
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  expect(await askDaemon(socket, 'GET /status')).toMatchObject({
    provider: 'mu1provider00000',
    pid: process.pid,
    registered: true,
    height: '101',
    draining: false,
    leases: 1,
    view: { height: 100, age_seconds: 3 },
    data_plane: { up: true, pid: 42 },
    balances: { owner: '5000000' },
    health: { ok: true },
  });
  expect(await isListening(socket)).toBe(true);
  await servers?.close();
  await serve();
  expect(await askDaemon(socket, 'GET /ready')).toEqual({ ready: true });
});

test('leases are told with their containers, usage and runway; what does not answer is left out', async () => {
  const workload = {
    spec: { service: 'web' },
    status: () => [{ index: 0, state: 'backing_off', restarts: 2, lastEnd: 'exit code 3', address: '10.0.0.2' }],
    metrics: async () => [
      { index: 0, cpuMicros: 5n, memoryBytes: 6n, receivedBytes: 7n, sentBytes: 8n, diskBytes: 9n },
    ],
  } as unknown as ServingWorkload;
  const broken = { ...workload, spec: { service: 'db' }, metrics: () => Promise.reject(new Error('gone')) };
  const plan = { functions: [{ service: 'f' }], containers: [], gateways: [], databases: ['store'], connections: [] };
  await serve({
    leases: () => [lease(2n), lease(1n, { leaveHeight: 300n })],
    running: (number) =>
      number === 1n
        ? ({
            plan,
            containers: new Map([
              ['web', workload],
              ['db', broken as unknown as ServingWorkload],
            ]),
          } as never)
        : undefined,
    usage: (number) =>
      number === 1n
        ? {
            sequence: 1n,
            toHeight: 90n,
            counted: [{ service: 'f', metric: 'gateway-requests', quantity: 2n }],
            seen: [],
            pending: {
              report: { items: [{ service: 'f', metric: 'gateway-requests', quantity: 40n }] } as never,
              signature: new Uint8Array(),
            },
          }
        : undefined,
    fundedTo: ({ number }) => (number === 1n ? Promise.resolve(5_000n) : Promise.reject(new Error('away'))),
  });
  const { leases } = await askDaemon<{ leases: Record<string, unknown>[] }>(socket, 'GET /leases');
  expect(leases.map((one) => one['lease'])).toEqual(['1', '2']);
  const instance = { index: 0, state: 'backing_off', restarts: 2, last_end: 'exit code 3' };
  expect(leases[0]).toMatchObject({
    work: 'running',
    revision: '2',
    price_per_block: '2.5',
    leave_height: '300',
    funded_to: '5000',
    report_pending: true,
    unreported: [{ service: 'f', metric: 'gateway-requests', quantity: '42' }],
    services: [
      {
        service: 'web',
        kind: 'container',
        instances: [
          {
            ...instance,
            uses: { cpu_micros: '5', memory_bytes: '6', received_bytes: '7', sent_bytes: '8', disk_bytes: '9' },
          },
        ],
      },
      { service: 'db', kind: 'container', instances: [instance] },
      { service: 'f', kind: 'function', instances: [] },
      { service: 'store', kind: 'database', instances: [] },
    ],
  });
  expect(leases[1]).not.toHaveProperty('funded_to');
  expect(leases[1]).toMatchObject({ unreported: [], report_pending: false, services: [] });
});

test('the inventory says what runs without a lease, what should run, and what cannot be looked at', async () => {
  await serve({ served: async () => ['9'], foundContainers: () => Promise.reject(new Error('the engine is away')) });
  const { differences, lines } = await askDaemon<{ differences: string[]; lines: object[] }>(socket, 'GET /inventory');
  expect(differences).toEqual([
    expect.stringMatching(/of lease 9 runs, but no such lease/),
    expect.stringMatching(/of lease 1 should run and does not/),
    'the container engine cannot be looked at: the engine is away',
  ]);
  expect(lines).toHaveLength(4);
});

test('drain is a file that stays, whether a daemon runs or not', async () => {
  const file = drainFile(join(own.folder, 'data'));
  await serve();
  expect(await askDaemon(socket, 'POST /drain')).toEqual({ draining: true });
  expect(await askDaemon(socket, 'POST /drain')).toEqual({ draining: true });
  expect(existsSync(file)).toBe(true);
  expect(await askDaemon(socket, 'POST /undrain')).toEqual({ draining: false });
  await servers?.close();
  servers = undefined;
  // No chain is there to tell of leases: the drain holds all the same.
  const nowhere = { ...config(), chain: { ...config().chain, rpcUrl: 'http://127.0.0.1:1' } };
  expect((await drain(nowhere, true)).value).toMatchObject({
    draining: true,
    daemon: false,
    chain_trouble: expect.any(String),
  });
  expect(existsSync(file)).toBe(true);
  expect((await drain(nowhere, false)).value).toMatchObject({ draining: false });
});

test('an address that cannot be had is named, and the socket is not left behind', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  await expect(serve({}, `[metrics]\nport = ${port}\n`)).rejects.toThrow(`127.0.0.1:${port} cannot be listened at`);
  expect(await askIfThere(socket, 'GET /status')).toBeUndefined();
  await new Promise((resolve) => other.close(resolve));
});

test('public paths answer over TCP; unhealthy is 503, unknown 404, wrong methods 405', async () => {
  const facts: { -readonly [K in keyof Facts]?: Facts[K] } = { ...factsOf(config(), identity) };
  const sources = sourcesOf(config(`[metrics]\nport = ${await freePort()}\n`), identity, {
    facts: keeperOf(facts),
  });
  servers = await startOperatorServers(sources, log);
  const get = (path: string, method = 'GET') => fetch(`${servers?.metricsUrl}${path}`, { method });
  expect((await get('/metrics')).headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect([(await get('/health')).status, (await get('/ready')).status]).toEqual([200, 200]);
  delete facts.plane;
  const ill = await get('/health');
  expect([ill.status, (await get('/ready')).status]).toEqual([503, 503]);
  expect(await ill.json()).toMatchObject({
    ok: false,
    checks: expect.arrayContaining([expect.objectContaining({ name: 'data_plane', ok: false })]),
  });
  const statuses = await Promise.all([get('/status'), get('/leases'), get('/drain', 'POST'), get('/health', 'POST')]);
  expect(statuses.map(({ status }) => status)).toEqual([404, 404, 404, 405]);
});

test('a second daemon is refused, a dead one’s socket is not in the way; who asks nobody is told', async () => {
  await expect(askDaemon(socket, 'GET /status')).rejects.toThrow(DaemonAway);
  await refuseSecond(config());
  await serve();
  await expect(refuseSecond(config())).rejects.toThrow(`process ${process.pid}`);
});

test('what breaks inside is told without its details', async () => {
  const served = serve({
    inventory: () => {
      throw new Error('secret detail');
    },
  });
  await served;
  await expect(askDaemon(socket, 'GET /status')).rejects.toThrow(/500.*its log says why/);
});

test('the system tells when a process began, and who listens', async () => {
  const started = await processStartMs(process.pid);
  expect(Math.abs((started ?? 0) - (Date.now() - process.uptime() * 1000))).toBeLessThan(5_000);
  expect(await processStartMs(2 ** 30)).toBeUndefined();
  expect(await isListening(join(own.folder, 'nobody'))).toBe(false);
  expect(nowMs).toBeGreaterThan(0);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
