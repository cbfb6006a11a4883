/** What must always hold of the money: BIL-1 … BIL-6, checked after every block in tests and simulations. */
import type { Context } from '@mu/framework/context';
import type { Invariant } from '@mu/framework/module';
import { emptyBillHash, extendBillHash } from '@mu/lib/bill-hash';
import { equalBytes, toHex } from '@mu/lib/bytes';
import { type BillLine, BillLineKind, EscrowState } from '@mu/proto/billing';
import { canonicalLine } from './bill.ts';
import { escrowKey } from './escrows.ts';
import type { BillingDeps } from './expected-keepers.ts';
import { moduleName } from './keys.ts';
import * as state from './state.ts';
import { atomicsFromWire, intFromWire, umuAtomics } from './wire.ts';

export function createInvariants(deps: BillingDeps): Invariant[] {
  return [
    { name: 'BIL-1', check: (ctx) => checkModuleBalance(ctx, deps) },
    { name: 'BIL-2', check: checkShares },
    { name: 'BIL-3', check: checkEscrows },
    { name: 'BIL-4', check: (ctx) => checkBills(ctx, deps) },
    { name: 'BIL-5', check: checkClosingQueue },
    { name: 'BIL-6', check: checkUsage },
  ];
}

/** BIL-1: the module's account holds exactly what the escrows say. */
function checkModuleBalance(ctx: Context, { bank, accounts }: BillingDeps): string | undefined {
  let sum = 0n;
  for (const [, escrow] of state.escrows.iterate(ctx)) sum += intFromWire(escrow.balance);
  const held = bank.balance(ctx, accounts.moduleAddress(ctx, moduleName), ctx.chain.denom);
  return held === sum ? undefined : `the module holds ${held}, its escrows ${sum}`;
}

/** BIL-2: shares and depositors of an escrow are the sum and the number of its holders, none of whom holds 0. */
function checkShares(ctx: Context): string | undefined {
  let seen = 0;
  for (const [key, escrow] of state.escrows.iterate(ctx)) {
    let sum = 0n;
    let holders = 0;
    for (const [, { shares, depositor }] of state.shares.iterate(ctx, { prefix: key })) {
      const held = intFromWire(shares);
      if (held === 0n) return `${depositor} holds 0 shares of ${escrow.owner}/${escrow.dseq}`;
      sum += held;
      holders += 1;
    }
    seen += holders;
    if (sum !== intFromWire(escrow.shares) || holders !== escrow.depositors) {
      const said = `${escrow.shares} shares of ${escrow.depositors}`;
      return `escrow ${escrow.owner}/${escrow.dseq} says ${said}, there are ${sum} of ${holders}`;
    }
  }
  const all = [...state.shares.iterate(ctx)].length;
  return all === seen ? undefined : `${all - seen} shares are of no escrow`;
}

/** BIL-3: a balance is what came less what went, never below 0, and never above the number of shares. */
function checkEscrows(ctx: Context): string | undefined {
  for (const [, escrow] of state.escrows.iterate(ctx)) {
    const name = `escrow ${escrow.owner}/${escrow.dseq}`;
    const balance = BigInt(escrow.balance);
    if (balance < 0n) return `${name} holds ${balance}`;
    const flow = intFromWire(escrow.deposited) - intFromWire(escrow.withdrawn) - intFromWire(escrow.spent);
    if (balance !== flow) return `${name} holds ${balance}, deposited - withdrawn - spent is ${flow}`;
    if (balance > intFromWire(escrow.shares)) return `${name} holds ${balance}, above its ${escrow.shares} shares`;
  }
  return undefined;
}

/** BIL-4: lines add up, follow one another from 1, and chain to what their lease says it has paid. */
function checkBills(ctx: Context, deps: BillingDeps): string | undefined {
  const bills = new Map<bigint, BillLine[]>();
  for (const [[lease], line] of state.billLines.iterate(ctx)) {
    bills.set(lease, [...(bills.get(lease) ?? []), line]);
  }
  for (const [number, lines] of bills) {
    const broken = checkBill(ctx, deps, number, lines);
    if (broken !== undefined) return `bill of lease ${number}: ${broken}`;
  }
  return undefined;
}

