/** What an indexer learns of the money. Amounts are umu; decimals of umu are text with 18 decimals. */
import type { Context } from '@mu/framework/context';
import { Dec } from '@mu/lib/dec';
import { type BillLine, BillLineKind, type EscrowAccount } from '@mu/proto/billing';

type EscrowId = Pick<EscrowAccount, 'owner' | 'dseq'>;

const idOf = ({ owner, dseq }: EscrowId): [string, string][] => [
  ['owner', owner],
  ['dseq', dseq.toString()],
];

export function emitDeposit(ctx: Context, escrow: EscrowAccount, depositor: string, moved: Moved): void {
  emitMoved(ctx, 'deposit', escrow, depositor, moved);
}

export function emitWithdraw(ctx: Context, escrow: EscrowAccount, depositor: string, moved: Moved): void {
  emitMoved(ctx, 'withdraw', escrow, depositor, moved);
}

/** umu that came or went and the shares minted or burnt for them. */
export interface Moved {
  readonly amount: bigint;
  readonly shares: bigint;
}

function emitMoved(ctx: Context, type: string, escrow: EscrowAccount, depositor: string, moved: Moved): void {
  ctx.events.emit(type, [
    ...idOf(escrow),
    ['depositor', depositor],
    ['amount', moved.amount.toString()],
    ['shares', moved.shares.toString()],
    ['balance', escrow.balance],
  ]);
}

/** `lease_paid` or `usage_paid`, by the kind of the line. */
export function emitPaid(ctx: Context, escrow: EscrowAccount, line: BillLine, provider: string): void {
  const isUsage = line.kind === BillLineKind.BILL_LINE_KIND_USAGE;
  ctx.events.emit(isUsage ? 'usage_paid' : 'lease_paid', [
    ...idOf(escrow),
    ['lease', line.lease.toString()],
    ['provider', provider],
    ['line', line.line.toString()],
    ['from_height', line.fromHeight.toString()],
    ['to_height', line.toHeight.toString()],
    ...(isUsage
      ? ([
          ['node_id', line.nodeId],
          ['sequence', line.sequence.toString()],
        ] as const)
      : []),
    ['cost', Dec.fromAtomics(line.cost).toString()],
    ['amount', line.amount],
    ['commission', line.commission],
    ['unpaid', line.unpaid],
    ['balance', escrow.balance],
  ]);
}

export function emitEscrowClosing(ctx: Context, escrow: EscrowAccount): void {
  ctx.events.emit('escrow_closing', [
    ...idOf(escrow),
    ['balance', escrow.balance],
    ['settle_height', escrow.settleHeight.toString()],
  ]);
}

/** @param paidToOwner umu that the owner got at once; the balance is left for other depositors to claim */
export function emitEscrowClosed(ctx: Context, escrow: EscrowAccount, paidToOwner: bigint): void {
  ctx.events.emit('escrow_closed', [
    ...idOf(escrow),
    ['paid_to_owner', paidToOwner.toString()],
    ['balance', escrow.balance],
  ]);
}

/** An account could not be paid in a block's end: what was to be done is done without it, and this says so. */
export function emitPayoutFailed(
  ctx: Context,
  escrow: EscrowId,
  to: string,
  failure: { codespace: string; code: number },
): void {
  ctx.events.emit('payout_failed', [
    ...idOf(escrow),
    ['to', to],
    ['codespace', failure.codespace],
    ['code', failure.code.toString()],
  ]);
}

export function emitParamsUpdated(ctx: Context, authority: string): void {
  ctx.events.emit('billing_params_updated', [['authority', authority]]);
}
