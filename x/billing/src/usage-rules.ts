/** The chain of trust from a lease to a report, as pure rules (design §5 billing, "UpdateUsage"). */

import { signatureLength } from '@mu/framework/ed25519';
import type { UsageItem, UsageRecord, UsageReport } from '@mu/proto/billing';
import type { UsageLimit } from '@mu/proto/deployment';
import type { Lease } from '@mu/proto/market';
import { type Metric, type Node, RemovalReason } from '@mu/proto/provider';
import {
  errAboveUsageLimit,
  errImpossibleQuantity,
  errItemsUnsorted,
  errNodeCompromised,
  errNodeNotValid,
  errNodeRetired,
  errPeriodAhead,
  errPeriodNotNext,
  errPeriodOutside,
  errReportMalformed,
  errTooManyItems,
  errUnknownMetric,
  errWindowOver,
  errWrongSequence,
  errZeroQuantity,
} from './errors.ts';

const logRootLength = 32;
/** As x/provider has it. */
const nodeIdPattern = /^[a-z0-9-]{1,64}$/;
/** A service's name: ASCII, so that the order of UTF-16 units is the order of bytes. */
const serviceNamePattern = /^[\x21-\x7e]{1,64}$/;

/** What can be seen of a report alone. @throws AbciError */
export function checkReport(report: UsageReport, signature: Uint8Array, maxItems: number): void {
  if (report.lease === 0n) throw errReportMalformed.wrap('lease is 0');
  if (!nodeIdPattern.test(report.nodeId)) throw errReportMalformed.wrap('node_id is not 1 to 64 of a-z, 0-9, -');
  if (report.logRoot.length !== logRootLength) throw errReportMalformed.wrap(`log_root has not ${logRootLength} bytes`);
  if (signature.length !== signatureLength) throw errReportMalformed.wrap(`signature has not ${signatureLength} bytes`);
  if (report.fromHeight > report.toHeight) throw errReportMalformed.wrap('from_height is after to_height');
  checkItems(report.items, maxItems);
}

function checkItems(items: readonly UsageItem[], maxItems: number): void {
  if (items.length > maxItems) throw errTooManyItems.wrap(`${items.length} items, allowed are ${maxItems}`);
  let last: UsageItem | undefined;
  for (const item of items) {
    if (!serviceNamePattern.test(item.service))
      throw errReportMalformed.wrap('service is not 1 to 64 ASCII characters');
    // Nobody knows the metric yet: its name may be as long as a transaction.
    const name = `${item.service} ${item.metric.slice(0, 64)}`;
    if (item.quantity === 0n) throw errZeroQuantity.wrap(name);
    if (last !== undefined && !isBefore(last, item)) throw errItemsUnsorted.wrap(name);
    last = item;
  }
}

function isBefore(a: UsageItem, b: UsageItem): boolean {
  return a.service === b.service ? a.metric < b.metric : a.service < b.service;
}

/** Reports of an ended lease are taken for `usage_window_blocks` after its end. @throws AbciError */
export function checkWindow(lease: Lease, height: bigint, usageWindowBlocks: bigint): void {
  if (lease.closedHeight === 0n) return;
  const last = lease.closedHeight + usageWindowBlocks;
  if (height > last) throw errWindowOver.wrap(`lease ${lease.number} took reports up to block ${last}`);
}

/**
 * A node's reports follow one another without gap and overlap; the first one begins at the lease's first block, which is
 * created_height + 1, as with its payment.
 * @param record of the node's last report; undefined before the first
 * @throws AbciError
 */
export function checkPeriod(report: UsageReport, record: UsageRecord | undefined, lease: Lease, height: bigint): void {
  const sequence = (record?.sequence ?? 0n) + 1n;
  if (report.sequence !== sequence) throw errWrongSequence.wrap(`sequence ${report.sequence}, expected ${sequence}`);
  const from = (record?.toHeight ?? lease.createdHeight) + 1n;
  if (report.fromHeight !== from) throw errPeriodNotNext.wrap(`from_height ${report.fromHeight}, expected ${from}`);
  if (report.toHeight > height) throw errPeriodAhead.wrap(`to_height ${report.toHeight}, block ${height}`);
  if (lease.closedHeight !== 0n && report.toHeight > lease.closedHeight) {
    throw errPeriodOutside.wrap(`to_height ${report.toHeight}, the lease ended at ${lease.closedHeight}`);
  }
}

/**
 * A report is judged by the node's validity at to_height. One that was retired may still report what came before; a
 * compromised key proves nothing any more.
 * @throws AbciError
 */
export function checkNode(node: Node, toHeight: bigint): void {
  if (node.removedHeight !== 0n) {
    if (node.removalReason !== RemovalReason.REMOVAL_REASON_RETIRED) throw errNodeCompromised.wrap(node.nodeId);
    if (toHeight >= node.removedHeight) throw errNodeRetired.wrap(`${node.nodeId} at ${node.removedHeight}`);
  }
  if (toHeight < node.validFromHeight || toHeight > node.validToHeight) {
    throw errNodeNotValid.wrap(`${node.nodeId} holds from ${node.validFromHeight} to ${node.validToHeight}`);
  }
}

/** The quantities of a report by metric, over all its services, ascending by metric. */
export function quantitiesByMetric(items: readonly UsageItem[]): [metric: string, quantity: bigint][] {
  const sums = new Map<string, bigint>();
  for (const { metric, quantity } of items) sums.set(metric, (sums.get(metric) ?? 0n) + quantity);
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A quantity and the blocks in which it was used: once for the report, once for the whole lease. */
export interface QuantityOver {
  readonly quantity: bigint;
  readonly blocks: bigint;
}

/**
 * The metric of that name. It is looked up before the name becomes a part of a key: keys are bounded, names in a report are not.
 * @throws AbciError
 */
export function requireMetric(name: string, metrics: readonly Metric[]): Metric {
  const known = metrics.find((candidate) => candidate.name === name);
  if (known === undefined) throw errUnknownMetric.wrap(name.slice(0, 64));
  return known;
}

/**
 * A metric stays within its physical bound and the user's limit, in the report and in the lease over all nodes.
 * @throws AbciError
 */
export function checkQuantity(known: Metric, uses: readonly QuantityOver[], limits: readonly UsageLimit[]): void {
  const { name: metric } = known;
  const limit = limits.find((candidate) => candidate.metric === metric);
  for (const { quantity, blocks } of uses) {
    if (known.maxPerBlock !== 0n && quantity > known.maxPerBlock * blocks) {
      throw errImpossibleQuantity.wrap(`${quantity} of ${metric} in ${blocks} blocks`);
    }
    if (limit !== undefined && quantity > limit.maxQuantityPerBlock * blocks) {
      throw errAboveUsageLimit.wrap(`${quantity} of ${metric} in ${blocks} blocks`);
    }
  }
}
