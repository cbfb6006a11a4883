/** Events of the market. Each carries what an indexer needs, so that it asks nothing back. */
import type { Context } from '@mu/framework/context';
import type { Failure } from '@mu/framework/errors';
import type { EventAttribute } from '@mu/framework/events';
import {
  CloseReason,
  type Fulfillment,
  type Lease,
  LeaseState,
  LossReason,
  ManifestState,
  type Order,
  type OrderId,
} from '@mu/proto/market';
import type { Division } from './leases.ts';
import { specOf } from './orders.ts';
import { orderIdOf } from './state.ts';

/** `CLOSE_REASON_BY_USER` → `by_user` */
function nameOf(names: Readonly<Record<string, number>>, prefix: string, value: number): string {
  const name = Object.keys(names).find((key) => names[key] === value);
  return name === undefined ? `${value}` : name.slice(prefix.length).toLowerCase();
}

export function reasonName(reason: CloseReason): string {
  return nameOf(CloseReason, 'CLOSE_REASON_', reason);
}

function idAttributes(id: OrderId): EventAttribute[] {
  return [
    ['owner', id.owner],
    ['dseq', `${id.dseq}`],
    ['infrastructure', `${id.infrastructure}`],
    ['round', `${id.round}`],
  ];
}

function bidAttributes(bid: Fulfillment): EventAttribute[] {
  return [
    ...idAttributes(orderIdOf(bid)),
    ['fulfillment', `${bid.number}`],
    ['provider', bid.provider],
    ['total', bid.total],
    ['collateral', bid.collateral],
    ['price_list_version', `${bid.priceListVersion}`],
  ];
}

function leaseAttributes(lease: Lease): EventAttribute[] {
  return [
    ...idAttributes(orderIdOf(lease)),
    ['lease', `${lease.number}`],
    ['provider', lease.provider],
    ['region', lease.region],
  ];
}

export function emitOrderOpened(ctx: Context, order: Order): void {
  const spec = specOf(order);
  ctx.events.emit('order_opened', [
    ...idAttributes(orderIdOf(order)),
    ['region', spec.region],
    ['provider', spec.provider],
    ['services', spec.services.join(',')],
    ['ready_height', `${order.readyHeight}`],
    ['replaces', `${order.replaces}`],
  ]);
}

export function emitOrderClosed(ctx: Context, order: Order): void {
  ctx.events.emit('order_closed', [
    ...idAttributes(orderIdOf(order)),
    ['region', specOf(order).region],
    ['lease', `${order.lease}`],
    ['reason', reasonName(order.closeReason)],
  ]);
}

/** @param order as the bid leaves it */
export function emitBidSubmitted(ctx: Context, bid: Fulfillment, order: Order): void {
  ctx.events.emit('bid_submitted', [
    ...bidAttributes(bid),
    ['region', specOf(order).region],
    ['open_bids', `${order.openBids}`],
    ['due_height', `${order.dueHeight}`],
  ]);
}

export function emitBidCanceled(ctx: Context, bid: Fulfillment): void {
  ctx.events.emit('bid_canceled', bidAttributes(bid));
}

export function emitBidLost(ctx: Context, bid: Fulfillment): void {
  ctx.events.emit('bid_lost', [...bidAttributes(bid), ['reason', nameOf(LossReason, 'LOSS_REASON_', bid.lossReason)]]);
}

export function emitLeaseCreated(ctx: Context, lease: Lease, bid: Fulfillment): void {
  ctx.events.emit('lease_created', [
    ...leaseAttributes(lease),
    ['fulfillment', `${bid.number}`],
    ['price', lease.pricePerBlock],
    ['total', bid.total],
    ['collateral', lease.collateral],
    ['price_list_version', `${lease.priceListVersion}`],
    ['confirm_by', `${lease.confirmBy}`],
    ['replaces', `${lease.replaces}`],
  ]);
}

export function emitLeaseConfirmed(ctx: Context, lease: Lease, paid: bigint, commission: bigint): void {
  ctx.events.emit('lease_confirmed', [
    ...leaseAttributes(lease),
    ['paid', `${paid}`],
    ['commission', `${commission}`],
    ['confirm_by', `${lease.confirmBy}`],
    ['manifest_state', nameOf(ManifestState, 'MANIFEST_STATE_', lease.manifestState)],
    ['manifest_revision', `${lease.manifestRevision}`],
    ['endpoints', lease.endpoints.join(' ')],
  ]);
}

export function emitLeaseOutOfFunds(ctx: Context, lease: Lease): void {
  ctx.events.emit('lease_out_of_funds', [...leaseAttributes(lease), ['grace_until', `${lease.graceUntil}`]]);
}

export function emitLeaseResumed(ctx: Context, lease: Lease): void {
  ctx.events.emit('lease_resumed', [...leaseAttributes(lease), ['confirm_by', `${lease.confirmBy}`]]);
}

export function emitLeaveAnnounced(ctx: Context, lease: Lease): void {
  ctx.events.emit('leave_announced', [...leaseAttributes(lease), ['leave_height', `${lease.leaveHeight}`]]);
}

/** lease_broken or lease_closed, as the state of the lease says. */
export function emitLeaseEnded(ctx: Context, lease: Lease, division: Division, paid: bigint): void {
  ctx.events.emit(lease.state === LeaseState.LEASE_STATE_BROKEN ? 'lease_broken' : 'lease_closed', [
    ...leaseAttributes(lease),
    ['reason', reasonName(lease.closeReason)],
    ['price', lease.pricePerBlock],
    ['paid', `${paid}`],
    ['collateral', lease.collateral],
    ['to_provider', `${division.toProvider}`],
    ['to_user', `${division.toUser}`],
    ['burnt', `${division.burnt}`],
    ['interest', lease.interest],
  ]);
}

/** What the block itself had to do for an order or a lease failed: it is closed for that. */
export function emitMatchFailed(ctx: Context, record: Order | Lease, failure: Failure): void {
  ctx.events.emit('match_failed', [
    ...idAttributes(orderIdOf(record)),
    ['lease', `${'number' in record ? record.number : record.lease}`],
    ['code', `${failure.code}`],
    ['codespace', failure.codespace],
  ]);
}

export function emitParamsUpdated(ctx: Context, authority: string): void {
  ctx.events.emit('market_params_updated', [['authority', authority]]);
}
