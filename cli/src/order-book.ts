/** The order book as text: pure, from what the chain says at one height. */
import { table } from '@mu/lib/columns';
import { Dec } from '@mu/lib/dec';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { type Fulfillment, FulfillmentState, type Lease, LeaseState, type Order, OrderState } from '@mu/proto/market';
import { orderName } from './order-name.ts';
import { bytesText, duration, grouped, perMonth, secondsOf, wordOf } from './words.ts';

/** What a book is made from. */
export interface Book {
  readonly height: bigint;
  readonly blocksPerYear: bigint;
  readonly denom: string;
  /** with the bids of each */
  readonly orders: readonly { readonly order: Order; readonly bids: readonly Fulfillment[] }[];
  readonly leases: readonly Lease[];
}

/** Bids in the order in which they win: the lowest total, the earlier one on a tie; ended ones behind. */
export function bestFirst(bids: readonly Fulfillment[]): Fulfillment[] {
  const rank = ({ state }: Fulfillment): number =>
    state === FulfillmentState.FULFILLMENT_STATE_OPEN || state === FulfillmentState.FULFILLMENT_STATE_MATCHED ? 0 : 1;
  return [...bids].sort(
    (a, b) => rank(a) - rank(b) || compare(BigInt(a.total), BigInt(b.total)) || compare(a.number, b.number),
  );
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** The most that an infrastructure pays for a block, in atomics of 10⁻¹⁸. */
export function highestPrice({ resources }: DeploymentInfrastructure): bigint {
  return resources.reduce((sum, { price, count }) => sum + BigInt(price || '0') * BigInt(count), 0n);
}

/** The whole book. */
export function bookText(book: Book): string {
  const second = secondsOf(1n, book.blocksPerYear);
  const head = `block ${grouped(book.height)} · a block is about ${Number(second.toPrecision(2))} s · prices in ${book.denom}`;
  const orders = book.orders.length === 0 ? ['no order is open'] : book.orders.map((one) => orderText(one, book));
  const leases = book.leases.length === 0 ? 'no lease' : leaseTable(book);
  return [head, ...orders, `leases\n${indented(leases)}`].join('\n\n');
}

function orderText({ order, bids }: Book['orders'][number], book: Book): string {
  const { spec } = order;
  if (spec === undefined) return `order ${orderName(order.id)}`;
  const lines = [
    `order ${orderName(order.id)}  "${spec.name}" in ${spec.region}`,
    `  asks  ${asked(spec)}`,
    `  pays  at most ${price(highestPrice(spec), book)}; collateral ${grouped(collateralOf(spec))}`,
    `  due   ${dueText(order, book)}`,
    bids.length === 0 ? '  bids  none yet' : `  bids\n${indented(bidTable(bids, book), 4)}`,
  ];
  return lines.join('\n');
}

const indented = (text: string, by = 2): string => text.replace(/^/gm, ' '.repeat(by));

/** `2 × cpu 0.5, memory 512 MiB; services mu-function; tier=gold`. */
function asked(spec: DeploymentInfrastructure): string {
  const groups = spec.resources.map(({ compute, count }) => {
    const parts = [
      `cpu ${Number(compute?.cpu ?? 0) / 1000}`,
      `memory ${bytesText(compute?.memory ?? 0n)}`,
      ...((compute?.disk ?? 0n) > 0n ? [`disk ${bytesText(compute?.disk ?? 0n)}`] : []),
      ...(compute?.gpu === undefined
        ? []
        : [`gpu ${compute.gpu.count} ${compute.gpu.vendor} ${compute.gpu.model}`.trim()]),
    ];
    return `${count} × ${parts.join(', ')}`;
  });
  const attributes = spec.attributes.map(({ key, value }) => `${key}=${value}`);
  return [
    groups.join(' and '),
    ...(spec.services.length === 0 ? [] : [`services ${spec.services.join(', ')}`]),
    ...(attributes.length === 0 ? [] : [attributes.join(', ')]),
    ...(spec.auditedBy.length === 0 ? [] : [`audited by ${spec.auditedBy.join(' or ')}`]),
    ...(spec.provider === '' ? [] : [`only ${spec.provider}`]),
    ...(spec.excludedProviders.length === 0 ? [] : [`not ${spec.excludedProviders.join(', ')}`]),
  ].join('; ');
}

function collateralOf({ resources }: DeploymentInfrastructure): bigint {
  return resources.reduce((sum, { collateral, count }) => sum + BigInt(collateral || '0') * BigInt(count), 0n);
}

/** `40.5 per block (106,515 per month)`. */
function price(atomics: bigint, { blocksPerYear }: Book): string {
  return `${grouped(Dec.fromAtomics(atomics))} per block (${grouped(perMonth(atomics, blocksPerYear))} per month)`;
}

function dueText(order: Order, { height, blocksPerYear }: Book): string {
  if (order.state !== OrderState.ORDER_STATE_OPEN) {
    const lease = order.lease === 0n ? '' : `, lease ${order.lease}`;
    return `${wordOf(OrderState, order.state)}${lease}`;
  }
  const replaces = order.replaces === 0n ? '' : `; replaces lease ${order.replaces}`;
  if (order.dueHeight === 0n)
    return `waits for its first bid, is matched from block ${order.readyHeight} on${replaces}`;
  const left = order.dueHeight - height;
  const when = left <= 0n ? 'now' : `in ${left} blocks, about ${duration(secondsOf(left, blocksPerYear))}`;
  return `block ${order.dueHeight}, ${when}${replaces}`;
}

function bidTable(bids: readonly Fulfillment[], { blocksPerYear }: Book): string {
  const rows = bestFirst(bids).map((bid, at) => [
    at === 0 && bid.state === FulfillmentState.FULFILLMENT_STATE_OPEN ? '→' : '',
    bid.provider,
    grouped(Dec.fromAtomics(bid.total)),
    grouped(perMonth(BigInt(bid.total), blocksPerYear)),
    bid.number.toString(),
    wordOf(FulfillmentState, bid.state),
  ]);
  return table(['', 'PROVIDER', 'PER BLOCK', 'PER MONTH', 'BID', 'STATE'], rows);
}

function leaseTable({ leases, height, blocksPerYear }: Book): string {
  const rows = leases.map((lease) => [
    lease.number.toString(),
    orderName(lease.order),
    lease.provider,
    grouped(Dec.fromAtomics(lease.pricePerBlock)),
    grouped(perMonth(BigInt(lease.pricePerBlock), blocksPerYear)),
    wordOf(LeaseState, lease.state),
    leaseNote(lease, height),
  ]);
  return table(['LEASE', 'ORDER', 'PROVIDER', 'PER BLOCK', 'PER MONTH', 'STATE', 'NOTE'], rows);
}

function leaseNote({ leaveHeight, graceUntil, replaces, endpoints }: Lease, height: bigint): string {
  if (graceUntil > 0n) return `needs a deposit within ${graceUntil - height} blocks`;
  if (leaveHeight > 0n) return `its provider leaves at block ${leaveHeight}`;
  if (replaces > 0n) return `takes over from lease ${replaces}`;
  return endpoints[0] ?? '';
}
