/** The exchange of manifests as the daemon has it: what it is made of, and what it takes part in. */
import { randomInt } from 'node:crypto';
import type { Lease } from '@mu/proto/market';
import type { ProviderConfig } from '../config/schema.ts';
import { type Identity, tlsCredentials } from '../identity/identity.ts';
import type { ManifestKey } from '../journal/journal.ts';
import type { LeaseListenerOptions } from '../leases/lease-listener.ts';
import type { LeasePlace } from '../leases/lease-runner.ts';
import type { CarriedManifests } from '../manifests/carried.ts';
import { realTimers } from '../overlay/timers.ts';
import { deploymentKey } from './exchanges.ts';
import { PeerExchange, type WantedDeployment } from './peer-exchange.ts';
import type { PeerExchangeOptions, PeerLog } from './peer-exchange-options.ts';

export interface PeerParts {
  readonly identity: Identity;
  readonly facts: PeerExchangeOptions['facts'];
  readonly store: CarriedManifests;
  readonly log: PeerLog;
}

/** It neither listens nor dials before it is told to. */
export function openPeers({ chain, manifests, network }: ProviderConfig, parts: PeerParts): PeerExchange {
  const { identity, facts, store, log } = parts;
  return new PeerExchange({
    ...{ chainId: chain.id, own: identity.name.provider, credentials: tlsCredentials(identity) },
    ...{ facts, store, log, timers: realTimers, random: (end) => (end <= 1 ? 0 : randomInt(end)) },
    rules: {
      uploadRate: manifests.uploadRateBytes,
      downloadRate: manifests.downloadRateBytes,
      maxPeers: manifests.maxPeers,
      serveGraceBlocks: manifests.serveGraceBlocks,
      allowPrivatePeers: network.allowPrivatePeers,
    },
  });
}

export interface Participation {
  readonly keeper: { leases(): readonly Lease[]; place(lease: bigint): LeasePlace | undefined };
  /** `inGrace`: what is kept for participants after the last lease here. */
  readonly manifests: { inGrace(): readonly ManifestKey[] };
}

/** What the exchange is told by the watch of the chain. */
export function peersWatch(peers: PeerExchange, of: Participation): LeaseListenerOptions['peers'] {
  return {
    deployment: (owner, dseq) => peers.changed(owner, dseq),
    height: (height) => peers.look(wantedBy(of), height),
  };
}

/** Deployments with a live lease here, and those whose manifest is still kept: they are served, and nothing is asked for. */
export function wantedBy({ keeper, manifests }: Participation): readonly WantedDeployment[] {
  const wanted = new Map<string, { owner: string; dseq: bigint; infrastructures: string[] }>();
  const of = ({ owner, dseq }: { readonly owner: string; readonly dseq: bigint }): string[] => {
    const key = deploymentKey({ owner, dseq });
    const known = wanted.get(key) ?? { owner, dseq, infrastructures: [] };
    wanted.set(key, known);
    return known.infrastructures;
  };
  for (const { number } of keeper.leases()) {
    const place = keeper.place(number);
    if (place !== undefined && place.infrastructure !== '') of(place).push(place.infrastructure);
  }
  for (const record of manifests.inGrace()) of(record);
  return [...wanted.values()];
}
