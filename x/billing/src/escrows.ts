/** Escrows and their shares in state: reading, writing, and the records' invariants that every change must keep. */
import type { Context } from '@mu/framework/context';
import { addressBytes } from '@mu/framework/message-registry';
import { toBech32 } from '@mu/lib/bech32';
import { DepositorShare, type EscrowAccount } from '@mu/proto/billing';
import type { DeploymentId } from '@mu/proto/deployment';
import { errEscrowNotFound } from './errors.ts';
import type { Pool } from './shares.ts';
import * as state from './state.ts';
import { intFromWire, intToWire } from './wire.ts';

export function escrowKey(ctx: Context, id: DeploymentId): state.EscrowKey {
  return [addressBytes(id.owner, ctx.chain.bech32Prefix), id.dseq];
}

/** The one text of an address: bech32 may also be written in capitals. */
export function canonicalAddress(ctx: Context, address: string): string {
  return toBech32(ctx.chain.bech32Prefix, addressBytes(address, ctx.chain.bech32Prefix));
}

export function getEscrow(ctx: Context, id: DeploymentId): EscrowAccount | undefined {
  return state.escrows.get(ctx, escrowKey(ctx, id));
}

/** @throws AbciError escrow not found */
export function mustGetEscrow(ctx: Context, id: DeploymentId): EscrowAccount {
  const escrow = getEscrow(ctx, id);
  if (escrow === undefined) throw errEscrowNotFound.wrap(`${id.owner}/${id.dseq}`);
  return escrow;
}

export function saveEscrow(ctx: Context, escrow: EscrowAccount): void {
  state.escrows.set(ctx, escrowKey(ctx, escrow), escrow);
}

export function poolOf(escrow: EscrowAccount): Pool {
  return { balance: intFromWire(escrow.balance), shares: intFromWire(escrow.shares) };
}

function shareKey(ctx: Context, id: DeploymentId, depositor: string): state.ShareKey {
  return [...escrowKey(ctx, id), addressBytes(depositor, ctx.chain.bech32Prefix)];
}

/** Shares that an account holds; 0 for none. */
export function sharesOf(ctx: Context, id: DeploymentId, depositor: string): bigint {
  return intFromWire(state.shares.get(ctx, shareKey(ctx, id, depositor))?.shares ?? '');
}

/** Sets what an account holds; a record of 0 shares does not stand. */
export function setShares(ctx: Context, id: DeploymentId, depositor: string, held: bigint): void {
  const key = shareKey(ctx, id, depositor);
  if (held === 0n) {
    state.shares.delete(ctx, key);
    return;
  }
  const share = { owner: id.owner, dseq: id.dseq, depositor, shares: intToWire(held) };
  state.shares.set(ctx, key, DepositorShare.create(share));
}

/** Deletes the shares of an escrow that has nothing left: they are worth nothing. At most `max_depositors` records. */
export function retireShares(ctx: Context, escrow: EscrowAccount): EscrowAccount {
  const [owner, dseq] = escrowKey(ctx, escrow);
  const keys = [...state.shares.iterate(ctx, { prefix: [owner, dseq] })].map(([key]) => key);
  for (const key of keys) state.shares.delete(ctx, key);
  return { ...escrow, shares: '0', depositors: 0 };
}

/** The escrow after a depositor's shares and the balance have changed together. The share record is written. */
export function withShares(
  ctx: Context,
  escrow: EscrowAccount,
  change: { readonly depositor: string; readonly held: bigint; readonly shares: bigint; readonly umu: bigint },
): EscrowAccount {
  const { depositor, held, shares, umu } = change;
  const pool = poolOf(escrow);
  const after = held + shares;
  setShares(ctx, escrow, depositor, after);
  const joined = held === 0n && after > 0n ? 1 : 0;
  const left = held > 0n && after === 0n ? 1 : 0;
  const total = umu >= 0n ? 'deposited' : 'withdrawn';
  return {
    ...escrow,
    balance: intToWire(pool.balance + umu),
    shares: intToWire(pool.shares + shares),
    depositors: escrow.depositors + joined - left,
    [total]: intToWire(intFromWire(escrow[total]) + (umu >= 0n ? umu : -umu)),
  };
}
