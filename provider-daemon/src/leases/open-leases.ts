/** The leases as the daemon has them: what runs them, what links them with other datacenters, and what keeps them. */
import type { Sender } from '@mu/client/chain/sender';
import type { TenantDesk } from '../api/tenant-desk.ts';
import type { Plane } from '../data-plane/plane.ts';
import type { Foundation } from '../foundation.ts';
import { encryptionKeysOf } from '../identity/rotation-files.ts';
import type { ManifestStore } from '../manifests/manifest-store.ts';
import { takeSealed } from '../manifests/take-sealed.ts';
import type { Tallies } from '../operators/tallies.ts';
import { realTimers } from '../overlay/timers.ts';
import { gatewayUri } from '../setup/places.ts';
import type { UsageReporter } from '../usage/usage-reporter.ts';
import type { ChainFacts } from './chain-facts.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { LeaseRunner, type LeaseRunnerOptions } from './lease-runner.ts';
import { LinkKeeper } from './link-keeper.ts';
import type { Participants } from './participants.ts';
import { publicPorts } from './public-ports.ts';
import { TunnelCertificates } from './tunnel-certificates.ts';

/** What other datacenters' workloads are linked by. */
export function openLinks(
  { identity, around, log }: Foundation,
  parts: { readonly plane: Plane; readonly participants: Participants },
): LinkKeeper {
  return new LinkKeeper({
    ...parts,
    node: identity.name,
    certificates: new TunnelCertificates(identity, around),
    timers: realTimers,
    log: log.child({ part: 'links' }),
  });
}

export interface RunnerParts
  extends Pick<LeaseRunnerOptions, 'plane' | 'containers' | 'manifests' | 'databases' | 'onTrouble'> {
  readonly links: LinkKeeper;
  readonly desk: TenantDesk;
  readonly tallies: Tallies;
}

export function openRunner({ config, journal }: Foundation, { desk, tallies, ...parts }: RunnerParts): LeaseRunner {
  return new LeaseRunner({
    ...parts,
    volumeRetentionMs: config.containers.volumeRetentionHours * 3_600_000,
    gatewayUri: gatewayUri(config),
    domain: config.gateway.domain,
    ports: publicPorts(config, journal),
    onInstances(lease, workloads) {
      desk.instances.look(lease, workloads);
      tallies.look(workloads);
    },
  });
}

export interface KeeperParts {
  readonly sender: Sender;
  readonly manifests: ManifestStore;
  readonly runner: LeaseRunner;
  readonly usage: UsageReporter;
  readonly facts: ChainFacts;
  readonly desk: TenantDesk;
}

export function openKeeper({ config, identity, journal, views, log }: Foundation, parts: KeeperParts): LeaseKeeper {
  const { sender, manifests, runner, usage, facts, desk } = parts;
  const { provider } = identity.name;
  const encryptionKeys = () => encryptionKeysOf(identity.folder);
  return new LeaseKeeper({
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
      takeSealed({ client: views.newest, facts, provider, encryptionKeys, manifests }, owner, dseq),
    onEnd: (lease) => void desk.forget(lease),
    observer: desk.teller,
    log: log.child({ part: 'leases' }),
  });
}
