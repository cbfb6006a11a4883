/**
 * Follows a deployment from its orders to its addresses, block by block. What it tells are changes, each once; it needs
 * nothing but queries, so it can be taken up again at any time.
 */
import { Dec } from '@mu/lib/dec';
import {
  type Fulfillment,
  FulfillmentState,
  type Lease,
  LeaseState,
  ManifestState,
  type Order,
  OrderState,
} from '@mu/proto/market';
import type { ChainClient } from '../chain/chain-client.ts';

/** What happened, as a person follows it. */
export type DeploymentStep =
  | { readonly type: 'order'; readonly order: Order }
  | { readonly type: 'bid'; readonly bid: Fulfillment; readonly total: Dec }
  | { readonly type: 'lease'; readonly lease: Lease }
  | { readonly type: 'confirmed'; readonly lease: Lease }
  | { readonly type: 'answers'; readonly lease: Lease }
  | { readonly type: 'ended'; readonly lease: Lease };

/** How the deployment stands at a height. */
export interface DeploymentView {
  readonly height: bigint;
  readonly orders: readonly Order[];
  readonly bids: readonly Fulfillment[];
  readonly leases: readonly Lease[];
}

export async function viewDeployment(client: ChainClient, owner: string, dseq: bigint): Promise<DeploymentView> {
  const height = BigInt(await client.height());
  const [{ orders }, { leases }] = await Promise.all([
    client.market.orders({ owner, dseq, state: OrderState.ORDER_STATE_UNSPECIFIED }),
    client.market.leases({ owner, dseq, state: LeaseState.LEASE_STATE_UNSPECIFIED }),
  ]);
  const bids = await Promise.all(
    orders.map(({ id }) =>
      client.market.fulfillments({ order: id, state: FulfillmentState.FULFILLMENT_STATE_UNSPECIFIED }),
    ),
  );
  return { height, orders, leases, bids: bids.flatMap(({ fulfillments }) => fulfillments) };
}

export const isLive = (lease: Lease): boolean =>
  lease.state === LeaseState.LEASE_STATE_ACTIVE || lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;

/**
 * The live lease that answers, for each infrastructure that has one: its provider says that all of it runs. One without
 * anything public, or without anything to run, has no endpoints and answers all the same.
 */
export function answering(view: DeploymentView): Lease[] {
  return view.leases.filter((lease) => isLive(lease) && lease.manifestState === ManifestState.MANIFEST_STATE_RUNNING);
}

/** What is new in a view since the one before. Pure. */
export function stepsBetween(before: DeploymentView | undefined, now: DeploymentView): DeploymentStep[] {
  const known = {
    orders: new Set(before?.orders.map(orderName)),
    bids: new Set(before?.bids.map(({ number }) => number)),
    leases: new Map(before?.leases.map((lease) => [lease.number, lease])),
  };
  const steps: DeploymentStep[] = [];
  for (const order of now.orders) if (!known.orders.has(orderName(order))) steps.push({ type: 'order', order });
  for (const bid of now.bids) {
    if (!known.bids.has(bid.number)) steps.push({ type: 'bid', bid, total: Dec.fromAtomics(bid.total) });
  }
  for (const lease of now.leases) steps.push(...leaseSteps(known.leases.get(lease.number), lease));
  return steps;
}

function leaseSteps(before: Lease | undefined, now: Lease): DeploymentStep[] {
  const steps: DeploymentStep[] = [];
  if (before === undefined) steps.push({ type: 'lease', lease: now });
  if ((before?.firstConfirmedHeight ?? 0n) === 0n && now.firstConfirmedHeight > 0n)
    steps.push({ type: 'confirmed', lease: now });
  const answered = before !== undefined && before.endpoints.join() === now.endpoints.join();
  if (now.endpoints.length > 0 && !answered) steps.push({ type: 'answers', lease: now });
  if (!isLive(now) && (before === undefined || isLive(before))) steps.push({ type: 'ended', lease: now });
  return steps;
}

function orderName({ id }: Order): string {
  return `${id?.infrastructure}/${id?.round}`;
}
