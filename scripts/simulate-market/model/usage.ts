/** Usage reports (x/billing/README.md "UpdateUsage"). */
import { usageSignBytes } from '@mu/lib/sign-bytes';
import { type BillItem, type MsgUpdateUsage, type UsageItem, UsageReport } from '@mu/proto/billing';
import { Fraction, sumOf } from '../fraction.ts';
import { pay } from './funds.ts';
import { leaseOf } from './lookups.ts';
import { isAboveLimit } from './offers.ts';
import { acts, isSignedBy, listOf } from './providers.ts';
import type { ModelLease, ModelNode } from './records.ts';
import { found, need } from './refusal.ts';
import type { World } from './world.ts';

const space = 'billing';
const greatest = Fraction.of(10n ** 36n);

export function updateUsage(world: World, { sender, report: given, signature }: MsgUpdateUsage): object {
  const report = found(given, space, 18);
  needForm(world, report, signature);
  const lease = found(leaseOf(world, report.lease), space, 16);
  need(acts(world, lease.provider, sender), space, 17);
  const { usageWindowBlocks } = world.single('billing');
  need(lease.closed === 0n || world.height <= lease.closed + usageWindowBlocks, space, 23);
  needPeriod(world, lease, report);
  needNode(world, lease, report, signature);
  record(world, lease, report);
  const { items, cost } = priced(world, lease, report.items);
  const period = { fromHeight: report.fromHeight, toHeight: report.toHeight, items };
  const evidence = { nodeId: report.nodeId, sequence: report.sequence, logRoot: report.logRoot, signature };
  const { paid, commission } = pay(world, lease, { fields: { kind: 2, ...period, ...evidence }, cost });
  return { paid: `${paid}`, commission: `${commission}` };
}

function needForm(world: World, report: UsageReport, signature: Uint8Array): void {
  const isFormed = report.lease !== 0n && /^[a-z0-9-]{1,64}$/.test(report.nodeId) && report.logRoot.length === 32;
  need(isFormed && signature.length === 64 && report.fromHeight <= report.toHeight, space, 18);
  need(report.items.length <= world.single('billing').maxItems, space, 19);
  report.items.forEach((item, at) => {
    need(/^[\x21-\x7e]{1,64}$/.test(item.service), space, 18);
    need(item.quantity > 0n, space, 21);
    const before = report.items[at - 1];
    need(before === undefined || `${before.service}\0${before.metric}` < `${item.service}\0${item.metric}`, space, 20);
  });
}

function needPeriod(world: World, lease: ModelLease, report: UsageReport): void {
  const last = usageOf(world, report);
  need(report.sequence === (last?.sequence ?? 0n) + 1n, space, 24);
  need(report.fromHeight === (last?.to ?? lease.created) + 1n, space, 25);
  need(report.toHeight <= world.height, space, 27);
  need(lease.closed === 0n || report.toHeight <= lease.closed, space, 26);
}

const usageOf = (world: World, { lease, nodeId }: UsageReport) =>
  world.lists.usage.find((one) => one.lease === lease && one.nodeId === nodeId);

function needNode(world: World, lease: ModelLease, report: UsageReport, signature: Uint8Array): void {
  const isIt = ({ node }: ModelNode): boolean => node.provider === lease.provider && node.nodeId === report.nodeId;
  const { node, removed, reason } = found(world.lists.node.find(isIt), space, 30);
  need(removed === 0n || reason === 1, space, 33);
  need(removed === 0n || report.toHeight < removed, space, 32);
  need(report.toHeight >= node.validFromHeight && report.toHeight <= node.validToHeight, space, 31);
  const signed = usageSignBytes(world.chainId, UsageReport.encode(report).finish());
  need(isSignedBy(node.publicKey, signed, signature), space, 34);
}

/** Quantities stay within the bounds, in the report and over all nodes of the lease. */
function record(world: World, lease: ModelLease, report: UsageReport): void {
  const others = world.lists.usage.filter((one) => one.lease === lease.number).map(({ to }) => to);
  const through = [report.toHeight, ...others].reduce((a, b) => (a > b ? a : b));
  const blocks = { report: report.toHeight - report.fromHeight + 1n, lease: through - lease.created };
  for (const metric of [...new Set(report.items.map((item) => item.metric))].sort()) {
    const own = report.items.filter((item) => item.metric === metric);
    const quantity = own.reduce((sum, item) => sum + item.quantity, 0n);
    const total = world.lists.total.find((one) => one.lease === lease.number && one.metric === metric);
    const all = quantity + (total?.quantity ?? 0n);
    needBounds(world, lease, metric, quantity, blocks.report);
    needBounds(world, lease, metric, all, blocks.lease);
    if (total === undefined) world.add({ kind: 'total', lease: lease.number, metric, quantity: all });
    else world.change(total, { quantity: all });
  }
  const last = usageOf(world, report);
  const now = { sequence: report.sequence, to: report.toHeight };
  if (last === undefined) world.add({ kind: 'usage', lease: lease.number, nodeId: report.nodeId, ...now });
  else world.change(last, now);
}

function needBounds(world: World, lease: ModelLease, metric: string, quantity: bigint, blocks: bigint): void {
  const known = found(
    world.single('provider').metrics.find(({ name }) => name === metric),
    space,
    22,
  );
  need(known.maxPerBlock === 0n || quantity <= known.maxPerBlock * blocks, space, 28);
  const limit = lease.limits.find((one) => one.metric === metric);
  need(limit === undefined || quantity <= limit.maxQuantityPerBlock * blocks, space, 29);
}

/** Items by the list that the lease fixed; what has no limit or no price is free. */
function priced(world: World, lease: ModelLease, items: readonly UsageItem[]): { items: BillItem[]; cost: Fraction } {
  const list = lease.version === 0n ? undefined : found(listOf(world, lease.provider, lease.version), space, 35);
  const costs: Fraction[] = [];
  const lines = items.map((item): BillItem => {
    const limit = lease.limits.find(({ metric }) => metric === item.metric);
    const price = list?.prices.find(({ metric }) => metric === item.metric);
    if (limit === undefined || price === undefined) return { ...item, price: '0', per: 1n, cost: '0' };
    need(!isAboveLimit(price, limit), space, 36);
    const cost = Fraction.ofAtomics(price.price).times(item.quantity).over(price.per).cut();
    costs.push(cost);
    return { ...item, price: price.price, per: price.per, cost: cost.atomics() };
  });
  const cost = sumOf(costs);
  need(!cost.isAbove(greatest), space, 37);
  return { items: lines, cost };
}
