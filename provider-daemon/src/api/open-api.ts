/** What tenants are told as the daemon tells it: the desk that keeps it, and the door at which they ask. */
import { messageOf } from '@mu/lib/error-message';
import { planeSettings } from '../data-plane/settings.ts';
import type { Foundation } from '../foundation.ts';
import { tlsCredentials } from '../identity/identity.ts';
import type { ChainFacts } from '../leases/chain-facts.ts';
import type { LeaseKeeper } from '../leases/lease-keeper.ts';
import type { LeaseRunner } from '../leases/lease-runner.ts';
import type { ManifestStore } from '../manifests/manifest-store.ts';
import type { PeerExchange } from '../peers/peer-exchange.ts';
import { RequestLog } from '../usage/request-log.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { leaseInside } from './lease-inside.ts';
import { TenantDesk } from './tenant-desk.ts';

/** It has to be restored before anything is told. */
export function openDesk({ config, around, log }: Pick<Foundation, 'config' | 'around' | 'log'>): TenantDesk {
  return new TenantDesk({
    folder: config.node.dataFolder,
    requests: new RequestLog(),
    now: around.now,
    onTrouble: (lease, error) => {
      if (error === undefined) log.info({ lease: lease.toString() }, 'what is kept for tenants can be written again');
      else
        log.warn(
          { lease: lease.toString(), reason: messageOf(error) },
          'what is kept for tenants cannot be written or erased',
        );
    },
  });
}

export interface ApiParts {
  readonly facts: ChainFacts;
  readonly manifests: ManifestStore;
  readonly desk: TenantDesk;
  readonly runner: LeaseRunner;
  readonly keeper: LeaseKeeper;
  readonly peers: PeerExchange;
  /** the last block that the watch has told of */
  readonly seen: { readonly height: bigint };
}

/** Behind the provider's own listener, which the data plane holds: manifests come in here, logs go out. */
export function openApi({ config, identity, around, journal, log }: Foundation, parts: ApiParts): Promise<ApiServer> {
  const { facts, manifests, desk, runner, keeper, peers, seen } = parts;
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
    now: around.now,
    logger: log.child({ part: 'api' }),
  });
}
