/** What the operator of a provider types, on a running one with a lease: real `mud`, `mu-provider`, `mucli`. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { LeaseState } from '@mu/proto/market';
import { ProviderState } from '@mu/proto/provider';
import { must, Network, type NetworkProvider } from '../src/network.ts';
import { eventually, type Finished, runCommand } from '../src/process.ts';
import { writeChosenStack } from '../src/stacks.ts';

jest.setTimeout(120_000);

const bin = join(import.meta.dirname, '..', '..', 'provider-daemon/bin/mu-provider');
/** Of the chain: short, so that a test can wait for it. */
const noticeBlocks = 10;

let network: Network;
let client: ChainClient;
let user: string;
let provider: NetworkProvider;
let metrics: string;
let endpoint: string;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-ops-')),
    chainId: `mu-ops-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 300,
    genesis(appState) {
      const params = appState['market']?.['params'] as Record<string, unknown>;
      params['leave_notice_blocks'] = String(noticeBlocks);
    },
  });
  const port = String(await freePort());
  metrics = `http://127.0.0.1:${port}`;
  await network.initChain();
  user = await network.initUser();
  provider = await network.initProvider({
    name: 'only',
    price: { cpu: '0.05', memoryMib: '0.01' },
    settings: { '--metrics-port': port },
  });
  for (const address of [user, provider.owner, provider.operator]) await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  client = await network.client();
  await network.registerProvider(provider);
  await network.startProvider(provider);
  const stack = writeChosenStack(network.path('stack'), provider.owner, 100);
  const created = await must(network.mucli(['tx', 'deployment', 'create', stack, '--yes', '--output', 'json']));
  endpoint = (JSON.parse(created.stdout) as { endpoints: { endpoint: string }[] }).endpoints[0]?.endpoint ?? '';
});

afterAll(async () => {
  client?.disconnect();
  await network?.stop();
});

function command(...args: string[]): Promise<Finished> {
  const env = {
    MU_PROVIDER_CHAIN_RPC_URL: network.rpc,
    MU_PROVIDER_TRUST_GENESIS_HASH: network.userEnv()['MUCLI_TRUST_GENESIS_HASH'] ?? '',
  };
  return runCommand(bin, ['--home', provider.home, ...args], { env });
}

const told = async <T>(...args: string[]): Promise<T> => JSON.parse((await must(command(...args))).stdout) as T;
const login = (): Promise<Response> =>
  fetch(`${endpoint}/login`, { method: 'POST', body: JSON.stringify({ name: 'Ada' }) });

test('status, leases and inventory show a provider with a lease, and people can read them', async () => {
  expect((await login()).status).toBe(200);
  const status = await eventually('a daemon that is well', async () => {
    const found = await told<Record<string, unknown>>('status');
    return (found['daemon'] as { health?: { ok: boolean } }).health?.ok === true ? found : undefined;
  });
  expect(status).toMatchObject({
    provider: provider.owner,
    operator: provider.operator,
    registered: true,
    state: 'active',
    draining: false,
    gateway: provider.gatewayUri,
    leases: [{ lease: '1', owner: user, dseq: '1' }],
    daemon: { up: true, pid: network.program('only').pid },
    data_plane: { up: true, pid: expect.any(Number) },
  });
  const { leases } = await told<{ leases: Record<string, unknown>[] }>('leases');
  expect(leases).toEqual([
    expect.objectContaining({
      lease: '1',
      state: 'active',
      work: 'running',
      revision: '1',
      infrastructure: 'main',
      endpoints: [endpoint],
      services: [{ service: 'simple_backend', kind: 'function', instances: [] }],
      funded_to: expect.stringMatching(/^[1-9]\d*$/),
    }),
  ]);
  const inventory = await told<{ lines: Record<string, string>[]; leases: number; differences: string[] }>('inventory');
  expect(inventory).toMatchObject({ leases: 1, differences: [] });
  expect(inventory.lines[0]).toMatchObject({ kind: 'cpu', leased: '100' });
  const texts = await Promise.all(['status', 'leases', 'inventory'].map((name) => must(command(name, '-o', 'text'))));
  expect(texts.map(({ stdout }) => stdout.split('\n').length > 2)).toEqual([true, true, true]);
  expect(texts[1]?.stdout).toContain(endpoint);
});

