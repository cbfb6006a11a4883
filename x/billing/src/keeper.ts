/** The money of deployments: escrows, their shares, and payments out of them. All coins stand in the module's account. */
import type { Context } from '@mu/framework/context';
import { makeCoin } from '@mu/lib/amounts';
import { type BillItem, type BillLine, EscrowAccount, EscrowState, type Params } from '@mu/proto/billing';
import type { DeploymentId, DeploymentInfrastructure } from '@mu/proto/deployment';
import type { Lease, OrderId } from '@mu/proto/market';
import { leaseLine, type Payment, type SignedReport, usageLine, withLine } from './bill.ts';
import { blocksCost } from './cost.ts';
import {
  errAboveShares,
  errBelowReserve,
  errDepositTooSmall,
  errEscrowClosed,
  errEscrowClosing,
  errEscrowExists,
  errEscrowNotOpen,
  errInvalidAmount,
  errLeaseNotFound,
  errNoShares,
  errReserveLocked,
  errTooManyDepositors,
} from './errors.ts';
import {
  canonicalAddress,
  escrowKey,
  getEscrow,
  mustGetEscrow,
  poolOf,
  retireShares,
  saveEscrow,
  sharesOf,
  withShares,
} from './escrows.ts';
import {
  emitDeposit,
  emitEscrowClosed,
  emitEscrowClosing,
  emitPaid,
  emitPayoutFailed,
  emitWithdraw,
} from './events.ts';
import type { BillingDeps } from './expected-keepers.ts';
import { moduleName } from './keys.ts';
import { reserveFor } from './reserve.ts';
import { settle } from './settle.ts';
import { sharesForDeposit, sharesToBurn, worthOf } from './shares.ts';
import * as state from './state.ts';
import { atomicsFromWire, intFromWire, intToWire } from './wire.ts';

/** What a payment for a lease did. */
export interface PaidLease {
  /** the lease after it; of `payBlocks` not yet saved */
  readonly lease: Lease;
  /** umu that the provider got, commission taken off */
  readonly paid: bigint;
  /** umu that the commission took */
  readonly commission: bigint;
  /** false when the escrow could not pay all whole umu that were due */
  readonly funded: boolean;
}

export class BillingKeeper {
  readonly deps: BillingDeps;

  /** @param deps may be filled later; it is read when the keeper is used */
  constructor(deps: BillingDeps) {
    this.deps = deps;
  }

  params(ctx: Context): Params {
    return state.params.get(ctx);
  }

  getEscrow(ctx: Context, id: DeploymentId): EscrowAccount | undefined {
    return getEscrow(ctx, id);
  }

  /** umu that the escrow of such a deployment must hold at the start and that withdrawals leave. */
  reserveFor(ctx: Context, infrastructures: readonly DeploymentInfrastructure[]): bigint {
    return reserveFor(infrastructures, this.params(ctx));
  }

  /**
   * The escrow of a new deployment, with its first deposit.
   * @param amount in umu, at least `min_deposit` and the reserve
   * @throws AbciError
   */
  openEscrow(ctx: Context, id: DeploymentId, depositor: string, amount: bigint, reserve: bigint): void {
    if (getEscrow(ctx, id) !== undefined) throw errEscrowExists.wrap(`${id.owner}/${id.dseq}`);
    if (amount < reserve) throw errBelowReserve.wrap(`deposit ${amount}, reserve ${reserve}`);
    const zero = { balance: '0', shares: '0', depositors: 0, deposited: '0', withdrawn: '0', spent: '0' };
    const fresh = { ...zero, state: EscrowState.ESCROW_STATE_OPEN, reserve: intToWire(reserve), settleHeight: 0n };
    const owner = canonicalAddress(ctx, id.owner);
    this.#addDeposit(ctx, EscrowAccount.create({ owner, dseq: id.dseq, ...fresh }), depositor, amount);
  }

