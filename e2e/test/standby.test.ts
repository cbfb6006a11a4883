/**
 * Stacks with standbys: their holder goes while the user is away, and the standby takes over; where it has no room for that, it
 * hands the manifest on to a third provider that has.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { answering, viewDeployment } from '@mu/client/deployment/follow';
import type { Lease } from '@mu/proto/market';
import { must, Network, type NetworkProvider } from '../src/network.ts';
import { manifestFrom } from '../src/photon.ts';
import { eventually } from '../src/process.ts';
import { writePersistentStack } from '../src/stacks.ts';

jest.setTimeout(240_000);

let network: Network;
let client: ChainClient;
let user: string;
let cheap: NetworkProvider;
let dear: NetworkProvider;
/** Comes when nobody else has room. */
let late: NetworkProvider;
let dseq: string;
let endpoint: string;
/** The deployment that has no room where it stands by. */
let large: string;

/** Thousandths of a core: what the dear one has, and what the large deployment takes. */
const [dearCpu, largeCpu] = [400, 500];

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-standby-')),
    chainId: `mu-standby-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 300,
    genesis(appState) {
      Object.assign(appState['market']?.['params'] as object, {
        confirmation_blocks: '40',
        reconfirmation_blocks: '40',
        // However busy the machine is, nobody gives up what it has not got to run yet.
        manifest_timeout_blocks: '1000',
        young_lease_blocks: '0',
      });
    },
  });
  await network.initChain();
  user = await network.initUser();
  [cheap, dear, late] = await Promise.all([
    network.initProvider({ name: 'cheap', price: { cpu: '0.05', memoryMib: '0.01' } }),
    network.initProvider({
      name: 'dear',
      price: { cpu: '0.06', memoryMib: '0.012' },
      settings: { '--capacity-cpu': String(dearCpu) },
    }),
    network.initProvider({ name: 'late', price: { cpu: '0.07', memoryMib: '0.014' } }),
  ]);
  for (const { owner, operator } of [dear, late])
    for (const address of [owner, operator]) await network.addAccount(address);
  await network.startWith(user, [cheap]);
  // They begin when they are to bid: of several the fastest one would win, where the machine is busy.
  await Promise.all([dear, late].map((provider) => network.registerProvider(provider)));
  client = await network.client();
});

afterAll(async () => {
  client?.disconnect();
  await network?.stop();
});

const json = async <T>(...args: string[]): Promise<T> =>
  JSON.parse((await must(network.mucli([...args, '--output', 'json']))).stdout) as T;

/** Live leases of a deployment that are confirmed as running, by the name of their infrastructure. */
async function running(of: string): Promise<ReadonlyMap<string, Lease>> {
  const view = await viewDeployment(client, user, BigInt(of));
  const nameOf = ({ order }: Lease): string =>
    view.orders.find(({ id }) => id?.infrastructure === order?.infrastructure)?.spec?.name ?? '';
  return new Map(answering(view).map((lease) => [nameOf(lease), lease]));
}

/** Waits until a deployment and its one standby run. */
function bothRun(of: string): Promise<ReadonlyMap<string, Lease>> {
  return eventually('the standby', async () => {
    const found = await running(of);
    return found.size === 2 ? found : undefined;
  });
}

/** Waits until a provider has the lease of a deployment's infrastructure. */
function mainAt({ owner, name }: NetworkProvider, of: string): Promise<Lease> {
  return eventually(
    `a new lease at ${name}`,
    async () => {
      const main = (await running(of)).get('main');
      return main?.provider === owner ? main : undefined;
    },
    120_000,
  );
}

async function login(at: string): Promise<string> {
  const answer = await fetch(`${at}/login`, { method: 'POST', body: JSON.stringify({ name: 'Ada' }) });
  return answer.text();
}

test('one serves, another that comes stands by, and both say that they run; nobody waits for a standby', async () => {
  const stack = writePersistentStack(network.path('stack'));
  const text = readFileSync(stack, 'utf8').replace('persist: true', 'persist: true\n    share: all\n    standby: 2');
  writeFileSync(stack, text.replace('runtime: wasi1.0 }', 'runtime: wasi1.0, env: { TOKEN: secret } }'));
  const created = await json<{ dseq: string; endpoints: { infrastructure: string; endpoint: string }[] }>(
    ...['tx', 'deployment', 'create', stack, '--yes'],
  );
  ({ dseq } = created);
  // A standby answers nowhere.
  expect(created.endpoints.map(({ infrastructure }) => infrastructure)).toEqual(['main']);
  endpoint = created.endpoints[0]?.endpoint ?? '';
  expect(await login(endpoint)).toContain('Hello, Ada!');
  await network.startProvider(dear);
  expect([...(await bothRun(dseq))].map(([name, { provider }]) => [name, provider]).sort()).toEqual([
    ['main', cheap.owner],
    ['main-standby-1', dear.owner],
  ]);
});

test('an infrastructure that nobody bids for is named when the time is over, though another one has a lease', async () => {
  const stack = writePersistentStack(network.path('unwanted'));
  const text = readFileSync(stack, 'utf8').replace('name: Persistent', 'name: Unwanted');
  const [, infrastructure = ''] = text.split('infrastructure:\n');
  const second = infrastructure
    .replace('- name: main', '- name: unwanted')
    .replace('persist: true', `provider: ${user}`);
  writeFileSync(stack, `${text}${second}`);
  const failed = await network.mucli(['tx', 'deployment', 'create', stack, '--yes', '--timeout', '25']);
  expect(failed.code).toBe(3);
  expect(failed.stderr).toMatch(/no bid in 25 blocks\nunwanted: .*\nthe others have leases and go on/);
  expect(failed.stderr).not.toContain('main: 2 providers');
});

test('one stands by for what it has no room to serve', async () => {
  const stack = writePersistentStack(network.path('large'));
  const text = readFileSync(stack, 'utf8')
    .replace('name: Persistent', 'name: Large')
    .replace('cpu: 100m', `cpu: ${largeCpu}m`)
    .replace('persist: true', 'persist: true\n    share: all\n    standby: 1')
    .replace('runtime: wasi1.0 }', 'runtime: wasi1.0, env: { TOKEN: secret } }');
  writeFileSync(stack, text);
  ({ dseq: large } = await json<{ dseq: string }>('tx', 'deployment', 'create', stack, '--yes'));
  const now = await bothRun(large);
  expect([now.get('main')?.provider, now.get('main-standby-1')?.provider]).toEqual([cheap.owner, dear.owner]);
});

test('its holder is gone: the standby takes over without the user, who is told which secrets to change', async () => {
  await network.program('cheap').kill();
  const lease = await mainAt(dear, dseq);
  endpoint = lease.endpoints[0] ?? '';
  expect(await login(endpoint)).toContain('Hello, Ada!');
  const status = await json<{ rotate: { infrastructure: string; provider: string }[] }>('deployment', 'status', dseq);
  expect(status.rotate).toEqual([
    { infrastructure: 'main', provider: cheap.owner, height: expect.stringMatching(/^\d+$/) },
  ]);
});

test('where it has no room, a third provider takes over, with manifest and secrets from the standby', async () => {
  await network.startProvider(late);
  const lease = await mainAt(late, large);
  expect(await login(lease.endpoints[0] ?? '')).toContain('Hello, Ada!');
  expect(await manifestFrom(network, BigInt(large), lease.number)).toEqual([dear.owner]);
  expect((await running(large)).get('main-standby-1')?.provider).toBe(dear.owner);
});