test('figures, health and readiness are served where the config says', async () => {
  const samples = async (): Promise<string> => (await fetch(`${metrics}/metrics`)).text();
  expect(await samples()).toContain('mu_provider_leases{state="active",work="running"} 1');
  await eventually('a request that is counted, and a bid that was won', async () => {
    const text = await samples();
    const counts = /mu_provider_gateway_requests_total\{lease="1"\} [1-9]/.test(text);
    return counts && text.includes('mu_provider_bids_total{outcome="won"} 1') ? true : undefined;
  });
  const [health, ready] = await Promise.all([fetch(`${metrics}/health`), fetch(`${metrics}/ready`)]);
  expect([health.status, ready.status]).toEqual([200, 200]);
});

test('the doctor finds nothing that fails; where the chain is another one he says so, and ends with 1', async () => {
  const { stdout, code } = await command('doctor');
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { name: string; result: string }[] };
  const wrong = findings.filter(({ result }) => result === 'fail');
  expect({ code, ok, wrong }).toEqual({ code: 0, ok: true, wrong: [] });
  expect(findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['config', 'keys', 'chain', 'proofs', 'clock', 'registration', 'daemon', 'host_uri']),
  );
  const other = await command('--chain-id', 'other', 'doctor', '-o', 'text');
  expect(other.code).toBe(1);
  expect(other.stdout).toMatch(/^FAIL {2}chain .*no node|FAIL {2}chain .*other/m);
});

test('a second daemon on the same folder is refused', async () => {
  const { code, stderr } = await command('start');
  expect(code).toBe(1);
  expect(stderr).toContain(`process ${network.program('only').pid}`);
});

test('a provider that drains takes no new order and keeps its lease', async () => {
  expect(await told('drain')).toMatchObject({ draining: true, daemon: true, leases: [{ lease: '1' }] });
  expect(await told('drain', '--off')).toMatchObject({ draining: false });
  expect(await told('drain')).toMatchObject({ draining: true });
  const stack = writeChosenStack(network.path('second'), provider.owner, 100);
  // It waits for a lease that does not come; it ends with the network.
  network.startMucli('second', ['tx', 'deployment', 'create', stack, '--yes', '--output', 'json']);
  const order = await eventually('an order', async () => {
    const { orders } = await client.market.orders({ owner: user, dseq: 2n });
    return orders[0];
  });
  await network.untilHeight((await client.height()) + 5);
  const { fulfillments } = await client.market.fulfillments({ order: order.id! });
  expect(fulfillments).toEqual([]);
  expect((await login()).status).toBe(200);
});

test('it leaves the market only when told so for good, and serves until its notice is over', async () => {
  const asked = await command('withdraw');
  expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining('nothing was done: say --yes')]);
  const first = await told('withdraw', '--yes');
  expect(first).toMatchObject({ left: false, did: ['announce-leave'] });
  expect((await login()).status).toBe(200);
  const done = await told('withdraw', '--yes', '--wait');
  expect(done).toMatchObject({ left: true, did: ['close-leases', 'deregister'] });
  expect((await client.provider.provider({ owner: provider.owner })).provider?.state).toBe(
    ProviderState.PROVIDER_STATE_LEAVING,
  );
  const lease = (await client.market.lease({ number: 1n })).lease;
  expect(lease).toMatchObject({ state: LeaseState.LEASE_STATE_CLOSED });
  expect(await told('withdraw', '--yes')).toMatchObject({ left: true, did: [] });
});