  /**
   * The reserve of a deployment that asks for something else now.
   * @param orders whether something is ordered: then the funds must hold the reserve as at the start
   * @throws AbciError below the reserve (10) where that is so, or where the reserve rises above the funds
   */
  updateReserve(ctx: Context, id: DeploymentId, reserve: bigint, orders: boolean): void {
    const escrow = mustGetEscrow(ctx, id);
    if (escrow.state !== EscrowState.ESCROW_STATE_OPEN) throw errEscrowNotOpen.wrap(`${id.owner}/${id.dseq}`);
    const balance = intFromWire(escrow.balance);
    if ((orders || reserve > intFromWire(escrow.reserve)) && balance < reserve) {
      throw errBelowReserve.wrap(`escrow ${balance}, reserve ${reserve}`);
    }
    saveEscrow(ctx, { ...escrow, reserve: intToWire(reserve) });
  }

  /**
   * Adds to an open escrow; anyone may. Leases that were out of funds go on.
   * @returns shares minted
   * @throws AbciError
   */
  deposit(ctx: Context, id: DeploymentId, depositor: string, amount: bigint): bigint {
    const escrow = mustGetEscrow(ctx, id);
    if (escrow.state !== EscrowState.ESCROW_STATE_OPEN) throw errEscrowNotOpen.wrap(`${id.owner}/${id.dseq}`);
    const minted = this.#addDeposit(ctx, escrow, depositor, amount);
    this.deps.market.resumeLeases(ctx, { owner: escrow.owner, dseq: escrow.dseq });
    return minted;
  }

