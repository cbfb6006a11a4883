/** The checks of one line, each from the proved records and from what the lines before have left. */
import { equalBytes } from '@mu/lib/bytes';
import { type BillLine, BillLineKind } from '@mu/proto/billing';
import { atomics, atomicsPerUmu, costOfBlocks, priced } from './cost.ts';
import { BillError } from './errors.ts';
import { checkEvidence } from './report.ts';
import type { LeaseBill, Walk } from './walk.ts';

const logRootBytes = 32;
const hashBytes = 32;

/** @throws BillError unless it holds */
function hold(line: BillLine, field: string, holds: boolean, reason: () => string): void {
  if (!holds) throw new BillError(line.line, field, reason());
}

/** That the line is of this bill and not before the one before it. @throws BillError */
export function checkPlace(line: BillLine, { lease }: LeaseBill, at: number, walk: Walk): void {
  const place = BigInt(at + 1);
  if (line.line !== place) throw new BillError(place, 'line', `line ${line.line} stands in its place`);
  hold(line, 'lease', line.lease === lease.number, () => `is of lease ${line.lease}, not ${lease.number}`);
  hold(line, 'height', line.height >= walk.height, () => `block ${line.height} is before ${walk.height}`);
  hold(line, 'to_height', line.toHeight <= line.height, () => `ends at ${line.toHeight}, paid in ${line.height}`);
  const isHash = line.txHash.length === 0 || line.txHash.length === hashBytes;
  hold(line, 'tx_hash', isHash, () => `has ${line.txHash.length} bytes, not ${hashBytes}`);
  const { closedHeight } = lease;
  const isInside = closedHeight === 0n || line.toHeight <= closedHeight;
  hold(line, 'to_height', isInside, () => `ends at ${line.toHeight}, the lease at ${closedHeight}`);
}

/** A line of blocks: they follow the last ones, at the price of the lease. @throws BillError */
export function checkBlocks(line: BillLine, { lease }: LeaseBill, walk: Walk): void {
  const next = walk.billedThrough + 1n;
  // Blocks without funds are not billed: after a line that was not paid in full the next may begin later.
  const follows = line.fromHeight === next || (walk.ranDry && line.fromHeight > next);
  hold(line, 'from_height', follows, () => `begins at ${line.fromHeight}, the blocks before end at ${next - 1n}`);
  hold(line, 'to_height', line.toHeight >= line.fromHeight, () => `ends at ${line.toHeight}, before it begins`);
  const price = atomics(lease.pricePerBlock);
  const asked = atomics(line.pricePerBlock);
  hold(line, 'price_per_block', asked === price, () => `is ${asked}, the lease says ${price} (10⁻¹⁸ umu)`);
  const bare = line.items.length + line.nodeId.length + line.logRoot.length + line.signature.length === 0;
  hold(line, 'items', bare && line.sequence === 0n, () => 'a line of blocks has no report');
  const cost = costOfBlocks(price, line.toHeight - line.fromHeight + 1n);
  hold(line, 'cost', atomics(line.cost) === cost, () => `is ${line.cost}, blocks × price is ${cost} (10⁻¹⁸ umu)`);
}

/** A line of usage: the node's next report, signed by it, at the prices that the lease fixed. @throws BillError */
export function checkUsage(line: BillLine, bill: LeaseBill, walk: Walk): void {
  const { lease, nodes, chainId } = bill;
  const last = walk.reported.get(line.nodeId) ?? { sequence: 0n, toHeight: lease.createdHeight };
  hold(line, 'sequence', line.sequence === last.sequence + 1n, () => `is ${line.sequence} after ${last.sequence}`);
  const from = last.toHeight + 1n;
  hold(line, 'from_height', line.fromHeight === from, () => `begins at ${line.fromHeight}, expected is ${from}`);
  hold(line, 'to_height', line.toHeight >= line.fromHeight, () => `ends at ${line.toHeight}, before it begins`);
  hold(line, 'price_per_block', atomics(line.pricePerBlock) === 0n, () => 'a line of usage has none');
  const { length } = line.logRoot;
  hold(line, 'log_root', length === logRootBytes, () => `has ${length} bytes, not ${logRootBytes}`);
  checkItems(line, bill);
  checkLimits(line, bill, walk);
  const node = nodes.find(({ nodeId, provider }) => nodeId === line.nodeId && provider === lease.provider);
  checkEvidence(line, node, chainId);
}

