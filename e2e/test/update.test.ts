import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { CloseReason, type Lease, LeaseState } from '@mu/proto/market';
import { must, Network, type NetworkProvider } from '../src/network.ts';
import { eventually } from '../src/process.ts';
import { writeChosenStack } from '../src/stacks.ts';

jest.setTimeout(120_000);

let network: Network;
let client: ChainClient;
let user: string;
let provider: NetworkProvider;

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-update-')),
    chainId: `mu-update-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 300,
  });
  await network.initChain();
  user = await network.initUser();
  provider = await network.initProvider({ name: 'only', price: { cpu: '0.05', memoryMib: '0.01' } });
  for (const address of [user, provider.owner, provider.operator]) await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  client = await network.client();
  await network.registerProvider(provider);
  await network.startProvider(provider);
});

afterAll(async () => {
  client?.disconnect();
  await network?.stop();
});

interface Answer {
  readonly endpoints: readonly { readonly lease: string; readonly endpoint: string }[];
}

const login = async (endpoint: string, name: string): Promise<string> => {
  const answer = await fetch(`${endpoint}/login`, { method: 'POST', body: JSON.stringify({ name }) });
  return answer.status === 200 ? answer.text() : `${answer.status}`;
};
const mucli = async (...args: string[]): Promise<Answer> =>
  JSON.parse((await must(network.mucli(['tx', 'deployment', ...args, '--yes', '--output', 'json']))).stdout) as Answer;
const leaseOf = async (number: bigint): Promise<Lease> => (await client.market.lease({ number })).lease as Lease;

let endpoint: string;

test('a manifest that is sealed on the chain is opened by the chosen provider, and leaves the chain', async () => {
  const stack = writeChosenStack(network.path('stack'), provider.owner, 100);
  const { endpoints } = await mucli('create', stack, '--seal');
  endpoint = endpoints[0]?.endpoint ?? '';
  expect(await login(endpoint, 'Ada')).toContain('Hello, Ada!');
  const deployment = await eventually('a deployment without the sealed manifest', async () => {
    const found = (await client.deployment.deployment({ owner: user, dseq: 1n })).deployment;
    return found?.sealedManifest === undefined ? found : undefined;
  });
  expect(deployment.revision).toBe(1n);
});

test('an update of the resources replaces the lease, and the address answers before, during and after', async () => {
  const stack = writeChosenStack(network.path('stack'), provider.owner, 200);
  const updating = mucli('update', stack);
  let refused = 0;
  const done = updating.finally(() => undefined);
  let asking = true;
  const asked = (async () => {
    while (asking) if (!(await login(endpoint, 'Bob')).includes('Hello, Bob!')) refused += 1;
  })();
  await done;
  const old = await eventually('the end of the old lease', async () => {
    const lease = await leaseOf(1n);
    return lease.state === LeaseState.LEASE_STATE_CLOSED ? lease : undefined;
  });
  asking = false;
  await asked;
  expect(refused).toBe(0);
  expect(old.closeReason).toBe(CloseReason.CLOSE_REASON_DEPLOYMENT_UPDATED);
  const next = await leaseOf(2n);
  expect(next).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE, replaces: 0n, provider: provider.owner });
  expect(next.resources[0]?.compute?.cpu).toBe(200);
  expect(await login(endpoint, 'Eve')).toContain('Hello, Eve!');
});

test('an update that says another thing can be sealed too, and runs without a delivery', async () => {
  const stack = writeChosenStack(network.path('stack'), provider.owner, 200);
  writeFileSync(stack, readFileSync(stack, 'utf8').replace('runtime: wasi1.0 }', 'runtime: wasi1.0, env: { A: b } }'));
  await mucli('update', stack, '--seal');
  expect(await leaseOf(2n)).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE, manifestRevision: 2n });
  expect(await login(endpoint, 'Kim')).toContain('Hello, Kim!');
});
