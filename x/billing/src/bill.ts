/** The lines of a lease's bill: each payment with all that it can be recomputed from. */
import { emptyBillHash, extendBillHash } from '@mu/lib/bill-hash';
import { type BillItem, BillLine, BillLineKind, type UsageReport } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import type { Settlement } from './settle.ts';
import { atomicsFromWire, intFromWire, intToWire } from './wire.ts';

/** What every line has: its place in the bill and the payment. */
export interface Payment {
  /** the lease before the payment */
  readonly lease: Lease;
  readonly height: bigint;
  /** atomics of 10⁻¹⁸ umu */
  readonly cost: bigint;
  readonly settlement: Settlement;
  /** of the transaction that causes it; empty at the end of a block */
  readonly txHash: Uint8Array;
}

/** A report as its node signed it: the evidence of a usage line. */
export interface SignedReport {
  readonly report: UsageReport;
  readonly signature: Uint8Array;
}

/** The line of blocks [fromHeight, toHeight]. */
export function leaseLine(payment: Payment, fromHeight: bigint, toHeight: bigint): BillLine {
  return BillLine.create({
    ...commonOf(payment),
    kind: BillLineKind.BILL_LINE_KIND_LEASE,
    fromHeight,
    toHeight,
    pricePerBlock: atomicsFromWire(payment.lease.pricePerBlock).toString(),
  });
}

/** The line of a usage report. */
export function usageLine(payment: Payment, { report, signature }: SignedReport, items: readonly BillItem[]): BillLine {
  return BillLine.create({
    ...commonOf(payment),
    kind: BillLineKind.BILL_LINE_KIND_USAGE,
    fromHeight: report.fromHeight,
    toHeight: report.toHeight,
    items: [...items],
    nodeId: report.nodeId,
    sequence: report.sequence,
    logRoot: report.logRoot,
    signature,
  });
}

function commonOf({ lease, height, cost, settlement, txHash }: Payment): Partial<BillLine> {
  return {
    lease: lease.number,
    line: lease.billLines + 1n,
    height,
    cost: cost.toString(),
    remainderBefore: atomicsFromWire(lease.remainder).toString(),
    remainderAfter: settlement.remainder.toString(),
    amount: settlement.amount.toString(),
    commission: settlement.commission.toString(),
    unpaid: settlement.unpaid.toString(),
    txHash,
  };
}

/** What a bill hash is extended by: the protobuf bytes of the line as the chain keeps them. */
export function canonicalLine(line: BillLine): Uint8Array {
  return BillLine.encode(line).finish();
}

/** The lease after a line: remainder, sums, and the bill's hash. */
export function withLine(lease: Lease, line: BillLine): Lease {
  const previous = lease.billHash.length === 0 ? emptyBillHash() : lease.billHash;
  const amount = intFromWire(line.amount);
  const commission = intFromWire(line.commission);
  return {
    ...lease,
    remainder: line.remainderAfter,
    paid: intToWire(intFromWire(lease.paid) + amount - commission),
    commission: intToWire(intFromWire(lease.commission) + commission),
    billLines: line.line,
    billHash: Buffer.from(extendBillHash(previous, canonicalLine(line))),
  };
}
