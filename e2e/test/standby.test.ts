/** A stack with a standby and two providers: the holder goes while the user is away, and the standby takes over. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { answering, viewDeployment } from '@mu/client/deployment/follow';
import type { Lease } from '@mu/proto/market';
import { must, Network, type NetworkProvider } from '../src/network.ts';
import { eventually } from '../src/process.ts';
import { writePersistentStack } from '../src/stacks.ts';

jest.setTimeout(240_000);

let network: Network;
let client: ChainClient;
let user: string;
let cheap: NetworkProvider;
let dear: NetworkProvider;
let dseq: string;
let endpoint: string;

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-standby-')),
    chainId: `mu-standby-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 300,
    genesis(appState) {
      Object.assign(appState['market']?.['params'] as object, {
        confirmation_blocks: '40',
        reconfirmation_blocks: '40',
        young_lease_blocks: '0',
      });
    },
  });
  await network.initChain();
  user = await network.initUser();
  [cheap, dear] = await Promise.all([
    network.initProvider({ name: 'cheap', price: { cpu: '0.05', memoryMib: '0.01' } }),
    network.initProvider({ name: 'dear', price: { cpu: '0.06', memoryMib: '0.012' } }),
  ]);
  await network.startWith(user, [cheap, dear]);
  client = await network.client();
});

afterAll(async () => {
  client?.disconnect();
  await network?.stop();
});

const json = async <T>(...args: string[]): Promise<T> =>
  JSON.parse((await must(network.mucli([...args, '--output', 'json']))).stdout) as T;

/** Live leases that are confirmed as running, by the name of their infrastructure. */
async function running(): Promise<ReadonlyMap<string, Lease>> {
  const view = await viewDeployment(client, user, BigInt(dseq));
  const nameOf = ({ order }: Lease): string =>
    view.orders.find(({ id }) => id?.infrastructure === order?.infrastructure)?.spec?.name ?? '';
  return new Map(answering(view).map((lease) => [nameOf(lease), lease]));
}

async function login(): Promise<string> {
  const answer = await fetch(`${endpoint}/login`, { method: 'POST', body: JSON.stringify({ name: 'Ada' }) });
  return answer.text();
}

test('the cheaper one serves, the other stands by, and both say that they run; nobody waits for a second standby', async () => {
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
  expect(await login()).toContain('Hello, Ada!');
  const now = await eventually('the standby', async () => {
    const found = await running();
    return found.size === 2 ? found : undefined;
  });
  expect([...now].map(([name, { provider }]) => [name, provider]).sort()).toEqual([
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

test('its holder is gone: the standby takes over without the user, who is told which secrets to change', async () => {
  await network.program('cheap').kill();
  const lease = await eventually(
    'a new lease',
    async () => {
      const main = (await running()).get('main');
      return main?.provider === dear.owner ? main : undefined;
    },
    120_000,
  );
  endpoint = lease.endpoints[0] ?? '';
  expect(await login()).toContain('Hello, Ada!');
  const status = await json<{ rotate: { infrastructure: string; provider: string }[] }>('deployment', 'status', dseq);
  expect(status.rotate).toEqual([
    { infrastructure: 'main', provider: cheap.owner, height: expect.stringMatching(/^\d+$/) },
  ]);
});
