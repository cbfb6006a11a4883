/** What a bill says up to a line: carried from line to line while it is checked. */
import { emptyBillHash } from '@mu/lib/bill-hash';
import type { BillLine } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import type { Node, PriceList } from '@mu/proto/provider';

/** A lease's bill and the proved records that it is held against. */
export interface LeaseBill {
  readonly chainId: string;
  readonly lease: Lease;
  /** that the lease fixed; undefined where it fixed none */
  readonly priceList: PriceList | undefined;
  /** of the lease's provider, those that the lines name */
  readonly nodes: readonly Node[];
  /** as a node of the network lists them */
  readonly lines: readonly BillLine[];
}

/** How far the reports of a node have come. */
interface Reported {
  readonly sequence: bigint;
  readonly toHeight: bigint;
}

export interface Walk {
  hash: Uint8Array;
  /** atomics below 1 umu that the next line begins with */
  remainder: bigint;
  /** the remainder was dropped at the end of the lease */
  dropped: boolean;
  height: bigint;
  /** last block that a line of blocks stands for */
  billedThrough: bigint;
  /** the last line of blocks was not paid in full: blocks may be left out after it */
  ranDry: boolean;
  readonly reported: Map<string, Reported>;
  /** quantity by metric over all nodes */
  readonly used: Map<string, bigint>;
  /** blocks that were paid in full */
  blocks: bigint;
  reports: number;
  /** umu that left the escrow, commission included */
  amount: bigint;
  commission: bigint;
  unpaid: bigint;
}

/** Before the first line. */
export function beginningOf(lease: Lease): Walk {
  return {
    hash: emptyBillHash(),
    remainder: 0n,
    dropped: false,
    height: lease.createdHeight,
    billedThrough: lease.createdHeight,
    ranDry: false,
    reported: new Map(),
    used: new Map(),
    blocks: 0n,
    reports: 0,
    amount: 0n,
    commission: 0n,
    unpaid: 0n,
  };
}
