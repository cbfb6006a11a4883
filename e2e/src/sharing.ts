/**
 * A manifest among real daemons with limited lines: a network of providers, a deployment that has an infrastructure at each
 * of them, and what is measured of how its manifest spreads. All sections are shared with all, so the user hands it to one.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { isLive, viewDeployment } from '@mu/client/deployment/follow';
import { writeVarU32 } from '@mu/client/wasm-reader';
import { concatBytes } from '@mu/lib/bytes';
import { type Lease, ManifestState } from '@mu/proto/market';
import { freePorts } from '../../scripts/lib/localnet/ports.ts';
import { must, Network, type NetworkOptions, type NetworkProvider, type ProviderOptions } from './network.ts';
import { eventually } from './process.ts';

export interface SharingOptions extends Pick<NetworkOptions, 'folder' | 'blockIntervalMs' | 'genesis'> {
  readonly providers: number;
  /** Bytes a second that each daemon sends to the others, and takes from them. */
  readonly rateBytes: number;
  /** What else is said of one, by its place from 0. */
  readonly further?: (at: number) => Pick<ProviderOptions, 'settings' | 'engineIsAway'>;
}

/** A provider of the network. */
export interface Holder extends NetworkProvider {
  /** Address of its figures. */
  readonly metrics: string;
}

/** A daemon's word that it has the whole manifest, and from whom. */
export interface Taken {
  /** Name of the provider. */
  readonly by: string;
  readonly dseq: string;
  readonly revision: string;
  /** `performance.now()` when it was said. */
  readonly atMs: number;
  /** Pieces of all the others that gave some. */
  readonly pieces: number;
}

export interface Sharing {
  readonly network: Network;
  readonly user: string;
  readonly client: ChainClient;
  readonly holders: readonly Holder[];
  /** What the daemons have said so far. */
  readonly taken: readonly Taken[];
}

/** Starts a chain, a user and the providers, all registered. Where it fails nothing is left running. */
export async function startSharing(options: SharingOptions): Promise<Sharing> {
  const taken: Taken[] = [];
  const { folder, blockIntervalMs, genesis } = options;
  const network = new Network({
    ...{ folder, blockIntervalMs, chainId: `mu-sharing-${randomBytes(3).toString('hex')}` },
    ...(genesis === undefined ? {} : { genesis }),
    onLog: (by, line) => {
      const found = takenOf(by, line);
      if (found !== undefined) taken.push(found);
    },
  });
  try {
    await network.initChain();
    const user = await network.initUser();
    const holders = await initHolders(network, options);
    await network.startWith(user, holders);
    return { network, user, client: await network.client(), holders, taken };
  } catch (error) {
    await network.stop();
    throw error;
  }
}

async function initHolders(network: Network, { providers, rateBytes, further }: SharingOptions): Promise<Holder[]> {
  const ports = await freePorts(providers);
  return Promise.all(
    ports.map(async (port, at) => ({
      ...(await network.initProvider({
        ...further?.(at),
        name: `provider-${at + 1}`,
        price: { cpu: '0.05', memoryMib: '0.01' },
        settings: {
          '--manifests-upload-rate-bytes': String(rateBytes),
          '--manifests-download-rate-bytes': String(rateBytes),
          '--metrics-port': String(port),
          ...further?.(at).settings,
        },
      })),
      metrics: `http://127.0.0.1:${port}/metrics`,
    })),
  );
}

function takenOf(by: string, line: string): Taken | undefined {
  if (!line.includes('took the manifest of ')) return undefined;
  const { dseq, revision, msg } = JSON.parse(line) as { dseq: string; revision: string; msg: string };
  const pieces = [...msg.matchAll(/\((\d+) pieces?\)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  return { by, dseq, revision, atMs: performance.now(), pieces };
}

/** Bytes of pieces that a daemon has sent to, or received from, others since it began. */
export async function pieceBytes({ metrics }: Holder, direction: 'sent' | 'received'): Promise<number> {
  const text = await (await fetch(metrics)).text();
  const pattern = new RegExp(`^mu_provider_manifest_piece_bytes_total\\{direction="${direction}"\\} (\\d+)$`, 'm');
  const [, bytes] = pattern.exec(text) ?? [];
  if (bytes === undefined) throw new Error(`${metrics} does not say what was ${direction}:\n${text}`);
  return Number(bytes);
}

/** The name of a custom section, with its length before it. */
const fillerName = [6, ...new TextEncoder().encode('filler')];
/** Of a section's header: its id, and its length in four bytes of seven bits each. */
const headerBytes = 5;

/**
 * A module that does the same, of so many bytes: the rest is chance, in a custom section at its end.
 * @throws RangeError where there is no room for that, or the section is not of 2 to 256 MiB
 */
export function withFiller(module: Uint8Array, bytes: number): Uint8Array {
  const filler = bytes - module.length - headerBytes - fillerName.length;
  const header = [0, ...writeVarU32(fillerName.length + filler)];
  if (header.length !== headerBytes) throw new RangeError(`${filler} bytes of chance, they must be 2 to 256 MiB`);
  return concatBytes(module, Uint8Array.from([...header, ...fillerName]), randomBytes(filler));
}

/** What stands in the stack of an infrastructure beside its function and its gateway. */
export interface StackPart {
  readonly holder: NetworkProvider;
  /** The variable SAYS of its function. */
  readonly says: string;
  /** Services that its provider must offer; those that run there where absent. */
  readonly asks?: readonly string[];
  /** A further service, as the stack file has it. */
  readonly further?: string;
}

/** File names of the two binaries of a shared stack. */
const binaries = { small: 'small.wasm', large: 'large.wasm' } as const;

/**
 * Writes the two binaries of the stacks of a folder.
 * @param largeBytes of the large one
 * @returns the bytes of the files of a stack with so many infrastructures
 */
export function writeBinaries(
  folder: string,
  module: Uint8Array,
  largeBytes: number,
): (infrastructures: number) => number {
  const large = withFiller(module, largeBytes);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, binaries.small), module);
  writeFileSync(join(folder, binaries.large), large);
  return (infrastructures) => large.length + (infrastructures - 1) * module.length;
}

