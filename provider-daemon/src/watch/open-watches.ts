/** What the daemon watches of the chain: orders to bid for, and leases as they are proved. */

import type { ChainClient } from '@mu/client/chain/chain-client';
import { messageOf } from '@mu/lib/error-message';
import type { Bidder } from '../bidding/bidder.ts';
import { orderWatch } from '../bidding/order-watch.ts';
import type { Foundation } from '../foundation.ts';
import { type LeaseListenerOptions, leaseListener } from '../leases/lease-listener.ts';
import { MarketWatch, type MarketWatchOptions } from './market-watch.ts';

/** Orders, as the node has them. */
export function openOrders(of: Foundation, bidder: Bidder): MarketWatch {
  return orderWatch(watchOptions(of, of.client), bidder);
}

/** Leases and heights, as they are proved. */
export function openWatch(of: Foundation, told: Omit<LeaseListenerOptions, 'log'>): MarketWatch {
  const listener = leaseListener({ ...told, log: of.log });
  return new MarketWatch({ ...watchOptions(of, of.views.settled), listener });
}

function watchOptions(
  { config, identity, log }: Foundation,
  client: ChainClient,
): Omit<MarketWatchOptions, 'listener'> {
  return {
    client,
    provider: identity.name.provider,
    regions: config.offer.regions,
    pollMs: config.chain.pollMs,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    onTrouble(error) {
      const reason = messageOf(error);
      log.warn({ reason }, 'the node does not answer as it should; trying again');
    },
  };
}
