import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { must, Network, type NetworkProvider } from '../src/network.ts';
import { eventually, type Finished } from '../src/process.ts';
import { writeChosenStack } from '../src/stacks.ts';

jest.setTimeout(120_000);

const bin = join(import.meta.dirname, '..', '..', 'cli', 'bin', 'mucli');

let network: Network;
let provider: NetworkProvider;
let user: string;
let stranger: string;
/** Where the functions answer. */
let endpoint: string;

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-tenant-')),
    chainId: `mu-tenant-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 300,
  });
  await network.initChain();
  user = await network.initUser();
  const added = await must(network.mucli(['keys', 'add', 'stranger', '--output', 'json']));
  stranger = (JSON.parse(added.stdout) as { address: string }).address;
  provider = await network.initProvider({
    name: 'only',
    price: { cpu: '0.05', memoryMib: '0.01' },
    // Long enough for what is used to be seen before it is reported.
    settings: { '--usage-report-every-blocks': '60' },
  });
  for (const address of [user, stranger, provider.owner, provider.operator]) await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  await network.registerProvider(provider);
  await network.startProvider(provider);
  const stack = writeChosenStack(network.path('stack'), provider.owner, 100);
  const created = await mucli('tx', 'deployment', 'create', stack, '--yes');
  endpoint = (created[0] as { endpoints: { endpoint: string }[] }).endpoints[0]?.endpoint ?? '';
});

afterAll(() => network?.stop());

/** The lines that the user's mucli answers, as JSON. */
async function mucli(...args: string[]): Promise<Record<string, unknown>[]> {
  const { stdout } = await must(network.mucli([...args, '--key', 'user', '--output', 'json']));
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const login = async (name: string): Promise<number> =>
  (await fetch(`${endpoint}/login`, { method: 'POST', body: JSON.stringify({ name }) })).status;
const requests = (lines: readonly Record<string, unknown>[]): unknown[] =>
  lines.filter(({ stream }) => stream === 'request').map(({ line }) => line);

/** A mucli that goes on until it is stopped. */
function follow(...args: string[]): { readonly lines: string[]; stop(): void } {
  const env = { ...process.env, ...network.userEnv() };
  const child = spawn(bin, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return { lines, stop: () => void child.kill('SIGKILL') };
}

test('status tells the services of a deployment and where it answers', async () => {
  const [status] = (await mucli('deployment', 'status', '1')) as [Record<string, unknown>];
  expect(status).toMatchObject({ dseq: '1', name: 'Persistent', state: 'active', open: [] });
  expect(status['leases']).toMatchObject([
    {
      infrastructure: 'main',
      answer: {
        work: 'running',
        revision: '1',
        endpoints: [endpoint],
        services: [
          { service: 'simple_backend', kind: 'function', instances: [{ index: 0, state: 'ready', restarts: 0 }] },
          { service: 'main_gw', kind: 'gateway', instances: [] },
        ],
      },
    },
  ]);
  const text = await must(network.mucli(['deployment', 'status', '1', '--key', 'user']));
  expect(text.stdout).toContain(`answers at ${endpoint}`);
});

test('logs are told from a time on, and are still there when the provider has been killed and started again', async () => {
  expect(await login('Ada')).toBe(200);
  const first = await eventually('the request in the log', async () => {
    const lines = await mucli('deployment', 'logs', '1', '--since', '5m', '--stream', 'request');
    return lines.length === 1 ? lines : undefined;
  });
  expect(requests(first)).toEqual([expect.stringMatching(/^POST \/login 200/)]);
  expect(await mucli('deployment', 'logs', '1', '--since', '2100-01-01T00:00:00Z')).toEqual([]);
  expect(await mucli('deployment', 'logs', '1', '--since', '5m', '--service', 'nobody')).toEqual([]);

  const follower = follow('deployment', 'logs', '1', '-f', '--tail', '10', '--stream', 'request', '--key', 'user');
  await eventually('the first line', () => (follower.lines.length === 1 ? true : undefined));
  await network.program('only').kill();
  await network.startProvider(provider);
  // The data plane went on serving meanwhile, and so does the reader, from where it was.
  expect(await login('Bob')).toBe(200);
  const lines = await eventually('the second line', () => (follower.lines.length > 1 ? follower.lines : undefined));
  follower.stop();
  expect(lines).toEqual([expect.stringContaining('POST /login 200'), expect.stringContaining('POST /login 200')]);
  expect(new Set(lines).size).toBe(2);
});

test('events tell the life of a lease in order, with numbers that go on over a restart', async () => {
  const all = await mucli('deployment', 'events', '1');
  const types = all.map(({ type }) => type);
  expect(types.slice(0, 3).sort()).toEqual(['confirmed', 'manifest-received', 'started']);
  expect(types.indexOf('manifest-received')).toBeLessThan(types.indexOf('started'));
  expect(types.filter((type) => type === 'started')).toHaveLength(2);
  const numbers = all.map(({ seq }) => Number(seq));
  expect(numbers).toEqual(numbers.map((_one, at) => at + 1));
  expect(
    await eventually('a report', async () => {
      const reported = (await mucli('deployment', 'events', '1')).find(({ type }) => type === 'usage-reported');
      return reported;
    }),
  ).toMatchObject({ sequence: '1', log_root: expect.stringMatching(/^[0-9a-f]{64}$/) });
});

test('a function has no shell; metrics tell its use; a service that cannot be scaled is refused', async () => {
  const shell = await network.mucli([
    'deployment',
    'exec',
    '1',
    '--service',
    'simple_backend',
    '--key',
    'user',
    '--',
    'sh',
  ]);
  expect([shell.code, shell.stderr]).toEqual([1, expect.stringContaining('simple_backend is a function')]);
  const used = await eventually('what was used', async () => {
    expect(await login('Eve')).toBe(200);
    const [metrics] = (await mucli('deployment', 'metrics', '1')) as {
      leases: { unreported: { metric: string }[] }[];
    }[];
    const unreported = metrics?.leases[0]?.unreported ?? [];
    return unreported.some(({ metric }) => metric === 'gateway-requests') ? unreported : undefined;
  });
  expect(used.map(({ metric }) => metric)).toContain('gateway-requests');
  const scaled = await network.mucli(['deployment', 'scale', '1', 'simple_backend=2', '--yes', '--key', 'user']);
  expect([scaled.code, scaled.stderr]).toEqual([2, expect.stringContaining('only Workloads can')]);
});

test('a second tenant reads nothing of it, by whatever path', async () => {
  // By a key of his own that the deployment does not name: mucli itself would not even try with another account.
  const file = network.path('stranger.pem');
  await must(network.mucli(['keys', 'access', file]));
  const ask = (...args: string[]): Promise<Finished> =>
    network.mucli([
      'deployment',
      '--access-key',
      file,
      '--output',
      'json',
      args[0] ?? '',
      '--owner',
      user,
      ...args.slice(1),
    ]);
  const paths = [
    ['logs', '1'],
    ['events', '1'],
    ['metrics', '1'],
    ['exec', '1', '--service', 'simple_backend', '--', 'sh'],
  ];
  for (const { code, stdout, stderr } of await Promise.all(paths.map((path) => ask(...path)))) {
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('not signed by');
  }
  // What everybody sees on the chain he sees; of what runs he learns nothing.
  const status = await ask('status', '1');
  expect((JSON.parse(status.stdout) as { leases: { answer?: unknown }[] }).leases[0]?.answer).toBeUndefined();
  expect(status.stdout).not.toContain('simple_backend');
  const other = await network.mucli(['logs', '1', '--key', 'stranger']);
  expect([other.code, other.stderr]).toEqual([1, expect.stringContaining(`is of ${user}, the key that signs is of`)]);
});

test('an access key that the deployment names reads its log, and nothing beyond its scopes', async () => {
  const file = network.path('ci.pem');
  const made = await must(network.mucli(['keys', 'access', file, '--output', 'json']));
  const { access_key: key } = JSON.parse(made.stdout) as { access_key: { scopes: string[] } };
  const keys = JSON.stringify([{ ...key, scopes: ['logs'] }]);
  const byKey = (...args: string[]) =>
    network.mucli([...args, '--owner', user, '--access-key', file, '--output', 'json']);
  const before = await byKey('deployment', 'logs', '1', '--tail', '1');
  expect([before.code, before.stderr]).toEqual([1, expect.stringContaining('not signed by')]);
  await mucli('tx', 'deployment', 'update-deployment', '--dseq', '1', '--access-keys', keys);
  const after = await eventually('the key to hold', async () => {
    const asked = await byKey('deployment', 'logs', '1', '--tail', '1');
    return asked.code === 0 ? asked : undefined;
  });
  expect(JSON.parse(after.stdout)).toMatchObject({ service: expect.any(String) });
  const events = await byKey('deployment', 'events', '1');
  expect([events.code, events.stderr]).toEqual([1, expect.stringContaining('the access key may logs, not read')]);
});
