import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { answering, viewDeployment } from '@mu/client/deployment/follow';
import { BillLineKind } from '@mu/proto/billing';
import { type Lease, LeaseState } from '@mu/proto/market';
import { must, Network, type NetworkProvider } from '../src/network.ts';
import { eventually } from '../src/process.ts';
import { writePersistentStack } from '../src/stacks.ts';

jest.setTimeout(120_000);

/** A lease is lost when it is not confirmed for so long. */
const reconfirmationBlocks = '20';

let network: Network;
let client: ChainClient;
let user: string;
let providers: NetworkProvider[];

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-faults-')),
    chainId: `mu-faults-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 300,
    genesis(appState) {
      const params = appState['market']?.['params'] as Record<string, unknown>;
      Object.assign(params, {
        confirmation_blocks: reconfirmationBlocks,
        reconfirmation_blocks: reconfirmationBlocks,
        young_lease_blocks: '0',
      });
    },
  });
  await network.initChain();
  user = await network.initUser();
  providers = await Promise.all([
    network.initProvider({ name: 'dear', price: { cpu: '0.06', memoryMib: '0.012' } }),
    network.initProvider({ name: 'cheap', price: { cpu: '0.05', memoryMib: '0.01' } }),
  ]);
  for (const address of [user, ...providers.flatMap(({ owner, operator }) => [owner, operator])])
    await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  client = await network.client();
  await Promise.all(providers.map((provider) => network.registerProvider(provider)));
  await Promise.all(providers.map((provider) => network.startProvider(provider)));
});

afterAll(async () => {
  client?.disconnect();
  await network?.stop();
});

const login = async (endpoint: string, name: string): Promise<string> => {
  const answer = await fetch(`${endpoint}/login`, { method: 'POST', body: JSON.stringify({ name }) });
  return answer.status === 200 ? answer.text() : `${answer.status}`;
};

const leaseOf = async (number: bigint): Promise<Lease> => (await client.market.lease({ number })).lease as Lease;

let endpoint: string;
let first: bigint;

test('a deployment is served by the cheaper provider', async () => {
  const stack = writePersistentStack(network.path('stack'));
  const watcher = network.startMucli('watcher', [
    'tx',
    'deployment',
    'create',
    stack,
    '--yes',
    '--watch',
    '--output',
    'json',
  ]);
  const created = (await watcher.ready) as { endpoints: { lease: string; endpoint: string; provider: string }[] };
  const [served] = created.endpoints;
  expect(served?.provider).toBe(providers[1]?.owner);
  endpoint = served?.endpoint as string;
  first = BigInt(served?.lease as string);
  expect(await login(endpoint, 'Ada')).toContain('Hello, Ada!');
});

test('killed and started again, it answers at the same address without the user doing anything', async () => {
  const [, cheap] = providers as [NetworkProvider, NetworkProvider];
  await eventually('a first usage report', async () =>
    (await client.billing.usage({ lease: first })).records.length > 0 ? true : undefined,
  );
  await network.program('cheap').kill();
  await network.startProvider(cheap);
  await eventually('the function at its old address', async () =>
    (await login(endpoint, 'Bob').catch(() => '')).includes('Hello, Bob!') ? true : undefined,
  );
  expect((await leaseOf(first)).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
  const { records } = await client.billing.usage({ lease: first });
  const sequence = records[0]?.sequence ?? 0n;
  await eventually('a usage report of the new process', async () => {
    const now = (await client.billing.usage({ lease: first })).records[0];
    return (now?.sequence ?? 0n) > sequence ? true : undefined;
  });
  const { lines } = await client.billing.bill({ lease: first });
  const reports = lines.filter(({ kind }) => kind === BillLineKind.BILL_LINE_KIND_USAGE);
  for (const [at, report] of reports.entries()) {
    expect(report.sequence).toBe(BigInt(at + 1));
    if (at > 0) expect(report.fromHeight).toBe((reports[at - 1]?.toHeight ?? 0n) + 1n);
  }
  const invocations = reports.flatMap(({ items }) => items).filter(({ metric }) => metric === 'function-invocations');
  // Ada and Bob: once each, or lost with the last second before the kill, never twice.
  expect(invocations.reduce((sum, { quantity }) => sum + quantity, 0n)).toBeLessThanOrEqual(2n);
});

/** The live lease of a round, once its provider holds it. */
const leaseOfRound = (round: number): Promise<Lease> =>
  eventually(`a lease of round ${round}`, async () => {
    const { leases } = await viewDeployment(client, user, 1n);
    return leases.find(({ order, state }) => order?.round === round && state === LeaseState.LEASE_STATE_ACTIVE);
  });

/** The address of a lease, once it answers. */
const addressOf = (number: bigint): Promise<string> =>
  eventually(
    'an address',
    async () =>
      answering(await viewDeployment(client, user, 1n)).find((lease) => lease.number === number)?.endpoints[0],
  );

test('a provider that stays away loses the lease; the other one wins the new order, and create --watch delivers to it', async () => {
  const before = await client.balance(user, 'umu');
  const { collateral } = await leaseOf(first);
  await network.program('cheap').kill();
  const broken = await eventually('the broken lease', async () => {
    const lease = await leaseOf(first);
    return lease.state === LeaseState.LEASE_STATE_BROKEN ? lease : undefined;
  });
  expect(broken.closedHeight).toBeGreaterThan(0n);
  expect((await client.balance(user, 'umu')) - before).toBe(BigInt(collateral));
  const second = await leaseOfRound(2);
  expect(second.provider).toBe(providers[0]?.owner);
  expect(await login(await addressOf(second.number), 'Eve')).toContain('Hello, Eve!');
});

test('without anybody who watches, send-manifest delivers to whoever took over', async () => {
  await network.program('watcher').stop();
  await network.program('dear').kill();
  // It still holds the manifest of its first lease and would serve it: a machine that was set up anew does not.
  for (const lost of ['journal', 'manifests']) rmSync(network.path('cheap', 'data', lost), { recursive: true });
  await network.startProvider(providers[1] as NetworkProvider);
  const third = await leaseOfRound(3);
  expect(third.provider).toBe(providers[1]?.owner);
  const sent = await must(network.mucli(['deployment', 'send-manifest', '1', '--output', 'json']));
  expect(JSON.parse(sent.stdout)).toMatchObject({ delivered_to: [providers[1]?.owner] });
  expect(await login(await addressOf(third.number), 'Mallory')).toContain('Hello, Mallory!');
  const again = await must(network.mucli(['deployment', 'send-manifest', '1', '--output', 'json']));
  expect(JSON.parse(again.stdout)).toMatchObject({ delivered_to: [] });
});
