/**
 * The daemon: puts its services together and starts them in the order in which a restart rebuilds. First the disk, then
 * the chain; nothing is bid for, confirmed or ended before both have been read.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import type { Sender } from '@mu/client/chain/sender';
import type { ProvedViews } from '@mu/client/light/connect';
import type { Lease } from '@mu/proto/market';
import type { PriceList } from '@mu/proto/provider';
import type { Logger } from 'pino';
import { type ApiServer, startApiServer } from './api/api-server.ts';
import { leaseInside } from './api/lease-inside.ts';
import { TenantDesk } from './api/tenant-desk.ts';
import { Bidder } from './bidding/bidder.ts';
import { feesOf, transactionsAhead } from './bidding/fees.ts';
import { hostProbe, type Machine, offeredCapacity, readMachine } from './bidding/machine.ts';
import { drainFile, offerOf } from './bidding/offer.ts';
import { orderWatch } from './bidding/order-watch.ts';
import { PriceScript } from './bidding/price-script.ts';
import type { ProviderConfig } from './config/schema.ts';
import type { Plane } from './data-plane/plane.ts';
import { planeSettings } from './data-plane/settings.ts';
import { PlaneSupervisor } from './data-plane/supervisor.ts';
import { type Identity, signUsageReport, tlsCredentials } from './identity/identity.ts';
import { encryptionKeysOf } from './identity/rotation-files.ts';
import { type Journal, openJournal } from './journal/journal.ts';
import { ChainFacts } from './leases/chain-facts.ts';
import { Containers } from './leases/container-host.ts';
import { Databases } from './leases/databases.ts';
import { drainedBy } from './leases/instances.ts';
import { LeaseKeeper } from './leases/lease-keeper.ts';
import { type LeaseListenerOptions, leaseListener } from './leases/lease-listener.ts';
import { LeaseRunner } from './leases/lease-runner.ts';
import { LinkKeeper } from './leases/link-keeper.ts';
import { Participants } from './leases/participants.ts';
import { publicPorts } from './leases/public-ports.ts';
import { TunnelCertificates } from './leases/tunnel-certificates.ts';
import { ManifestStore } from './manifests/manifest-store.ts';
import { takeSealed } from './manifests/take-sealed.ts';
import { type OperatorParts, refuseSecond, startOperators } from './operators/operators.ts';
import { openIdentity } from './operators/renewal.ts';
import { Tallies } from './operators/tallies.ts';
import { realTimers } from './overlay/timers.ts';
import { openPeers, peersWatch } from './peers/open-peers.ts';
import type { PeerExchange } from './peers/peer-exchange.ts';
import { connectChain, openViews, senderOf } from './setup/connect.ts';
import { holdFolder } from './setup/hold-folder.ts';
import { gatewayUri, identityFolder } from './setup/places.ts';
import { RequestLog } from './usage/request-log.ts';
import { UsageReporter } from './usage/usage-reporter.ts';
import { MarketWatch, type MarketWatchOptions } from './watch/market-watch.ts';

export interface Daemon {
  readonly gatewayUri: string;
  readonly hostPort: number;
  /**
   * Leaves everything on disk as it must be found again. Containers run on; the data plane serves on where it is to be
   * left, else it finishes what is under way and ends.
   */
  stop(plane: 'leave' | 'end'): Promise<void>;
}

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const around = { now: Date.now, random };
/** Usage is brought to the disk so often: a crash loses no more. */
const countEveryMs = 1_000;

/** @throws Error with what is wrong with config, keys, journal or chain */
export async function startDaemon(config: ProviderConfig, log: Logger): Promise<Daemon> {
  await refuseSecond(config);
  const release = await holdFolder(config.node.dataFolder);
  try {
    return await open(config, log, release);
  } catch (error) {
    await release();
    throw error;
  }
}

