/**
 * Recomputes a bill without trust: the lines come from anywhere, the lease, its price list and its nodes are proved. Written
 * against x/billing's README and not with its code, so that a mistake there would show here.
 */
import { extendBillHash } from '@mu/lib/bill-hash';
import { DecError } from '@mu/lib/dec';
import { BillLine, BillLineKind } from '@mu/proto/billing';
import { type Lease, LeaseState } from '@mu/proto/market';
import { atomics } from './cost.ts';
import { BillError, type BillFault, faultOf } from './errors.ts';
import { checkBlocks, checkHash, checkPayment, checkPlace, checkUsage, goOn } from './lines.ts';
import { beginningOf, type LeaseBill, type Walk } from './walk.ts';

/** What was verified of a lease's bill. Amounts are umu. */
export interface BillCheck {
  readonly lease: bigint;
  /** lines that were found right */
  readonly lines: number;
  /** blocks that were paid in full */
  readonly blocks: bigint;
  /** usage reports whose signatures were verified */
  readonly reports: number;
  /** left the escrow, commission included */
  readonly amount: bigint;
  readonly commission: bigint;
  readonly unpaid: bigint;
  /** the first thing that is wrong; undefined: nothing is */
  readonly fault: BillFault | undefined;
}

/** Checks a lease's bill line by line, then as a whole against the proved lease. */
export function verifyBill(bill: LeaseBill): BillCheck {
  const walk = beginningOf(bill.lease);
  let lines = 0;
  const fault = faultOf(() => {
    for (const [at, line] of bill.lines.entries()) {
      checkLine(line, bill, at, walk);
      lines += 1;
    }
    checkWhole(bill, walk);
  });
  const { blocks, reports, amount, commission, unpaid } = walk;
  return { lease: bill.lease.number, lines, blocks, reports, amount, commission, unpaid, fault };
}

function checkLine(line: BillLine, bill: LeaseBill, at: number, walk: Walk): void {
  try {
    checkPlace(line, bill, at, walk);
    if (line.kind === BillLineKind.BILL_LINE_KIND_LEASE) checkBlocks(line, bill, walk);
    else if (line.kind === BillLineKind.BILL_LINE_KIND_USAGE) checkUsage(line, bill, walk);
    else throw new BillError(line.line, 'kind', `${line.kind} is no kind of line`);
    checkPayment(line, bill, walk);
  } catch (error) {
    if (error instanceof DecError) throw new BillError(line.line, 'cost', error.message);
    throw error;
  }
  goOn(line, walk);
  walk.hash = extendBillHash(walk.hash, BillLine.encode(line).finish());
}

function checkWhole({ lease, lines }: LeaseBill, walk: Walk): void {
  const wrong = (field: string, is: bigint | number, proved: bigint): BillError =>
    new BillError(0n, field, `the lines give ${is}, the proved lease says ${proved}`);
  if (BigInt(lines.length) !== lease.billLines) throw wrong('bill_lines', lines.length, lease.billLines);
  checkHash(lease.billHash, walk);
  const paid = walk.amount - walk.commission;
  if (paid !== BigInt(lease.paid || '0')) throw wrong('paid', paid, BigInt(lease.paid || '0'));
  const commission = BigInt(lease.commission || '0');
  if (walk.commission !== commission) throw wrong('commission', walk.commission, commission);
  if (walk.blocks !== lease.confirmedBlocks) throw wrong('confirmed_blocks', walk.blocks, lease.confirmedBlocks);
  checkEnd(lease, walk, wrong);
}

/** Where the lines end is where the lease stands. */
function checkEnd(lease: Lease, walk: Walk, wrong: (field: string, is: bigint, proved: bigint) => BillError): void {
  const isActive = lease.state === LeaseState.LEASE_STATE_ACTIVE;
  const agrees = isActive && !walk.ranDry ? walk.billedThrough === lease.paidThrough : true;
  if (!agrees || walk.billedThrough > lease.paidThrough)
    throw wrong('paid_through', walk.billedThrough, lease.paidThrough);
  const remainder = atomics(lease.remainder);
  const isDropped = lease.closedHeight !== 0n && remainder === 0n;
  if (remainder !== walk.remainder && !isDropped) throw wrong('remainder', walk.remainder, remainder);
}
