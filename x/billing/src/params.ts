/** Parameters of x/billing: defaults that suit blocks of a second, and what may stand in them. */
import type { Context } from '@mu/framework/context';
import { addressBytes } from '@mu/framework/message-registry';
import { Dec } from '@mu/lib/dec';
import type { Params } from '@mu/proto/billing';
import { errInvalidParams } from './errors.ts';
import type { BankKeeper } from './expected-keepers.ts';
import { atomicsFromWire, intFromWire, umuAtomics } from './wire.ts';

/** Upper bound of every duration, thirty years of one-second blocks: a height plus it always fits into 63 bits. */
const maxBlocks = 1_000_000_000n;
/** Upper bound of lists: a report or the shares of an escrow must stay a bounded piece of work. */
const maxList = 1000;

export function defaultParams(): Params {
  return {
    minDeposit: '1000',
    minRunwayBlocks: 600n,
    usageWindowBlocks: 600n,
    commissionRate: '0',
    commissionAccount: '',
    maxDepositors: 32,
    maxItems: 128,
    maxClosingsPerBlock: 50,
  };
}

function checkRange(name: string, value: bigint | number, least: bigint | number, most: bigint | number): void {
  if (value < least || value > most) {
    throw errInvalidParams.wrap(`${name} is ${value}, allowed are ${least} to ${most}`);
  }
}

/** @throws AbciError invalid parameters, with the field and what is allowed; an address is checked against the chain's prefix by the caller */
export function validateParams(params: Params): void {
  checkRange('min_deposit', amountOf('min_deposit', params.minDeposit, intFromWire), 1n, 2n ** 256n - 1n);
  checkRange('min_runway_blocks', params.minRunwayBlocks, 0n, maxBlocks);
  checkRange('usage_window_blocks', params.usageWindowBlocks, 1n, maxBlocks);
  const rate = amountOf('commission_rate', params.commissionRate, atomicsFromWire);
  if (rate >= umuAtomics) {
    throw errInvalidParams.wrap(`commission_rate is ${Dec.fromAtomics(rate).toPlain()}, allowed is below 1`);
  }
  if (rate > 0n && params.commissionAccount === '') {
    throw errInvalidParams.wrap('commission_account is empty, allowed only where commission_rate is 0');
  }
  checkRange('max_depositors', params.maxDepositors, 1, maxList);
  checkRange('max_items', params.maxItems, 1, maxList);
  checkRange('max_closings_per_block', params.maxClosingsPerBlock, 1, maxList);
}

function amountOf(name: string, text: string, read: (text: string) => bigint): bigint {
  try {
    return read(text);
  } catch (error) {
    throw errInvalidParams.wrap(`${name}: ${error instanceof Error ? error.message : 'not a number'}`);
  }
}

/**
 * Every payment pays the commission, and with it every confirmation and every end of a lease: an account that the bank
 * refuses would stop them all.
 * @throws AbciError invalid address (7), invalid parameters (38)
 */
export function checkCommissionAccount(ctx: Context, bank: BankKeeper, account: string): void {
  if (account === '' || !bank.isBlocked(addressBytes(account, ctx.chain.bech32Prefix))) return;
  throw errInvalidParams.wrap(`commission_account ${account} is a module's and takes no coins`);
}
