/** Pure rules of orders: when they are due, what they ask, when they take bids. */
import { sameAddress } from '@mu/framework/message-registry';
import { parseAmount } from '@mu/lib/amounts';
import { equalBytes } from '@mu/lib/bytes';
import { type Deployment, DeploymentInfrastructure } from '@mu/proto/deployment';
import { type CloseReason, Order, type OrderId, OrderState, type Params } from '@mu/proto/market';
import { errCollateral, errOrderClosed, errOrderMatched, errOrderNotDue } from './errors.ts';

/** How many providers the market itself excludes over the rounds of an infrastructure; the oldest is forgotten first. */
export const maxExcludedByMarket = 32;

/** What a new order is made of. */
export interface NewOrder {
  readonly id: OrderId;
  readonly spec: DeploymentInfrastructure;
  readonly height: bigint;
  /** how long it waits for bids before it may be matched */
  readonly waitBlocks: bigint;
  /** the lease that ends when a lease of this order stands; 0 for none */
  readonly replaces: bigint;
}

export function newOrder({ id, spec, height, waitBlocks, replaces }: NewOrder): Order {
  return Order.fromPartial({
    id,
    spec,
    readyHeight: height + waitBlocks,
    state: OrderState.ORDER_STATE_OPEN,
    createdHeight: height,
    replaces,
  });
}

/** What an order asks; every order of the state has it. */
export function specOf(order: Order): DeploymentInfrastructure {
  if (order.spec === undefined) throw new Error('an order asks for nothing');
  return order.spec;
}

/** @throws AbciError matched (3), closed (4) */
export function assertOpen(order: Order): void {
  if (order.state === OrderState.ORDER_STATE_MATCHED) throw errOrderMatched.wrap(`lease ${order.lease}`);
  if (order.state !== OrderState.ORDER_STATE_OPEN) throw errOrderClosed.bare();
}

/** @throws AbciError matched (3), closed (4), not due (22) */
export function assertDue(order: Order, height: bigint): void {
  assertOpen(order);
  if (order.dueHeight === 0n) throw errOrderNotDue.wrap('it has no bid');
  if (order.dueHeight > height) throw errOrderNotDue.wrap(`it is due at ${order.dueHeight}, this is ${height}`);
}

/** @throws AbciError collateral (36) when a replica's collateral is above the bound */
export function assertCollateral(spec: DeploymentInfrastructure, params: Params): void {
  for (const { collateral } of spec.resources) {
    if (parseAmount(collateral) > parseAmount(params.maxCollateral)) {
      throw errCollateral.wrap(`${collateral} of one replica, at most ${params.maxCollateral}`);
    }
  }
}

/** The order with one more bid: the first one sets when it is due. */
export function withBid(order: Order, height: bigint, params: Params): Order {
  const afterAuction = height + params.minAuctionBlocks;
  const dueHeight = order.openBids > 0 ? order.dueHeight : larger(order.readyHeight, afterAuction);
  return { ...order, openBids: order.openBids + 1, dueHeight };
}

/** The order with one bid less: without any it is not due. */
export function withoutBid(order: Order): Order {
  const openBids = order.openBids - 1;
  return { ...order, openBids, dueHeight: openBids === 0 ? 0n : order.dueHeight };
}

export function matched(order: Order, lease: bigint): Order {
  return { ...order, state: OrderState.ORDER_STATE_MATCHED, lease, openBids: 0, dueHeight: 0n };
}

export function closed(order: Order, reason: CloseReason, height: bigint): Order {
  const over = { closeReason: reason, closedHeight: height, openBids: 0, dueHeight: 0n };
  return { ...order, ...over, state: OrderState.ORDER_STATE_CLOSED };
}

/** What an infrastructure asks beyond the terms that a standing lease can take over as they are. */
function asked(spec: DeploymentInfrastructure): Uint8Array {
  const open = { ...spec, persist: false, expectedUsage: [], excludedProviders: [] };
  return DeploymentInfrastructure.encode(open).finish();
}

/** Whether two infrastructures ask the same, down to the last term. */
export function sameSpec(a: DeploymentInfrastructure, b: DeploymentInfrastructure): boolean {
  return equalBytes(DeploymentInfrastructure.encode(a).finish(), DeploymentInfrastructure.encode(b).finish());
}

/** Whether a lease that was made for `before` also serves what is asked now. */
export function stillServes(
  provider: string,
  before: DeploymentInfrastructure,
  now: DeploymentInfrastructure,
): boolean {
  return equalBytes(asked(before), asked(now)) && !now.excludedProviders.some((one) => sameAddress(one, provider));
}

const includes = (list: readonly string[], one: string): boolean => list.some((other) => sameAddress(one, other));

/** Whom the market excluded from an order, beyond those that its infrastructure then excluded. */
export function excludedByMarket(spec: DeploymentInfrastructure, infrastructure: DeploymentInfrastructure): string[] {
  return spec.excludedProviders.filter((one) => !includes(infrastructure.excludedProviders, one));
}

/**
 * What the next round asks: the infrastructure as it stands, without the providers that the market excludes.
 * @param excluded by the market, those that came first before the later ones
 */
export function nextSpec(
  infrastructure: DeploymentInfrastructure,
  excluded: readonly string[],
): DeploymentInfrastructure {
  const own = infrastructure.excludedProviders;
  const added = excluded.filter((one, at) => !includes(own, one) && !includes(excluded.slice(0, at), one));
  return { ...infrastructure, excludedProviders: [...own, ...added.slice(-maxExcludedByMarket)] };
}

/** The infrastructure at an index; undefined where it was removed. */
export function standingAt(deployment: Deployment, index: number): DeploymentInfrastructure | undefined {
  return deployment.removed.includes(index) ? undefined : deployment.infrastructure[index];
}

/** Whether nobody may ever fulfil it: the one provider that it names is excluded. */
export function isHopeless(spec: DeploymentInfrastructure): boolean {
  return spec.provider !== '' && spec.excludedProviders.some((one) => sameAddress(one, spec.provider));
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