/** A stack with one function at each holder. @param largeAt place of the one with the large binary @returns its file */
export function writeSharedStack(
  folder: string,
  name: string,
  parts: readonly StackPart[],
  largeAt: number = parts.length - 1,
): string {
  const services = parts.map(({ says, further = '' }, at) => {
    const [place, binary] = [at + 1, at === largeAt ? binaries.large : binaries.small];
    return `  - { type: MuFunction, name: fn-${place}, binary: ${binary}, runtime: wasi1.0, env: { SAYS: ${says} }, infrastructure: [at-${place}] }
  - { type: MuGateway, name: gw-${place}, endpoints: { /: { route_to: fn-${place} } }, infrastructure: [at-${place}] }
${further}`;
  });
  const infrastructure = parts.map(
    ({ holder, asks }, at) => `  - name: at-${at + 1}
    region: local
    provider: ${holder.owner}
    share: all
${asks === undefined ? '' : `    services: [${asks.join(', ')}]\n`}    resources:
      - { compute: { cpu: 50m, memory: 128MiB, disk: 64MiB }, price: 50, collateral: 4000, count: 1 }
`,
  );
  const file = join(folder, `${name}.yaml`);
  const text = `name: ${name}\nversion: 0.1\nservices:\n${services.join('')}infrastructure:\n${infrastructure.join('')}`;
  writeFileSync(file, text);
  return file;
}

/** A manifest that was handed to one holder. */
export interface HandedOver {
  readonly dseq: bigint;
  readonly revision: string;
  /** Who got it from the user. */
  readonly first: Holder;
  /** `performance.now()` when `mucli` said that the first one has it. */
  readonly atMs: number;
  /** What the first one had sent to others before. */
  readonly sentBefore: number;
}

/** Orders or updates a deployment with `--detach`. When this resolves `mucli` is gone. */
export async function handOver(sharing: Sharing, way: 'create' | 'update', stack: string): Promise<HandedOver> {
  const { network, holders } = sharing;
  const before = await Promise.all(holders.map((holder) => pieceBytes(holder, 'sent')));
  let handed: { readonly at: number; readonly atMs: number } | undefined;
  const onStderr = (line: string): void => {
    const at = holders.findIndex(({ owner }) => line.includes(`${owner} has the manifest and has checked it`));
    if (at >= 0) handed ??= { at, atMs: performance.now() };
  };
  const args = ['tx', 'deployment', way, stack, '--detach', '--yes', '--output', 'json'];
  const { stdout, stderr } = await must(network.mucli(args, { onStderr }));
  const said = JSON.parse(stdout) as { dseq: string; revision?: string; delivered_to: string[] };
  if (handed === undefined) throw new Error(`mucli handed the manifest to nobody:\n${stderr}`);
  const { at, atMs } = handed;
  const [first, sentBefore] = [holders[at] as Holder, before[at] as number];
  if (said.delivered_to.join() !== first.owner)
    throw new Error(`the manifest was to be handed to one holder, not to ${said.delivered_to.join(' and ')}`);
  return { dseq: BigInt(said.dseq), revision: said.revision ?? '1', first, atMs, sentBefore };
}

/** How a manifest has spread. */
export interface Spread {
  /** From the moment at which the first holder had all of it to that at which the last one had. */
  readonly lastPeerMs: number;
  /** What the first holder sent, in manifests. */
  readonly firstHolderCopies: number;
}

/** Waits until all others have it. @param among those who hold a lease. @param bytes of the manifest's files */
export async function spreadOf(
  sharing: Sharing,
  { dseq, revision, first, atMs, sentBefore }: HandedOver,
  { among, bytes }: { readonly among: readonly Holder[]; readonly bytes: number },
): Promise<Spread> {
  const others = among.filter(({ name }) => name !== first.name);
  const all = await eventually(
    `the manifest of deployment ${dseq}, revision ${revision}, at ${others.length} peers`,
    () => {
      const found = others.flatMap(({ name }) => takenBy(sharing, name, { dseq, revision }) ?? []);
      return found.length === others.length ? found : undefined;
    },
    180_000,
  );
  const sent = (await pieceBytes(first, 'sent')) - sentBefore;
  return { lastPeerMs: Math.max(...all.map((one) => one.atMs)) - atMs, firstHolderCopies: sent / bytes };
}

/** What a provider's daemon has said of a manifest, if it has. */
export function takenBy(
  { taken }: Pick<Sharing, 'taken'>,
  name: string,
  of: { readonly dseq: bigint; readonly revision: string },
): Taken | undefined {
  return taken.find((one) => one.by === name && one.dseq === `${of.dseq}` && one.revision === of.revision);
}

/** Live leases whose workloads run, by the name of their provider. */
export async function runningLeases(
  { client, user, holders }: Pick<Sharing, 'client' | 'user' | 'holders'>,
  dseq: bigint,
): Promise<ReadonlyMap<string, Lease>> {
  const { leases } = await viewDeployment(client, user, dseq);
  const running = leases.filter(
    (lease) => isLive(lease) && lease.manifestState === ManifestState.MANIFEST_STATE_RUNNING,
  );
  return new Map(running.map((lease) => [holders.find(({ owner }) => owner === lease.provider)?.name ?? '', lease]));
}
