/** What the chain knows of a provider's bids: asked, and put into events for the order machine. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import { allItems } from '@mu/client/chain/pages';
import { parseAmount } from '@mu/lib/amounts';
import { type Fulfillment, FulfillmentState, type Lease, LeaseState, type OrderId } from '@mu/proto/market';
import type { Attestation, PriceList } from '@mu/proto/provider';
import { orderKey } from '../watch/order-key.ts';
import type { BiddingEvent, OwnBid } from './bidding.ts';

/** Queries at a time. */
const maxAsked = 16;

const keyOf = ({ order }: Fulfillment | Lease): string => orderKey(order as OrderId);

/** What a bid or a lease holds. */
export function held({ number, resources, collateral }: Fulfillment | Lease): OwnBid {
  return { number, resources, collateral: parseAmount(collateral) };
}

export async function openBids(client: ChainClient, provider: string): Promise<Fulfillment[]> {
  const state = FulfillmentState.FULFILLMENT_STATE_OPEN;
  return allItems(
    (pagination) => client.market.fulfillments({ provider, state, pagination }),
    ({ fulfillments }) => fulfillments,
  );
}

/**
 * Bids that the state does not know: of before a restart. One that was matched before the watch has told of its lease still
 * holds what the lease will hold.
 * @param known keys of orders with a bid or a lease here
 */
export async function unknownBids(
  client: ChainClient,
  provider: string,
  known: ReadonlySet<string>,
): Promise<BiddingEvent[]> {
  const bids = await openBids(client, provider);
  const leases = await allItems(
    (pagination) => client.market.leases({ provider, state: LeaseState.LEASE_STATE_ACTIVE, pagination }),
    (page) => page.leases,
  );
  return [
    ...bids
      .filter((bid) => !known.has(keyOf(bid)))
      .map((bid): BiddingEvent => ({ type: 'bid', key: keyOf(bid), bid: held(bid) })),
    ...leases
      .filter((lease) => !known.has(keyOf(lease)))
      .flatMap((lease): BiddingEvent[] => [
        { type: 'bid', key: keyOf(lease), bid: held(lease) },
        { type: 'matched', key: keyOf(lease), height: lease.createdHeight },
      ]),
  ];
}

/** How bids stand now. @param asked by the key of their order */
export async function checkBids(
  client: ChainClient,
  provider: string,
  asked: ReadonlyMap<string, OwnBid>,
): Promise<BiddingEvent[]> {
  if (asked.size === 0) return [];
  const open = new Set((await openBids(client, provider)).map(({ number }) => number));
  const events: BiddingEvent[] = [];
  const gone: [string, OwnBid][] = [];
  for (const [key, bid] of asked) {
    if (open.has(bid.number)) events.push({ type: 'stands', key });
    else gone.push([key, bid]);
  }
  for (let at = 0; at < gone.length; at += maxAsked) {
    const some = gone.slice(at, at + maxAsked);
    events.push(...(await Promise.all(some.map(([key, bid]) => fateOf(client, key, bid)))));
  }
  return events;
}

async function fateOf(client: ChainClient, key: string, { number }: OwnBid): Promise<BiddingEvent> {
  const found = await unlessMissing(client.market.fulfillment({ number }));
  switch (found?.fulfillment?.state) {
    case FulfillmentState.FULFILLMENT_STATE_OPEN:
      return { type: 'stands', key };
    case FulfillmentState.FULFILLMENT_STATE_MATCHED:
      return { type: 'matched', key, height: found.fulfillment.closedHeight };
    case FulfillmentState.FULFILLMENT_STATE_CANCELED:
      return { type: 'canceled', key };
    default:
      return { type: 'lost', key };
  }
}

/** What the registry says of the provider beside its own config. */
export interface RegistryFacts {
  readonly attestations: readonly Attestation[];
  /** the latest, the only one that a bid may name; undefined before the first */
  readonly priceList: PriceList | undefined;
}

export async function registryFacts(client: ChainClient, owner: string): Promise<RegistryFacts> {
  const attestations = await allItems(
    (pagination) => client.provider.attestations({ owner, pagination }),
    (page) => page.attestations,
  );
  const latest = await unlessMissing(client.provider.priceList({ owner, version: 0n }));
  return { attestations, priceList: latest?.priceList };
}
