/**
 * Tells a bidder of orders, as the node has them at its newest block. It need not prove them as leases are proved: a bid for
 * an order that is not there is refused by the chain, and a block that is won here is one of the few that an auction lasts.
 */
import { type MarketListener, MarketWatch, type MarketWatchOptions } from '../watch/market-watch.ts';
import type { Bidder } from './bidder.ts';

export function orderWatch(
  options: Omit<MarketWatchOptions, 'listener'>,
  bidder: Pick<Bidder, 'order' | 'ordersTold'>,
): MarketWatch {
  const listener: MarketListener = {
    order: (order) => bidder.order(order),
    height: async (_height, complete) => bidder.ordersTold(complete),
  };
  return new MarketWatch({ ...options, listener });
}