  #addDeposit(ctx: Context, found: EscrowAccount, from: string, amount: bigint): bigint {
    const params = this.params(ctx);
    const least = intFromWire(params.minDeposit);
    if (amount < least) throw errDepositTooSmall.wrap(`${amount}, at least ${least}`);
    // Shares of an escrow that was spent to the last umu are worth nothing and would own a part of this deposit.
    const isSpent = found.balance === '0' && found.shares !== '0';
    const escrow = isSpent ? retireShares(ctx, found) : found;
    const depositor = canonicalAddress(ctx, from);
    const held = sharesOf(ctx, escrow, depositor);
    if (held === 0n && escrow.depositors >= params.maxDepositors) {
      throw errTooManyDepositors.wrap(`at most ${params.maxDepositors}`);
    }
    const shares = sharesForDeposit(amount, poolOf(escrow));
    const after = withShares(ctx, escrow, { depositor, held, shares, umu: amount });
    saveEscrow(ctx, after);
    this.deps.bank.sendFromAccountToModule(ctx, depositor, moduleName, [makeCoin(amount, ctx.chain.denom)]);
    emitDeposit(ctx, after, depositor, { amount, shares });
    return shares;
  }

  /**
   * Pays a depositor out of its shares: above the reserve while the escrow is open, all of it once it is closed.
   * @returns shares burnt
   * @throws AbciError
   */
  withdraw(ctx: Context, id: DeploymentId, to: string, amount: bigint): bigint {
    if (amount === 0n) throw errInvalidAmount.wrap('nothing to withdraw');
    const escrow = mustGetEscrow(ctx, id);
    if (escrow.state === EscrowState.ESCROW_STATE_CLOSING) {
      throw errEscrowClosing.wrap(`settled at block ${escrow.settleHeight}`);
    }
    const depositor = canonicalAddress(ctx, to);
    const held = sharesOf(ctx, id, depositor);
    if (held === 0n) throw errNoShares.wrap(depositor);
    const pool = poolOf(escrow);
    const worth = worthOf(held, pool);
    if (amount > worth) throw errAboveShares.wrap(`${amount}, they are worth ${worth}`);
    const locked = escrow.state === EscrowState.ESCROW_STATE_OPEN ? intFromWire(escrow.reserve) : 0n;
    if (pool.balance - amount < locked) throw errReserveLocked.wrap(`escrow ${pool.balance}, reserve ${locked}`);
    const { escrow: after, burnt } = this.#payDepositor(ctx, escrow, depositor, amount);
    saveEscrow(ctx, after);
    emitWithdraw(ctx, after, depositor, { amount, shares: burnt });
    return burnt;
  }

  /** Burns shares for an amount of at most their worth and sends it; the escrow's record is left to the caller. */
  #payDepositor(
    ctx: Context,
    escrow: EscrowAccount,
    depositor: string,
    amount: bigint,
  ): { escrow: EscrowAccount; burnt: bigint } {
    const held = sharesOf(ctx, escrow, depositor);
    const burnt = sharesToBurn(amount, held, poolOf(escrow));
    const after = withShares(ctx, escrow, { depositor, held, shares: -burnt, umu: -amount });
    if (amount > 0n) this.#send(ctx, depositor, amount);
    return { escrow: after, burnt };
  }

  /**
   * Pays the blocks (lease.paid_through, toHeight] from the escrow and adds a line to the bill. It never fails for lack of
   * funds: it pays what is there, and paid_through moves all the same. The caller saves the lease and sets its state.
   */
  payBlocks(ctx: Context, lease: Lease, toHeight: bigint): PaidLease {
    if (toHeight <= lease.paidThrough) return { lease, paid: 0n, commission: 0n, funded: true };
    const escrow = this.#payingEscrow(ctx, lease);
    const cost = blocksCost(atomicsFromWire(lease.pricePerBlock), toHeight - lease.paidThrough);
    const payment = this.#paymentOf(ctx, lease, escrow, cost);
    const line = leaseLine(payment, lease.paidThrough + 1n, toHeight);
    return this.#pay(ctx, { ...lease, paidThrough: toHeight }, escrow, line);
  }

  /** Pays a checked usage report at its prices, adds a line to the bill and saves the lease. */
  payUsage(ctx: Context, lease: Lease, signed: SignedReport, priced: { items: BillItem[]; cost: bigint }): PaidLease {
    const escrow = this.#payingEscrow(ctx, lease);
    const payment = this.#paymentOf(ctx, lease, escrow, priced.cost);
    const paid = this.#pay(ctx, lease, escrow, usageLine(payment, signed, priced.items));
    this.deps.market.saveLease(ctx, paid.lease);
    return paid;
  }

  /** @throws AbciError when the deployment is settled: what is left belongs to the depositors */
  #payingEscrow(ctx: Context, lease: Lease): EscrowAccount {
    const escrow = mustGetEscrow(ctx, orderOf(lease));
    if (escrow.state === EscrowState.ESCROW_STATE_CLOSED) throw errEscrowClosed.wrap(`lease ${lease.number}`);
    return escrow;
  }

  #paymentOf(ctx: Context, lease: Lease, escrow: EscrowAccount, cost: bigint): Payment {
    const settlement = settle({
      cost,
      remainder: atomicsFromWire(lease.remainder),
      balance: intFromWire(escrow.balance),
      commissionRate: atomicsFromWire(this.params(ctx).commissionRate),
    });
    return { lease, height: ctx.height, cost, settlement, txHash: ctx.txHash };
  }

  #pay(ctx: Context, lease: Lease, escrow: EscrowAccount, line: BillLine): PaidLease {
    const amount = intFromWire(line.amount);
    const commission = intFromWire(line.commission);
    const after = {
      ...escrow,
      balance: intToWire(intFromWire(escrow.balance) - amount),
      spent: intToWire(intFromWire(escrow.spent) + amount),
    };
    saveEscrow(ctx, after);
    state.billLines.set(ctx, [line.lease, line.line], line);
    if (amount > commission) this.#sendToProvider(ctx, lease, after, amount - commission);
    if (commission > 0n) this.#send(ctx, this.params(ctx).commissionAccount, commission);
    emitPaid(ctx, after, line, lease.provider);
    return { lease: withLine(lease, line), paid: amount - commission, commission, funded: line.unpaid === '0' };
  }

  /**
   * To the provider's payout address. Where the bank refuses that one (a module's account takes no coins), the owner gets
   * them: a provider must not be able to keep its leases from ending by the address that it names.
   */
  #sendToProvider(ctx: Context, lease: Lease, escrow: EscrowAccount, amount: bigint): void {
    const payout = this.deps.provider.getProvider(ctx, lease.provider)?.payoutAddress || lease.provider;
    const failure = ctx.isolated((branch) => this.#send(branch, payout, amount));
    if (failure === undefined) return;
    emitPayoutFailed(ctx, escrow, payout, failure);
    this.#send(ctx, lease.provider, amount);
  }

  /** Mints interest to an account. The caller keeps the bound. @throws AbciError when the account cannot receive */
  mintInterest(ctx: Context, account: string, amount: bigint): void {
    this.deps.bank.mintCoins(ctx, moduleName, [makeCoin(amount, ctx.chain.denom)]);
    this.#send(ctx, account, amount);
  }

  #send(ctx: Context, to: string, amount: bigint): void {
    this.deps.bank.sendFromModuleToAccount(ctx, moduleName, to, [makeCoin(amount, ctx.chain.denom)]);
  }

  /** Begins to close an escrow: late reports are still paid for `usage_window_blocks`, then the rest is released. */
  closeEscrow(ctx: Context, id: DeploymentId): void {
    const escrow = mustGetEscrow(ctx, id);
    if (escrow.state !== EscrowState.ESCROW_STATE_OPEN) return;
    const settleHeight = ctx.height + this.params(ctx).usageWindowBlocks;
    const after = { ...escrow, state: EscrowState.ESCROW_STATE_CLOSING, settleHeight };
    saveEscrow(ctx, after);
    state.closing.add(ctx, [settleHeight, ...escrowKey(ctx, id)]);
    emitEscrowClosing(ctx, after);
  }

  /** EndBlock: settles escrows whose window is over, oldest first, at most `max_closings_per_block`, each by itself. */
  settleDue(ctx: Context): void {
    const most = this.params(ctx).maxClosingsPerBlock;
    const before: state.ClosingKey = [ctx.height + 1n, new Uint8Array(), 0n];
    const due: state.ClosingKey[] = [];
    for (const key of state.closing.iterate(ctx, { before })) {
      if (due.length >= most) break;
      due.push(key);
    }
    for (const key of due) {
      // Whatever happens next, it is not due a second time.
      state.closing.delete(ctx, key);
      this.#settleOne(ctx, [key[1], key[2]]);
    }
  }

  #settleOne(ctx: Context, key: state.EscrowKey): void {
    const escrow = state.escrows.get(ctx, key);
    if (escrow === undefined) return;
    const failure = ctx.isolated((branch) => this.#release(branch, escrow, true));
    if (failure !== undefined) {
      // The owner claims like everybody else.
      emitPayoutFailed(ctx, escrow, escrow.owner, failure);
      ctx.isolated((branch) => this.#release(branch, escrow, false));
    }
    ctx.isolated((branch) => this.deps.deployment.markClosed(branch, { owner: escrow.owner, dseq: escrow.dseq }));
  }

  /** Closes an escrow: the owner is paid at once, others claim by Withdraw, so nobody is paid in a loop. */
  #release(ctx: Context, escrow: EscrowAccount, paysOwner: boolean): void {
    const worth = paysOwner ? worthOf(sharesOf(ctx, escrow, escrow.owner), poolOf(escrow)) : 0n;
    const rest = worth > 0n ? this.#payDepositor(ctx, escrow, escrow.owner, worth).escrow : escrow;
    const settled = rest.balance === '0' ? retireShares(ctx, rest) : rest;
    const closed = { ...settled, state: EscrowState.ESCROW_STATE_CLOSED, reserve: '0', settleHeight: 0n };
    saveEscrow(ctx, closed);
    emitEscrowClosed(ctx, closed, worth);
  }
}

function orderOf(lease: Lease): OrderId {
  if (lease.order === undefined) throw errLeaseNotFound.wrap(`lease ${lease.number} has no order`);
  return lease.order;
}