async function open(config: ProviderConfig, log: Logger, release: () => Promise<void>): Promise<Daemon> {
  const identity = await openIdentity(identityFolder(config), around, log);
  const { provider } = identity.name;
  const journal = openJournal(join(config.node.dataFolder, 'journal'), identity.name);
  const client = await connectChain(config);
  const views = await openViews(config, client, log);
  const priceList = await registeredPrices(client, provider);
  const parts = await build(config, { identity, journal, client, views, priceList, log });
  await parts.bidder.rebuild();
  parts.orders.start();
  parts.watch.start();
  const counting = setInterval(() => void parts.count(), countEveryMs);
  const operators = await startOperators({ config, identity, around, client, views, journal, log, ...parts.shown });
  log.info({ provider, gateway: gatewayUri(config), host_port: parts.plane.host.port }, 'provider is ready');
  return {
    gatewayUri: gatewayUri(config),
    hostPort: parts.plane.host.port,
    async stop(plane) {
      clearInterval(counting);
      await operators.close();
      await Promise.all([parts.orders.stop(), parts.watch.stop()]);
      await parts.links.close();
      await parts.peers.close();
      await parts.keeper.settled();
      await parts.api.close();
      await parts.count();
      await parts.containers?.close();
      await (plane === 'end' ? parts.plane.end() : parts.plane.leave());
      await parts.databases.close();
      await parts.desk.settled();
      await journal.close();
      // Nobody waits for blocks any more; what is on its way is found on the chain after the next start.
      parts.sender.close();
      client.disconnect();
      await release();
    },
  };
}

interface Foundation {
  readonly identity: Identity;
  readonly journal: Journal;
  /** the node, to send to and for lists that decide nothing */
  readonly client: ChainClient;
  /** what is proved: by this workloads begin and end, and something is given out */
  readonly views: ProvedViews;
  readonly priceList: PriceList | undefined;
  readonly log: Logger;
}

interface Parts {
  readonly plane: PlaneSupervisor;
  readonly containers: Containers | undefined;
  readonly databases: Databases;
  readonly sender: Sender;
  readonly keeper: LeaseKeeper;
  readonly links: LinkKeeper;
  readonly peers: PeerExchange;
  readonly desk: TenantDesk;
  readonly bidder: Bidder;
  /** orders to bid for */
  readonly orders: MarketWatch;
  /** leases */
  readonly watch: MarketWatch;
  readonly api: ApiServer;
  /** Brings what was used to the disk. */
  count(): Promise<void>;
  /** what operators see beside */
  readonly shown: Omit<OperatorParts, 'config' | 'identity' | 'around' | 'client' | 'views' | 'journal' | 'log'>;
}

