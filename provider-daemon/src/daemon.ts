/**
 * The daemon: puts its services together and starts them in the order in which a restart rebuilds. First the disk, then
 * the chain; nothing is bid for, confirmed or ended before both have been read. What each service is made of stands beside
 * it, in the open-….ts of its folder.
 */

import { join } from 'node:path';
import type { Sender } from '@mu/client/chain/sender';
import { messageOf } from '@mu/lib/error-message';
import type { Logger } from 'pino';
import type { ApiServer } from './api/api-server.ts';
import { openApi, openDesk } from './api/open-api.ts';
import type { TenantDesk } from './api/tenant-desk.ts';
import type { Bidder } from './bidding/bidder.ts';
import { hostProbe, readMachine } from './bidding/machine.ts';
import { openBidder } from './bidding/open-bidder.ts';
import type { ProviderConfig } from './config/schema.ts';
import { planeSettings } from './data-plane/settings.ts';
import { PlaneSupervisor } from './data-plane/supervisor.ts';
import { type Foundation, layFoundation } from './foundation.ts';
import { ChainFacts } from './leases/chain-facts.ts';
import { Containers } from './leases/container-host.ts';
import { Databases } from './leases/databases.ts';
import { drainedBy } from './leases/instances.ts';
import type { LeaseKeeper } from './leases/lease-keeper.ts';
import type { LinkKeeper } from './leases/link-keeper.ts';
import { openKeeper, openLinks, openRunner } from './leases/open-leases.ts';
import { Participants } from './leases/participants.ts';
import { ManifestStore } from './manifests/manifest-store.ts';
import { type OperatorParts, refuseSecond, startOperators } from './operators/operators.ts';
import { Tallies } from './operators/tallies.ts';
import { openPeers, peersWatch } from './peers/open-peers.ts';
import type { PeerExchange } from './peers/peer-exchange.ts';
import { senderOf } from './setup/connect.ts';
import { holdFolder } from './setup/hold-folder.ts';
import { gatewayUri } from './setup/places.ts';
import { openUsage } from './usage/open-usage.ts';
import { UsageClock } from './usage/usage-clock.ts';
import type { MarketWatch } from './watch/market-watch.ts';
import { openOrders, openWatch } from './watch/open-watches.ts';

export interface Daemon {
  readonly gatewayUri: string;
  readonly hostPort: number;
  /**
   * Leaves everything on disk as it must be found again. Containers run on; the data plane serves on where it is to be
   * left, else it finishes what is under way and ends.
   */
  stop(plane: 'leave' | 'end'): Promise<void>;
}

/** @throws Error with what is wrong with config, keys, journal or chain */
export async function startDaemon(config: ProviderConfig, log: Logger): Promise<Daemon> {
  await refuseSecond(config);
  const release = await holdFolder(config.node.dataFolder);
  try {
    return await open(await layFoundation(config, log), release);
  } catch (error) {
    await release();
    throw error;
  }
}

async function open(of: Foundation, release: () => Promise<void>): Promise<Daemon> {
  const { config, identity, journal, client, log } = of;
  const { provider } = identity.name;
  const parts = await build(of);
  await parts.bidder.rebuild();
  parts.orders.start();
  parts.watch.start();
  parts.usageClock.start();
  const operators = await startOperators({ ...of, ...parts.shown });
  log.info({ provider, gateway: gatewayUri(config), host_port: parts.plane.host.port }, 'provider is ready');
  return {
    gatewayUri: gatewayUri(config),
    hostPort: parts.plane.host.port,
    async stop(plane) {
      parts.usageClock.stop();
      await operators.close();
      await Promise.all([parts.orders.stop(), parts.watch.stop()]);
      await parts.links.close();
      await parts.peers.close();
      await parts.keeper.settled();
      await parts.api.close();
      await parts.usageClock.count();
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
  readonly usageClock: UsageClock;
  /** what operators see beside */
  readonly shown: Omit<OperatorParts, keyof Foundation>;
}

async function build(of: Foundation): Promise<Parts> {
  const { config, identity, around, journal, client, views, log } = of;
  const { provider } = identity.name;
  const { dataFolder } = config.node;
  const desk = openDesk(of);
  await desk.restore();
  const onLog = desk.log;
  const settings = planeSettings(config);
  const plane = await PlaneSupervisor.start({ settings, onLog, log: log.child({ part: 'data-plane' }) });
  const onTrouble = troubleOf(log);
  const onLeave = drainedBy(plane, onTrouble);
  const containers = await Containers.open({
    config,
    provider,
    onLog,
    onLeave,
    log: log.child({ part: 'containers' }),
  });
  const tallies = new Tallies();
  const databases = new Databases(join(dataFolder, 'databases'));
  const manifests = new ManifestStore({
    folder: join(dataFolder, 'manifests'),
    index: journal.manifests,
    random: around.random,
    onRunnable: (record) => keeper.manifest(record),
  });
  const participants = new Participants(views);
  const links = openLinks(of, { plane, participants });
  const runner = openRunner(of, { plane, links, containers, manifests, databases, desk, tallies, onTrouble });
  const sender = await senderOf(config, client, 'operator');
  tallies.watch({ runner, sender, client });
  const usage = openUsage(of, { sender, desk, runner });
  const facts = new ChainFacts(views.newest, provider);
  const forPeers = { identity, facts: participants, store: manifests, log: log.child({ part: 'peers' }) };
  const peers = openPeers(config, forPeers);
  const keeper = openKeeper(of, { sender, manifests, runner, usage, facts, desk });
  const leases = () => keeper.leases();
  const machine = await readMachine(hostProbe, dataFolder);
  const bidder = openBidder(of, { sender, machine, containers, leases });
  const seen = { height: 0n };
  const orders = openOrders(of, bidder);
  await peers.listen({ path: settings.host.peer });
  const watch = openWatch(of, { keeper, links, peers: peersWatch(peers, { keeper, manifests }), desk, bidder, seen });
  const api = await openApi(of, { facts, manifests, desk, runner, keeper, peers, seen });
  const usageClock = new UsageClock({ poll: () => runner.poll(), leases, usage, height: () => seen.height, log });
  const shown = { sender, keeper, runner, links, bidder, peers, plane, api, containers, tallies, machine, seen, onLog };
  return { ...shown, databases, desk, orders, watch, usageClock, shown };
}

const troubleOf =
  (log: Logger) =>
  (lease: bigint, error: unknown): void => {
    const reason = messageOf(error);
    log.warn({ lease: lease.toString(), reason }, 'the data plane was not told of a change');
  };
