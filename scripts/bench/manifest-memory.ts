/**
 * `npm run bench:manifest-memory`: a user hands a manifest with a large image to one provider, a second one gets it from the
 * first, and `mucli` and each provider's programs have no more memory than a small machine. A whole network of real
 * processes; needs Docker and, for the bound, root.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Network, type NetworkProvider, stopProvider } from '@mu/e2e/network';
import { eventually, Program } from '@mu/e2e/process';
import { Figures } from './figures.ts';
import { Confined, type Peak, watchTree } from './manifest-memory/confined.ts';
import { writeLargeImage } from './manifest-memory/image.ts';

const usage = `npm run bench:manifest-memory [-- OPTIONS]

  --mib N      MiB of the image (1024)
  --limit N    MiB of memory for mucli, and for each provider (512)
  --json       one JSON object a line, the last one sums up
`;

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    limit: { type: 'string', default: '512' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const mib = 2 ** 20;
const root = join(import.meta.dirname, '..', '..');
const base = join(root, 'examples', 'shop', 'build', 'web.tar');
const docker = '/var/run/docker.sock';
const waitMs = 900_000;

/** The one that wins `main` runs the image; the other holds the manifest and runs nothing. */
const stackText = `name: Large
version: 0.1
services:
  - type: Workload
    name: web
    container: manifest:large.tar
    compute: { cpu: 50m, memory: 32MiB }
    connections: [{ name: http, port: 8080, protocol: http, scope: global }]
    health: { path: /health, port: 8080, interval: 1s }
infrastructure:
  - name: main
    region: local
    share: all
    standby: 1
    resources: [{ compute: { cpu: 50m, memory: 32MiB, disk: 16MiB }, price: 50 }]
    usage_limits:
      - { metric: gateway-requests, max_price: 2, max_quantity_per_block: 1000 }
      - { metric: gateway-bytes, max_price: 2, per: 1024, max_quantity_per_block: 10000000 }
`;

/** What has happened, by the programs' logs, in milliseconds of this process. */
class Watched {
  readonly leases = new Map<string, number>();
  handed: { readonly to: string; readonly atMs: number } | undefined;
  taken: { readonly by: string; readonly atMs: number } | undefined;

  readonly log = (program: string, line: string): void => {
    const atMs = performance.now();
    const { msg = '', method, status } = parsed(line);
    if (msg === 'lease') this.leases.set(program, this.leases.get(program) ?? atMs);
    if (msg === 'api request' && method === 'PUT' && status === 200) this.handed ??= { to: program, atMs };
    if (msg.startsWith('took the manifest of ')) this.taken ??= { by: program, atMs };
  };
}

function parsed(line: string): { readonly msg?: string; readonly method?: string; readonly status?: number } {
  try {
    return JSON.parse(line) as ReturnType<typeof parsed>;
  } catch {
    return {};
  }
}

interface Bounded {
  readonly enter: readonly string[];
  peak(): Peak;
  close(): void;
}

/** In a cgroup, or only watched where there is none. */
function bounded(name: string, limit: number, pid: () => number): Bounded {
  try {
    return new Confined(`mu-bench-${process.pid}-${name}`, limit * mib);
  } catch (error) {
    console.error(`${name} is not bounded, only watched: ${(error as Error).message}`);
    return { enter: [], ...watchTree(pid) };
  }
}

type ProviderName = 'first' | 'second';

async function start(network: Network, bounds: Record<ProviderName, Bounded>): Promise<NetworkProvider[]> {
  await network.initChain();
  const user = await network.initUser();
  const providers: NetworkProvider[] = [];
  for (const name of ['first', 'second'] as const) {
    const { enter } = bounds[name];
    const settings = { '--offer-services': 'mu-gateway,mu-workload' };
    const price = { cpu: name === 'first' ? '0.05' : '0.06', memoryMib: '0.01' };
    const place = { address: '127.0.0.1', engine: docker, enter };
    providers.push(await network.initProvider({ name, price, settings, place }));
  }
  for (const address of [user, ...providers.flatMap(({ owner, operator }) => [owner, operator])])
    await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  for (const provider of providers) {
    await network.registerProvider(provider);
    await network.startProvider(provider);
  }
  return providers;
}

