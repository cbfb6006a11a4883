import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { describeWithDocker } from '../../provider-daemon/test/support/docker.ts';
import { makeImage, writeDockerArchive } from '../../provider-daemon/test/support/images.ts';
import { must, Network } from '../src/network.ts';
import { eventually, type Finished, runCommand } from '../src/process.ts';

jest.setTimeout(120_000);

const bin = join(import.meta.dirname, '..', '..', 'cli', 'bin', 'mucli');

/** One web server, room for two of it. */
const stackText = (provider: string): string => `name: Web
version: 0.1
services:
  - type: Workload
    name: web
    container: manifest:web.tar
    compute: { cpu: 50m, memory: 16MiB }
    count: 1
    connections: [{ name: http, port: 8080, protocol: http, scope: global }]
    files: [{ source: assets/words.txt, path: /www/words.txt }]
    health: { path: /health, port: 8080, interval: 1s }
infrastructure:
  - name: main
    region: local
    provider: ${provider}
    resources: [{ compute: { cpu: 100m, memory: 32MiB, disk: 0 }, price: 50, collateral: 4000, count: 1 }]
`;

interface Status {
  readonly leases: readonly {
    readonly lease: { readonly number: string };
    readonly answer: { readonly services: readonly { readonly instances: readonly { readonly state: string }[] }[] };
  }[];
}

