/**
 * The Photon sample over three providers in two regions (examples/photon): the world that its demo and its test begin with,
 * and what both look at.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { isLive, viewDeployment } from '@mu/client/deployment/follow';
import { type Lease, ManifestState } from '@mu/proto/market';
import type { Place } from './datacenters.ts';
import { must, type Network, type NetworkOptions, type NetworkProvider } from './network.ts';
import { eventually } from './process.ts';

const example = join(import.meta.dirname, '..', '..', 'examples', 'photon');

/** What the page of the web tier says. */
export interface Visit {
  /** By the database's count. */
  readonly visits: number;
  /** Of the web tier. */
  readonly instance: string;
}

/** Two regions; a lease that is not confirmed for 20 blocks is broken, and a manifest may take its time on a busy machine. */
export const photonGenesis: NonNullable<NetworkOptions['genesis']> = (appState) => {
  Object.assign(appState['provider']?.['params'] as object, { regions: ['east', 'west'] });
  Object.assign(appState['market']?.['params'] as object, {
    confirmation_blocks: '60',
    reconfirmation_blocks: '20',
    manifest_timeout_blocks: '1000',
    young_lease_blocks: '0',
  });
};

export interface PhotonWorld {
  readonly user: string;
  /** Of the region east. */
  readonly front: NetworkProvider;
  /** Of the region west; the cheaper one, so that it wins first where both bid in time. */
  readonly data: NetworkProvider;
  /** Of the region west too. */
  readonly spare: NetworkProvider;
  readonly client: ChainClient;
}

/** @param places of the three providers, in their order */
export async function startPhoton(network: Network, places: readonly Place[] = []): Promise<PhotonWorld> {
  await network.initChain();
  const user = await network.initUser();
  const wishes = [
    { name: 'front', region: 'east', cpu: '0.05' },
    { name: 'data', region: 'west', cpu: '0.05' },
    { name: 'spare', region: 'west', cpu: '0.06' },
  ];
  const providers = await Promise.all(
    wishes.map(({ name, region, cpu }, at) =>
      network.initProvider({
        name,
        price: { cpu, memoryMib: '0.01' },
        settings: { '--offer-services': 'mu-gateway,mu-workload', '--offer-regions': region },
        ...(places[at] === undefined ? {} : { place: places[at] }),
      }),
    ),
  );
  await network.startWith(user, providers);
  const [front, data, spare] = providers as [NetworkProvider, NetworkProvider, NetworkProvider];
  return { user, front, data, spare, client: await network.client() };
}

/** The stack of the example in a file of the network's, with its images where they are. */
export function photonStack(network: Network, change: (text: string) => string = (text) => text): string {
  const file = network.path('photon.yaml');
  const text = readFileSync(join(example, 'stack.yaml'), 'utf8');
  writeFileSync(file, change(text).replaceAll('manifest:build', `manifest:${join(example, 'build')}`));
  return file;
}

/** Creates the deployment; `mucli` leaves as soon as the manifest is handed over. @returns its dseq */
export async function createPhoton(
  network: Network,
  stack: string,
  onStderr: (line: string) => void = () => {},
): Promise<bigint> {
  const args = ['tx', 'deployment', 'create', stack, '--detach', '--yes', '--output', 'json'];
  const { stdout } = await must(network.mucli(args, { onStderr }));
  return BigInt((JSON.parse(stdout) as { dseq: string }).dseq);
}

/** Live leases whose workloads run, by the name of their infrastructure. */
export async function runningLeases(
  client: ChainClient,
  user: string,
  dseq: bigint,
): Promise<ReadonlyMap<string, Lease>> {
  const view = await viewDeployment(client, user, dseq);
  const nameOf = (lease: Lease): string =>
    view.orders.find(({ id }) => id?.infrastructure === lease.order?.infrastructure)?.spec?.name ?? '';
  const runs = view.leases.filter(
    (lease) => isLive(lease) && lease.manifestState === ManifestState.MANIFEST_STATE_RUNNING,
  );
  return new Map(runs.map((lease) => [nameOf(lease), lease]));
}

/** Waits until both tiers run. @returns the address of the web tier */
export async function photonEndpoint(client: ChainClient, user: string, dseq: bigint): Promise<string> {
  return eventually(
    'both tiers',
    async () => {
      const running = await runningLeases(client, user, dseq);
      return running.has('data') ? running.get('front')?.endpoints[0] : undefined;
    },
    120_000,
  );
}

/** @throws Error for any other answer than a count */
export async function visit(endpoint: string): Promise<Visit> {
  // A kept connection would wait for an answer of a network that is gone with its test.
  const response = await fetch(`${endpoint}/cgi-bin/visit`, { headers: { connection: 'close' } });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`GET ${endpoint}/cgi-bin/visit answered ${response.status}: ${text}`);
  return JSON.parse(text) as Visit;
}

/** Asks until it answers. */
export function firstVisit(endpoint: string, limitMs = 120_000): Promise<Visit> {
  return eventually('an answer of the application', () => visit(endpoint).catch(() => undefined), limitMs);
}

/** Providers from which the holder of a lease has the manifest, as it tells its tenant; none where its user gave it. */
export async function manifestFrom(network: Network, dseq: bigint, lease: bigint): Promise<readonly string[]> {
  const { stdout } = await must(network.mucli(['deployment', 'events', `${dseq}`, '--output', 'json']));
  const events = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { lease: string; type: string; from?: readonly string[] });
  const came = events.find(({ lease: of, type }) => of === `${lease}` && type === 'manifest-received');
  return came?.from ?? [];
}
