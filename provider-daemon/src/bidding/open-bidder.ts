/** The bidder as the daemon has it: what it offers, and what tells it when to stop. */
import { existsSync } from 'node:fs';
import type { Sender } from '@mu/client/chain/sender';
import type { Lease } from '@mu/proto/market';
import type { Foundation } from '../foundation.ts';
import type { Containers } from '../leases/container-host.ts';
import { Bidder } from './bidder.ts';
import { feesOf, transactionsAhead } from './fees.ts';
import { type Machine, offeredCapacity } from './machine.ts';
import { drainFile, offerOf } from './offer.ts';
import { PriceScript } from './price-script.ts';

export interface BidderParts {
  readonly sender: Sender;
  readonly machine: Machine;
  readonly containers: Pick<Containers, 'here'> | undefined;
  readonly leases: () => Lease[];
}

/** It bids for nothing before it has been rebuilt. */
export function openBidder({ config, client, identity, priceList, log }: Foundation, parts: BidderParts): Bidder {
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
