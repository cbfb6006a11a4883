/** Takes up what the watch tells of leases: first they are known and confirmed, then what is over is swept. */
import { messageOf } from '@mu/lib/error-message';
import type { Logger } from 'pino';
import type { TenantDesk } from '../api/tenant-desk.ts';
import type { Bidder } from '../bidding/bidder.ts';
import { Troubles } from '../troubles.ts';
import { Arrivals } from '../watch/arrivals.ts';
import type { MarketListener } from '../watch/market-watch.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { LinkKeeper } from './link-keeper.ts';

export interface LeaseListenerOptions {
  readonly keeper: Pick<LeaseKeeper, 'lease' | 'deployment' | 'height' | 'sweep' | 'living'>;
  readonly links: Pick<LinkKeeper, 'deployment' | 'provider' | 'height'>;
  /** the exchange of manifests: told of updates, and of blocks once leases are known */
  readonly peers: { deployment(owner: string, dseq: bigint): void; height(height: bigint): void };
  readonly desk: Pick<TenantDesk, 'leases' | 'keepOnly'>;
  readonly bidder: Pick<Bidder, 'leasesTold'>;
  /** the last block that the watch has told of */
  readonly seen: { height: bigint };
  readonly log: Logger;
}

export function leaseListener({ keeper, links, peers, desk, bidder, seen, log }: LeaseListenerOptions): MarketListener {
  const arrivals = new Arrivals();
  let isSwept = true;
  const sweep = async (): Promise<void> => {
    try {
      await keeper.sweep();
      await desk.keepOnly(await keeper.living(await desk.leases()));
      isSwept = true;
    } catch (error) {
      // The engine is away, or a volume is busy: what lives is kept and bid for all the same.
      const reason = messageOf(error);
      log.warn({ reason }, 'what is left of leases that are over cannot be swept now, it is tried again');
    }
  };
  return {
    lease: (lease) => arrivals.add(() => keeper.lease(lease)),
    deployment: ({ owner, dseq }) => {
      peers.deployment(owner, dseq);
      return arrivals.add(() => keeper.deployment(owner, dseq));
    },
    participants: (id) => links.deployment(id),
    provider: (owner) => links.provider(owner),
    async height(height, complete) {
      seen.height = height;
      // Nobody waits for it: while peers are looked at, leases are confirmed.
      links.height(complete);
      const troubles = new Troubles();
      await troubles.keep(arrivals.taken());
      // Nobody waits for it.
      peers.height(height);
      // One that cannot be taken up keeps no other from being confirmed.
      await keeper.height(height);
      // The bidder must not hear that all leases are known where one is not: what it holds would be sold again.
      troubles.raise();
      if (complete) isSwept = false;
      if (!isSwept) await sweep();
      bidder.leasesTold(height);
    },
  };
}