async function build(config: ProviderConfig, of: Foundation): Promise<Parts> {
  const { identity, journal, client, views, log } = of;
  const { provider } = identity.name;
  const desk = tenantDesk(config, log);
  await desk.restore();
  const onLog = desk.log;
  const plane = await PlaneSupervisor.start({
    settings: planeSettings(config),
    onLog,
    log: log.child({ part: 'data-plane' }),
  });
  const onTrouble = (lease: bigint, error: unknown): void =>
    log.warn({ lease: lease.toString(), reason: reasonOf(error) }, 'the data plane was not told of a change');
  const containers = await Containers.open({
    config,
    provider,
    onLog,
    onLeave: drainedBy(plane, onTrouble),
    log: log.child({ part: 'containers' }),
  });
  const tallies = new Tallies();
  const databases = new Databases(join(config.node.dataFolder, 'databases'));
  const manifests = new ManifestStore({
    folder: join(config.node.dataFolder, 'manifests'),
    index: journal.manifests,
    random,
    onRunnable: (record) => keeper.manifest(record),
  });
  const participants = new Participants(views);
  const links = linkKeeper(of, plane, participants);
  const runner = new LeaseRunner({
    plane,
    links,
    containers,
    volumeRetentionMs: config.containers.volumeRetentionHours * 3_600_000,
    manifests,
    databases,
    gatewayUri: gatewayUri(config),
    domain: config.gateway.domain,
    ports: publicPorts(config, journal),
    onInstances(lease, workloads) {
      desk.instances.look(lease, workloads);
      tallies.look(workloads);
    },
    onTrouble,
  });
  const sender = await senderOf(config, client, 'operator');
  tallies.watch({ runner, sender, client });
  const usage = usageReporter(config, of, { sender, desk, runner });
  const facts = new ChainFacts(views.newest, provider);
  const peers = openPeers(config, {
    identity,
    facts: participants,
    store: manifests,
    log: log.child({ part: 'peers' }),
  });
  const keeper = new LeaseKeeper({
    provider,
    client: views.settled,
    sender,
    journal,
    manifests,
    runner,
    usage,
    rules: { confirmEveryBlocks: config.bidding.confirmEveryBlocks },
    serveGraceBlocks: config.manifests.serveGraceBlocks,
    takeSealed: (owner, dseq) =>
      takeSealed(
        { client: views.newest, facts, provider, encryptionKeys: () => encryptionKeysOf(identity.folder), manifests },
        owner,
        dseq,
      ),
    manifestFrom: ({ owner, dseq, revision }) => peers.manifestFrom(owner, dseq, revision),
    onEnd: (lease) => void desk.forget(lease),
    observer: desk.teller,
    log: log.child({ part: 'leases' }),
  });
  const machine = await readMachine(hostProbe, config.node.dataFolder);
  const bidder = bidderOf(config, of, { sender, machine, containers, leases: () => keeper.leases() });
  const seen = { height: 0n };
  const orders = orderWatch(watchOptions(config, client, provider, log), bidder);
  await peers.listen({ path: planeSettings(config).host.peer });
  const told = { keeper, links, peers: peersWatch(peers, { keeper, manifests }), desk, bidder, seen, log };
  const watch = marketWatch(config, { client: views.settled, provider, ...told });
  const api = await startApi(config, { identity, journal, facts, manifests, desk, runner, keeper, peers, seen, log });
  const count = async (): Promise<void> => {
    try {
      await runner.poll();
      for (const lease of keeper.leases()) usage.count(lease, seen.height);
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'usage cannot be counted now, it will be counted later');
    }
  };
  const shown = { sender, keeper, runner, links, bidder, peers, plane, api, containers, tallies, machine, seen, onLog };
  return { plane, containers, databases, sender, keeper, links, peers, desk, bidder, orders, watch, api, count, shown };
}

function bidderOf(
  config: ProviderConfig,
  { client, identity, priceList, log }: Foundation,
  parts: {
    readonly sender: Sender;
    readonly machine: Machine;
    readonly containers: Containers | undefined;
    readonly leases: () => Lease[];
  },
): Bidder {
  const { sender, machine, containers, leases } = parts;
  const capacity = offeredCapacity(config.capacity, machine);
  const { script: program, scriptTimeoutMs: timeoutMs, scriptJobs: jobs } = config.pricing;
  return new Bidder({
    client,
    sender,
    offer: () => offerOf(config, { provider: identity.name.provider, capacity, priceList }),
    leases,
    keptDisk: async () => containers?.here?.volumes.retiredBytes(),
    feeReserve: feesOf(transactionsAhead.kept, config.chain.gasPrice),
    denom: config.chain.denom,
    draining: () => existsSync(drainFile(config.node.dataFolder)),
    ...(program === '' ? {} : { script: new PriceScript({ program, timeoutMs, jobs }) }),
    log: log.child({ part: 'bidding' }),
  });
}

/** What other datacenters' workloads are linked by. */
function linkKeeper(
  { identity, log }: Pick<Foundation, 'identity' | 'log'>,
  plane: Plane,
  participants: Participants,
): LinkKeeper {
  return new LinkKeeper({
    participants,
    plane,
    node: identity.name,
    certificates: new TunnelCertificates(identity, around),
    timers: realTimers,
    log: log.child({ part: 'links' }),
  });
}