function checkBill(
  ctx: Context,
  { market }: BillingDeps,
  number: bigint,
  lines: readonly BillLine[],
): string | undefined {
  let hash = emptyBillHash();
  let paid = 0n;
  let commission = 0n;
  for (const [at, line] of lines.entries()) {
    if (line.line !== BigInt(at) + 1n) return `line ${line.line} stands at place ${at + 1}`;
    const broken = checkLine(line);
    if (broken !== undefined) return `line ${line.line}: ${broken}`;
    hash = extendBillHash(hash, canonicalLine(line));
    paid += intFromWire(line.amount) - intFromWire(line.commission);
    commission += intFromWire(line.commission);
  }
  const lease = market.getLease(ctx, number);
  if (lease === undefined) return 'no such lease';
  if (lease.billLines !== BigInt(lines.length)) return `the lease says ${lease.billLines} lines, not ${lines.length}`;
  if (!equalBytes(lease.billHash, hash)) return `the lease says ${toHex(lease.billHash)}, not ${toHex(hash)}`;
  if (intFromWire(lease.paid) !== paid) return `the lease says ${lease.paid} paid, its lines ${paid}`;
  if (intFromWire(lease.commission) !== commission)
    return `the lease says ${lease.commission} commission, not ${commission}`;
  return undefined;
}

function checkLine(line: BillLine): string | undefined {
  const total = atomicsFromWire(line.cost) + atomicsFromWire(line.remainderBefore);
  const unpaid = intFromWire(line.unpaid);
  if (intFromWire(line.amount) + unpaid !== total / umuAtomics)
    return 'amount + unpaid is not the whole part of the cost';
  const carried = unpaid === 0n ? total % umuAtomics : 0n;
  if (atomicsFromWire(line.remainderAfter) !== carried) return `remainder ${line.remainderAfter}, not ${carried}`;
  if (intFromWire(line.commission) > intFromWire(line.amount)) return 'commission above the amount';
  const items = line.items.reduce((sum, { cost }) => sum + atomicsFromWire(cost), 0n);
  const isUsage = line.kind === BillLineKind.BILL_LINE_KIND_USAGE;
  if (isUsage && items !== atomicsFromWire(line.cost)) return `items cost ${items}, the line ${line.cost}`;
  return undefined;
}

/** BIL-5: exactly the closing escrows wait to be settled, each once and at its height. */
function checkClosingQueue(ctx: Context): string | undefined {
  let queued = 0;
  for (const [height, owner, dseq] of state.closing.iterate(ctx)) {
    queued += 1;
    const escrow = state.escrows.get(ctx, [owner, dseq]);
    if (escrow?.state !== EscrowState.ESCROW_STATE_CLOSING || escrow.settleHeight !== height) {
      return `queued for ${height} is ${toHex(owner)}/${dseq}, which does not wait for it`;
    }
  }
  let closing = 0;
  for (const [, escrow] of state.escrows.iterate(ctx)) {
    if (escrow.state !== EscrowState.ESCROW_STATE_CLOSING) continue;
    closing += 1;
    if (!state.closing.has(ctx, [escrow.settleHeight, ...escrowKey(ctx, escrow)])) {
      return `escrow ${escrow.owner}/${escrow.dseq} is closing and not queued`;
    }
  }
  return queued === closing ? undefined : `${queued} queued, ${closing} closing`;
}

/** BIL-6: totals are the sums of the bills' items, and records stand where the bills' last reports do. */
function checkUsage(ctx: Context): string | undefined {
  const totals = new Map<string, bigint>();
  const last = new Map<string, string>();
  for (const [, line] of state.billLines.iterate(ctx)) {
    if (line.kind !== BillLineKind.BILL_LINE_KIND_USAGE) continue;
    last.set(`${line.lease}/${line.nodeId}`, `${line.sequence} up to ${line.toHeight}`);
    for (const { metric, quantity } of line.items) {
      const key = `${line.lease}/${metric}`;
      totals.set(key, (totals.get(key) ?? 0n) + quantity);
    }
  }
  for (const [, { lease, metric, quantity }] of state.usageTotals.iterate(ctx)) {
    const billed = totals.get(`${lease}/${metric}`) ?? 0n;
    if (intFromWire(quantity) !== billed) return `lease ${lease} used ${quantity} of ${metric}, billed are ${billed}`;
    totals.delete(`${lease}/${metric}`);
  }
  if (totals.size > 0) return `${totals.size} metrics are billed without a total`;
  for (const [, { lease, nodeId, sequence, toHeight }] of state.usageRecords.iterate(ctx)) {
    if (last.get(`${lease}/${nodeId}`) !== `${sequence} up to ${toHeight}`)
      return `record of ${lease}/${nodeId} is not its last line`;
    last.delete(`${lease}/${nodeId}`);
  }
  return last.size === 0 ? undefined : `${last.size} nodes are billed without a record`;
}