describeWithDocker('a tenant and his containers', () => {
  let network: Network;
  let stack: string;
  let endpoint: string;

  beforeAll(async () => {
    network = new Network({
      folder: mkdtempSync(join(tmpdir(), 'mu-tenant-c-')),
      chainId: `mu-tenant-c-${randomBytes(3).toString('hex')}`,
      blockIntervalMs: 300,
    });
    await network.initChain();
    const user = await network.initUser();
    const settings = { '--offer-services': 'mu-gateway,mu-workload' };
    const provider = await network.initProvider({ name: 'only', price: { cpu: '0.05', memoryMib: '0.01' }, settings });
    for (const address of [user, provider.owner, provider.operator]) await network.addAccount(address);
    await network.startChain();
    await network.untilHeight(1);
    await network.registerProvider(provider);
    await network.startProvider(provider);
    mkdirSync(network.path('stack', 'assets'), { recursive: true });
    writeFileSync(network.path('stack', 'assets', 'words.txt'), 'beside the stack file\n');
    stack = network.path('stack', 'stack.yaml');
    writeFileSync(stack, stackText(provider.owner));
    const Cmd = ['httpd', '-f', '-vv', '-p', '8080', '-h', '/www'];
    const image = await makeImage({ files: { 'www/health': 'ok\n' }, config: { Cmd, User: '1000' } });
    await writeDockerArchive(image, network.path('stack', 'web.tar'));
    const created = await must(network.mucli(['tx', 'deployment', 'create', stack, '--yes', '--output', 'json']));
    endpoint = (JSON.parse(created.stdout) as { endpoints: { endpoint: string }[] }).endpoints[0]?.endpoint ?? '';
  });
  afterAll(() => network?.stop());

  const mucli = (...args: string[]): Promise<Finished> => network.mucli(['deployment', ...args]);
  const health = async (): Promise<string> => (await fetch(`${endpoint}/health`)).text();

  /** How the instances stand, by the number of the lease. */
  async function instances(): Promise<Record<string, string[]>> {
    const { stdout } = await must(mucli('status', '1', '--output', 'json'));
    const { leases } = JSON.parse(stdout) as Status;
    return Object.fromEntries(
      leases.map(({ lease, answer }) => [
        lease.number,
        answer.services.flatMap((service) => service.instances.map(({ state }) => state)),
      ]),
    );
  }

  /** A command with something on its standard input. */
  async function execWith(input: string, ...command: string[]): Promise<{ code: number | null; stdout: string }> {
    const args = ['deployment', 'exec', '1', '--service', 'web', '-i', '--', ...command];
    const child = spawn(bin, args, {
      env: { ...process.env, ...network.userEnv() },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stdin.end(input);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, stdout };
  }

  test('status, metrics and logs show a container', async () => {
    expect(await health()).toBe('ok\n');
    expect(await instances()).toEqual({ '1': ['ready'] });
    const { stdout } = await must(mucli('metrics', '1', '--output', 'json'));
    const [lease] = (JSON.parse(stdout) as { leases: { services: { instances: Record<string, string>[] }[] }[] })
      .leases;
    expect(lease?.services).toMatchObject([{ service: 'web', cpu_limit_millis: 50, memory_limit_bytes: '16777216' }]);
    expect(Number(lease?.services[0]?.instances[0]?.['memory_bytes'])).toBeGreaterThan(0);
    const written = await eventually('what the server wrote', async () => {
      const logs = await must(mucli('logs', '1', '--since', '10m', '--service', 'web', '--stream', 'stderr'));
      return logs.stdout.includes('/health') ? logs.stdout : undefined;
    });
    expect(written).toMatch(/ {2}web {2}stderr {2}\[.*url:\/health/);
  });

  test('a file beside the stack file is served by it, and cannot be written', async () => {
    expect(await (await fetch(`${endpoint}/words.txt`)).text()).toBe('beside the stack file\n');
    const written = await mucli('exec', '1', '--', 'sh', '-c', 'echo x > /www/words.txt');
    expect([written.code, written.stderr]).toEqual([1, expect.stringContaining('Read-only file system')]);
  });

  test('commands run in it with their input, output and exit code', async () => {
    const failed = await mucli('exec', '1', '--', 'sh', '-c', 'echo out; echo "in trouble" >&2; exit 5');
    expect(failed).toEqual({ code: 5, stdout: 'out\n', stderr: expect.stringContaining('in trouble\n') });
    expect(await execWith('one\ntwo\n', 'wc', '-l')).toEqual({ code: 0, stdout: expect.stringMatching(/^\s*2\s*$/) });
    // A terminal on this side, of a size that the one on the other side takes over a moment after it is there.
    const inside =
      'i=0; until [ "$(stty size 2> /dev/null)" = "30 100" ] || [ $i = 300 ]; do i=$((i+1)); done; tty; stty size; exit 7';
    const shell = `stty cols 100 rows 30; ${bin} deployment exec 1 -it -- sh -c '${inside}'`;
    const terminal = await runCommand('script', ['-qec', shell, '/dev/null'], { env: network.userEnv() });
    expect([terminal.code, terminal.stdout]).toEqual([7, expect.stringMatching(/\/dev\/pts\/\d+\s+30 100/)]);
    const [missing, wrong] = await Promise.all([
      mucli('exec', '1', '--service', 'web', '--', 'no-such-command'),
      mucli('exec', '1', '--service', 'web', '--instance', '4', '--', 'true'),
    ]);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('no-such-command')]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('instance 4 does not run')]);
  });

  test('it is scaled in place where there is room, and more is bought where there is none', async () => {
    await must(mucli('scale', '1', 'web=2', '--yes'));
    expect(await instances()).toEqual({ '1': ['ready', 'ready'] });
    const more = await must(mucli('scale', '1', 'web=3', '--yes'));
    expect(more.stderr).toContain('is ordered anew');
    expect(
      await eventually('one lease with three instances', async () => {
        const found = await instances();
        return Object.keys(found).length === 1 ? found : undefined;
      }),
    ).toEqual({ '2': ['ready', 'ready', 'ready'] });
    expect(await health()).toBe('ok\n');
  });

  test('an update that does not come up is rolled back: mucli says why and fails, what ran runs on', async () => {
    const text = readFileSync(stack, 'utf8')
      .replace('count: 1\n', 'count: 3\n    command: [sh, -c, exit 3]\n')
      .replace('count: 1 }]\n', 'count: 2 }]\n');
    writeFileSync(stack, text);
    const updated = await network.mucli(['tx', 'deployment', 'update', stack, '--yes']);
    expect(updated.code).toBe(1);
    expect(updated.stderr).toMatch(/revision 4 did not come up and was rolled back/);
    expect(await health()).toBe('ok\n');
    const events = await must(mucli('events', '1'));
    expect(events.stdout).toContain('image-pulled  image images/web.tar, service web');
    expect(events.stdout).toContain('rolled-back  revision 4, to 3');
    // It is tried a few times more; between two of them, and after the last, the status says how it stands.
    await eventually('a status that says so', async () => {
      const { stdout } = await must(mucli('status', '1'));
      return stdout.includes('revision 4 was rolled back, the one before runs on') ? true : undefined;
    });
  });
});