function usageReporter(
  config: ProviderConfig,
  { client, journal, identity, log }: Foundation,
  { sender, desk, runner }: Pick<Parts, 'sender' | 'desk'> & { readonly runner: LeaseRunner },
): UsageReporter {
  return new UsageReporter({
    client,
    sender,
    journal,
    nodeId: identity.name.nodeId,
    sign: (report) => signUsageReport(identity, report),
    takeLogRoot: (lease) => desk.takeLogRoot(lease),
    onReported: (report) => desk.reported(report),
    takeUsage: (lease, height) => runner.takeUsage(lease, height),
    totals: (lease) => runner.totals(lease),
    reportEveryBlocks: config.usage.reportEveryBlocks,
    log: log.child({ part: 'usage' }),
  });
}

function tenantDesk({ node }: ProviderConfig, log: Logger): TenantDesk {
  return new TenantDesk({
    folder: node.dataFolder,
    requests: new RequestLog(),
    now: Date.now,
    onTrouble: (lease, error) => {
      if (error === undefined) log.info({ lease: lease.toString() }, 'what is kept for tenants can be written again');
      else
        log.warn(
          { lease: lease.toString(), reason: reasonOf(error) },
          'what is kept for tenants cannot be written or erased',
        );
    },
  });
}

/** Behind the provider's own listener, which the data plane holds: manifests come in here, logs go out. */
function startApi(
  config: ProviderConfig,
  of: Pick<Foundation, 'identity' | 'journal' | 'log'> & {
    readonly facts: ChainFacts;
    readonly manifests: ManifestStore;
    readonly desk: TenantDesk;
    readonly runner: LeaseRunner;
    readonly keeper: LeaseKeeper;
    readonly peers: PeerExchange;
    readonly seen: { readonly height: bigint };
  },
): Promise<ApiServer> {
  const { identity, journal, facts, manifests, desk, runner, keeper, peers, seen, log } = of;
  const { provider, nodeId } = identity.name;
  return startApiServer({
    listen: { path: planeSettings(config).host.api },
    chainId: config.chain.id,
    provider,
    nodeId,
    credentials: tlsCredentials(identity),
    sources: {
      facts,
      manifests,
      logs: desk.logs,
      events: desk.events,
      inside: leaseInside({ view: (lease) => runner.view(lease), usage: (lease) => journal.usage.get(lease) }),
      progress: (lease) => desk.teller.progress(lease),
      status: () => ({
        height: seen.height,
        leases: keeper.leases().length,
        services: config.offer.services,
        regions: config.offer.regions,
      }),
      leaseStatus: (lease) => keeper.status(lease),
      onManifest(record) {
        keeper.manifest(record);
        // What its user has handed over need not come from peers, and can be handed on.
        peers.changed(record.owner, record.dseq);
      },
    },
    now: Date.now,
    logger: log.child({ part: 'api' }),
  });
}

function watchOptions(
  { chain, offer }: ProviderConfig,
  client: ChainClient,
  provider: string,
  log: Logger,
): Omit<MarketWatchOptions, 'listener'> {
  return {
    client,
    provider,
    regions: offer.regions,
    pollMs: chain.pollMs,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    onTrouble: (error) => log.warn({ reason: reasonOf(error) }, 'the node does not answer as it should; trying again'),
  };
}

/** Leases and heights, as they are proved. */
function marketWatch(
  config: ProviderConfig,
  of: {
    client: ChainClient;
    provider: string;
    keeper: LeaseKeeper;
    links: LinkKeeper;
    peers: LeaseListenerOptions['peers'];
    desk: TenantDesk;
    bidder: Bidder;
    seen: { height: bigint };
    log: Logger;
  },
): MarketWatch {
  const { client, provider, log } = of;
  return new MarketWatch({ ...watchOptions(config, client, provider, log), listener: leaseListener(of) });
}

/** The price list that bids refer to. @throws Error when the provider is not on the chain */
async function registeredPrices(client: ChainClient, owner: string): Promise<PriceList | undefined> {
  try {
    const { provider } = await client.provider.provider({ owner });
    if (provider === undefined || provider.priceListVersion === 0n) return undefined;
    return (await client.provider.priceList({ owner, version: provider.priceListVersion })).priceList;
  } catch (error) {
    if (!(error instanceof ChainError) || !error.notFound) throw error;
    throw new Error(`the provider ${owner} is not on the chain yet: run \`mu-provider register\` first`);
  }
}