interface Result {
  readonly deliverySeconds: number;
  readonly exchangeSeconds: number;
  readonly peaks: Readonly<Record<'mucli' | 'giver' | 'taker', Peak>>;
}

async function run(size: number, limit: number): Promise<Result> {
  const watched = new Watched();
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-memory-'));
  const chainId = `mu-bench-${randomBytes(3).toString('hex')}`;
  const network = new Network({ folder, chainId, blockIntervalMs: 1000, onLog: watched.log });
  let mucli: Program | undefined;
  const bounds = {
    mucli: bounded('mucli', limit, () => mucli?.pid ?? 0),
    first: bounded('first', limit, () => network.program('first').pid),
    second: bounded('second', limit, () => network.program('second').pid),
  };
  let providers: NetworkProvider[] = [];
  try {
    writeFileSync(network.path('stack.yaml'), stackText);
    await writeLargeImage(base, network.path('large.tar'), size);
    providers = await start(network, bounds);
    mucli = createWith(network, bounds.mucli.enter);
    await mucli.ready;
    const taken = await eventually('the second provider has it', async () => watched.taken, waitMs);
    const handed = watched.handed as { to: ProviderName; atMs: number };
    const leaseMs = watched.leases.get(handed.to) ?? handed.atMs;
    return {
      deliverySeconds: (handed.atMs - leaseMs) / 1000,
      exchangeSeconds: (taken.atMs - handed.atMs) / 1000,
      peaks: {
        mucli: bounds.mucli.peak(),
        giver: bounds[handed.to].peak(),
        taker: bounds[taken.by as ProviderName].peak(),
      },
    };
  } finally {
    await mucli?.stop();
    await network.stop({ keepFolder: true });
    for (const { home } of providers) await stopProvider(home);
    for (const one of Object.values(bounds)) one.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function createWith(network: Network, enter: readonly string[]): Program {
  const args = ['tx', 'deployment', 'create', network.path('stack.yaml'), '--detach', '--yes', '--output', 'json'];
  const [command, ...rest] = [...enter, join(root, 'cli', 'bin', 'mucli'), ...args] as [string, ...string[]];
  return new Program({ name: 'mucli', command, args: rest, env: network.userEnv() });
}

async function main(): Promise<void> {
  const [size, limit] = [Number(values.mib), Number(values.limit)];
  if (values.help || ![size, limit].every((one) => Number.isInteger(one) && one > 0)) {
    process.stdout.write(usage);
    process.exitCode = values.help ? 0 : 1;
    return;
  }
  const figures = new Figures(values.json);
  const load = `load before: ${loadavg()[0]?.toFixed(1)}`;
  const { deliverySeconds, exchangeSeconds, peaks } = await run(size, limit);
  const conditions = `an image of ${size} MiB, ${limit} MiB of memory each, ${load}`;
  figures.add('from the lease to all handed over', deliverySeconds, 's', conditions);
  figures.add('from there until the second has it', exchangeSeconds, 's', conditions);
  for (const [who, { largestRss, together, kills }] of Object.entries(peaks)) {
    figures.add(`${who}: largest process, peak RSS`, largestRss / mib, 'MiB', conditions);
    figures.add(`${who}: all its processes, peak`, together / mib, 'MiB', `without the page cache; ${kills} killed`);
  }
  const rss = (peak: Peak): number => Math.round(peak.largestRss / mib);
  const { mucli, giver, taker } = peaks;
  const kills = mucli.kills + giver.kills + taker.kills;
  console.log(
    JSON.stringify({
      ...{ mib: size, limit_mib: limit, delivery_s: deliverySeconds, exchange_s: exchangeSeconds, kills },
      ...{ mucli_rss_mib: rss(mucli), giver_rss_mib: rss(giver), taker_rss_mib: rss(taker) },
    }),
  );
}

await main();