/** Each item costs quantity × price / per of the fixed list, and they ascend. */
function checkItems(line: BillLine, { lease, priceList }: LeaseBill): void {
  let sum = 0n;
  for (const [at, item] of line.items.entries()) {
    const name = `items[${at}]`;
    const before = line.items[at - 1];
    const ascends = before === undefined || isBefore(before, item);
    hold(line, name, ascends && item.quantity > 0n, () => `${item.service} ${item.metric} is out of order or 0`);
    const fair = pricedAt(line, name, () => priced(item, lease.usageLimits, priceList));
    const samePrice = atomics(item.price) === atomics(fair.price) && item.per === fair.per;
    hold(line, `${name}.price`, samePrice, () => `${item.metric} is billed at another price than the lease's list`);
    const same = atomics(item.cost) === atomics(fair.cost);
    hold(line, `${name}.cost`, same, () => `is ${item.cost}, quantity × price / per is ${fair.cost} (10⁻¹⁸ umu)`);
    sum += atomics(fair.cost);
  }
  hold(line, 'cost', atomics(line.cost) === sum, () => `is ${line.cost}, the items cost ${sum} (10⁻¹⁸ umu)`);
}

function pricedAt<T>(line: BillLine, field: string, price: () => T): T {
  try {
    return price();
  } catch (error) {
    if (error instanceof RangeError) throw new BillError(line.line, field, error.message);
    throw error;
  }
}

function isBefore(a: { service: string; metric: string }, b: { service: string; metric: string }): boolean {
  return a.service === b.service ? a.metric < b.metric : a.service < b.service;
}

/** The user's limit holds in the report, and over all nodes up to the last block that any of them has reported. */
function checkLimits(line: BillLine, { lease }: LeaseBill, walk: Walk): void {
  const ends = [line.toHeight, ...[...walk.reported.values()].map(({ toHeight }) => toHeight)];
  const through = ends.reduce((a, b) => (a > b ? a : b));
  for (const { metric, maxQuantityPerBlock } of lease.usageLimits) {
    const own = line.items.filter((item) => item.metric === metric).reduce((sum, item) => sum + item.quantity, 0n);
    if (own === 0n) continue;
    const blocks = line.toHeight - line.fromHeight + 1n;
    const all = (walk.used.get(metric) ?? 0n) + own;
    const within = own <= maxQuantityPerBlock * blocks && all <= maxQuantityPerBlock * (through - lease.createdHeight);
    hold(line, 'items', within, () => `${metric} is above the usage limit of ${maxQuantityPerBlock} a block`);
  }
}

/** Whole umu of cost and carried remainder are paid or unpaid; what is below one is carried. @throws BillError */
export function checkPayment(line: BillLine, { lease }: LeaseBill, walk: Walk): void {
  const before = atomics(line.remainderBefore);
  if (before !== walk.remainder) {
    // The end of a lease drops its remainder; reports that come later begin at 0, once.
    const isDropped = before === 0n && !walk.dropped && lease.closedHeight !== 0n && line.height >= lease.closedHeight;
    hold(line, 'remainder_before', isDropped, () => `is ${before}, carried are ${walk.remainder} (10⁻¹⁸ umu)`);
    walk.dropped = true;
  }
  const total = atomics(line.cost) + before;
  const [amount, commission, unpaid] = [umu(line, 'amount'), umu(line, 'commission'), umu(line, 'unpaid')];
  const whole = total / atomicsPerUmu;
  hold(line, 'amount', amount + unpaid === whole, () => `${amount} paid and ${unpaid} unpaid are not ${whole} umu`);
  hold(line, 'commission', commission <= amount, () => `${commission} is above the amount ${amount}`);
  const rest = unpaid === 0n ? total % atomicsPerUmu : 0n;
  const after = atomics(line.remainderAfter);
  hold(line, 'remainder_after', after === rest, () => `is ${after}, ${rest} are left (10⁻¹⁸ umu)`);
}

function umu(line: BillLine, field: 'amount' | 'commission' | 'unpaid'): bigint {
  const text = line[field];
  hold(line, field, /^(0|[1-9]\d{0,77})$/.test(text), () => `"${text}" is no amount`);
  return BigInt(text);
}

/** What the next line builds on. */
export function goOn(line: BillLine, walk: Walk): void {
  walk.height = line.height;
  walk.remainder = atomics(line.remainderAfter);
  walk.amount += BigInt(line.amount);
  walk.commission += BigInt(line.commission);
  walk.unpaid += BigInt(line.unpaid);
  if (line.kind === BillLineKind.BILL_LINE_KIND_LEASE) {
    walk.billedThrough = line.toHeight;
    walk.ranDry = line.unpaid !== '0';
    if (!walk.ranDry) walk.blocks += line.toHeight - line.fromHeight + 1n;
    return;
  }
  walk.reports += 1;
  walk.reported.set(line.nodeId, { sequence: line.sequence, toHeight: line.toHeight });
  for (const { metric, quantity } of line.items) walk.used.set(metric, (walk.used.get(metric) ?? 0n) + quantity);
}

/** @throws BillError where the bill's hash is not the proved one: a line was changed, or is missing, or too many */
export function checkHash(proved: Uint8Array, walk: Walk): void {
  const empty = proved.length === 0 && walk.hash.every((byte) => byte === 0);
  if (!empty && !equalBytes(proved, walk.hash))
    throw new BillError(0n, 'bill_hash', 'the lines do not chain to the proved hash: one of them was changed');
}
