import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
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
  const { stdout } = await must(network.mucli(['tx', 'deployment', 'create', stack, '--yes', '--output', 'json']));
  const created = JSON.parse(stdout) as { endpoints: { lease: string; endpoint: string; provider: string }[] };
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

test('a provider that stays away loses the lease; the other one wins the new order and serves the delivered manifest', async () => {
  const before = await client.balance(user, 'umu');
  const { collateral } = await leaseOf(first);
  await network.program('cheap').kill();
  const broken = await eventually('the broken lease', async () => {
    const lease = await leaseOf(first);
    return lease.state === LeaseState.LEASE_STATE_BROKEN ? lease : undefined;
  });
  expect(broken.closedHeight).toBeGreaterThan(0n);
  expect((await client.balance(user, 'umu')) - before).toBe(BigInt(collateral));
  const second = await eventually('a lease of the second round', async () => {
    const { leases } = await viewDeployment(client, user, 1n);
    return leases.find(({ number, state }) => number !== first && state === LeaseState.LEASE_STATE_ACTIVE);
  });
  expect(second.provider).toBe(providers[0]?.owner);
  expect(second.order?.round).toBe(2);
  const sent = await must(network.mucli(['deployment', 'send-manifest', '1', '--output', 'json']));
  expect(JSON.parse(sent.stdout)).toMatchObject({ delivered_to: [providers[0]?.owner] });
  const served = await eventually(
    'the second address',
    async () => answering(await viewDeployment(client, user, 1n))[0],
  );
  expect(await login(served.endpoints[0] as string, 'Eve')).toContain('Hello, Eve!');
});
