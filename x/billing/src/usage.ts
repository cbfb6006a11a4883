/** UpdateUsage: the ladder from the sender to the payment, cheap checks before dear ones. */
import type { Context } from '@mu/framework/context';
import { verifyEd25519, verifyGas } from '@mu/framework/ed25519';
import { usageSignBytes } from '@mu/lib/sign-bytes';
import { type MsgUpdateUsage, UsageRecord, UsageReport, UsageTotal } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import type { PriceList } from '@mu/proto/provider';
import { priceItems } from './cost.ts';
import {
  errLeaseNotFound,
  errNodeNotFound,
  errNotActing,
  errPriceListNotFound,
  errReportMalformed,
  errWrongSignature,
} from './errors.ts';
import type { BillingKeeper, PaidLease } from './keeper.ts';
import * as state from './state.ts';
import {
  checkNode,
  checkPeriod,
  checkQuantity,
  checkReport,
  checkWindow,
  quantitiesByMetric,
  requireMetric,
} from './usage-rules.ts';
import { intFromWire, intToWire } from './wire.ts';

/** Checks a report, records it and pays for it. @throws AbciError, each reason with a code of its own */
export function updateUsage(ctx: Context, keeper: BillingKeeper, message: MsgUpdateUsage): PaidLease {
  const { deps } = keeper;
  const params = keeper.params(ctx);
  const report = message.report;
  if (report === undefined) throw errReportMalformed.wrap('no report');
  checkReport(report, message.signature, params.maxItems);
  const lease = deps.market.getLease(ctx, report.lease);
  if (lease === undefined) throw errLeaseNotFound.wrap(`${report.lease}`);
  if (!deps.provider.isActing(ctx, lease.provider, message.sender)) throw errNotActing.wrap(message.sender);
  checkWindow(lease, ctx.height, params.usageWindowBlocks);
  checkPeriod(report, state.usageRecords.get(ctx, [lease.number, report.nodeId]), lease, ctx.height);
  checkSigner(ctx, keeper, lease, report, message.signature);
  recordUsage(ctx, keeper, lease, report);
  const priced = priceItems(report.items, lease.usageLimits, priceListOf(ctx, keeper, lease));
  return keeper.payUsage(ctx, lease, { report, signature: message.signature }, priced);
}

/** provider → node → report: the node is the provider's, holds at to_height, and has signed exactly this report. */
function checkSigner(
  ctx: Context,
  keeper: BillingKeeper,
  lease: Lease,
  report: UsageReport,
  signature: Uint8Array,
): void {
  const node = keeper.deps.provider.getNode(ctx, lease.provider, report.nodeId);
  if (node === undefined) throw errNodeNotFound.wrap(report.nodeId);
  checkNode(node, report.toHeight);
  ctx.gas.consume(verifyGas, 'usage report: ed25519');
  const signed = usageSignBytes(ctx.chain.chainId, UsageReport.encode(report).finish());
  if (!verifyEd25519(node.publicKey, signed, signature)) throw errWrongSignature.wrap(report.nodeId);
}

/** Checks the quantities over all nodes of the lease and writes the node's record and the lease's totals. */
function recordUsage(ctx: Context, keeper: BillingKeeper, lease: Lease, report: UsageReport): void {
  const { metrics } = keeper.deps.provider.params(ctx);
  const blocks = report.toHeight - report.fromHeight + 1n;
  const leaseBlocks = reportedThrough(ctx, report) - lease.createdHeight;
  for (const [metric, quantity] of quantitiesByMetric(report.items)) {
    const known = requireMetric(metric, metrics);
    const key = [lease.number, metric] as const;
    const total = intFromWire(state.usageTotals.get(ctx, key)?.quantity ?? '') + quantity;
    const uses = [
      { quantity, blocks },
      { quantity: total, blocks: leaseBlocks },
    ];
    checkQuantity(known, uses, lease.usageLimits);
    state.usageTotals.set(ctx, key, UsageTotal.create({ lease: lease.number, metric, quantity: intToWire(total) }));
  }
  const { nodeId, sequence, toHeight } = report;
  const record = UsageRecord.create({ lease: lease.number, nodeId, sequence, toHeight });
  state.usageRecords.set(ctx, [lease.number, nodeId], record);
}

/**
 * The last block that any node of the lease has reported, this report included: the totals of the lease stand for the
 * blocks up to there, so nodes may report in any order.
 */
function reportedThrough(ctx: Context, report: UsageReport): bigint {
  let through = report.toHeight;
  for (const [, { toHeight }] of state.usageRecords.iterate(ctx, { prefix: [report.lease] })) {
    if (toHeight > through) through = toHeight;
  }
  return through;
}

/** The list that was fixed in the lease; a lease without one has only free metrics. */
function priceListOf(ctx: Context, keeper: BillingKeeper, lease: Lease): PriceList | undefined {
  if (lease.priceListVersion === 0n) return undefined;
  const list = keeper.deps.provider.priceList(ctx, lease.provider, lease.priceListVersion);
  if (list === undefined) throw errPriceListNotFound.wrap(`${lease.provider} version ${lease.priceListVersion}`);
  return list;
}
