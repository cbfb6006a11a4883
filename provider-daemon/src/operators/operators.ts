/** The operator's side of the running daemon: facts, renewals, doors. */

import type { ChainClient } from '@mu/client/chain/chain-client';
import type { Sender } from '@mu/client/chain/sender';
import type { ProvedViews } from '@mu/client/light/connect';
import type { Logger } from 'pino';
import type { ApiServer } from '../api/api-server.ts';
import type { Bidder } from '../bidding/bidder.ts';
import type { Resources } from '../bidding/inventory.ts';
import type { ProviderConfig } from '../config/schema.ts';
import type { PlaneSupervisor } from '../data-plane/supervisor.ts';
import { type Identity, type Surroundings, tlsCredentials } from '../identity/identity.ts';
import type { Journal } from '../journal/journal.ts';
import type { Containers } from '../leases/container-host.ts';
import type { LeaseKeeper } from '../leases/lease-keeper.ts';
import type { LeaseRunner } from '../leases/lease-runner.ts';
import type { LinkKeeper } from '../leases/link-keeper.ts';
import type { PeerExchange } from '../peers/peer-exchange.ts';
import type { WorkloadLog } from '../workloads/driver.ts';
import { askIfThere } from './admin-client.ts';
import { askingOf } from './asking.ts';
import { isDraining } from './drain.ts';
import { FactsKeeper } from './facts.ts';
import { Renewal } from './renewal.ts';
import { adminSocket, startOperatorServers } from './servers.ts';
import type { OperatorSources } from './sources.ts';
import type { Tallies } from './tallies.ts';
import { expiriesOf, type StatusReport } from './view.ts';

export interface OperatorParts {
  readonly config: ProviderConfig;
  readonly identity: Identity;
  readonly around: Surroundings;
  readonly client: ChainClient;
  readonly views: ProvedViews;
  readonly journal: Journal;
  readonly sender: Sender;
  readonly keeper: LeaseKeeper;
  readonly runner: LeaseRunner;
  readonly links: LinkKeeper;
  readonly bidder: Bidder;
  readonly peers: PeerExchange;
  readonly plane: PlaneSupervisor;
  readonly api: ApiServer;
  /** undefined where no containers are offered */
  readonly containers: Containers | undefined;
  readonly tallies: Tallies;
  readonly machine: Resources;
  readonly seen: { readonly height: bigint };
  readonly onLog: WorkloadLog;
  readonly log: Logger;
}

export interface Operators {
  /** `http://host:port` of /metrics and /health; undefined where the config says none */
  readonly metricsUrl: string | undefined;
  close(): Promise<void>;
}

/**
 * Two daemons on one data folder would each end what the other starts.
 * @throws Error where one runs already
 */
export async function refuseSecond({ node }: ProviderConfig): Promise<void> {
  const running = await askIfThere<StatusReport>(adminSocket(node.dataFolder), 'GET /status');
  if (running === undefined) return;
  throw new Error(
    `a daemon runs already with the data folder ${node.dataFolder} (process ${running.pid}): end it first, or choose another --home`,
  );
}

/** @throws Error where a door cannot be opened */
export async function startOperators(parts: OperatorParts): Promise<Operators> {
  const { config, identity, around, client, views, sender, api, links, peers, onLog, log } = parts;
  const { provider, nodeId } = identity.name;
  const asking = askingOf({ config, client, views, provider, nodeId, operator: sender.address, onLog });
  const facts = new FactsKeeper({ asking, now: around.now });
  const sources: OperatorSources = sourcesOf(parts, facts, () => renewal.identity);
  const renewal = new Renewal({
    identity,
    around,
    expiries: () => expiriesOf(sources),
    onRenewed: (renewed) => {
      api.renew(tlsCredentials(renewed));
      links.renew(renewed);
      peers.renew(tlsCredentials(renewed));
    },
    log: log.child({ part: 'certificates' }),
  });
  const servers = await startOperatorServers(sources, log.child({ part: 'operators' }));
  // What ends on the chain is known after the first look.
  void facts.look().then(() => renewal.check());
  facts.start();
  renewal.start();
  return {
    metricsUrl: servers.metricsUrl,
    async close() {
      facts.stop();
      await renewal.stop();
      await servers.close();
    },
  };
}

function sourcesOf(parts: OperatorParts, facts: FactsKeeper, identity: () => Identity): OperatorSources {
  const { config, around, client, journal, sender, keeper, runner, links, bidder, plane, containers } = parts;
  return {
    config,
    identity,
    operator: sender.address,
    hostPort: plane.host.port,
    startedMs: around.now(),
    now: around.now,
    seen: parts.seen,
    facts,
    tallies: parts.tallies,
    leases: () => keeper.leases(),
    leaseStatus: (lease) => keeper.status(lease),
    infrastructure: (lease) => keeper.place(lease)?.infrastructure,
    usage: (lease) => journal.usage.get(lease),
    pendingReports: () => journal.usage.all().filter(({ pending }) => pending !== undefined).length,
    totals: (lease) => runner.totals(lease),
    machine: parts.machine,
    inventory: () => bidder.inventory(),
    peers: () => parts.peers.figures(),
    running: (lease) => runner.view(lease),
    links: (lease) => links.links(lease),
    served: () => plane.served(),
    foundContainers: async () => (containers === undefined ? [] : containers.host().driver.found()),
    fundedTo: async ({ order }) => {
      const { owner = '', dseq = 0n } = order ?? {};
      return (await client.billing.runway({ owner, dseq })).height;
    },
    isDraining: () => isDraining(config.node.dataFolder),
  };
}
