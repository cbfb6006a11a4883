/** Takes the fee, before any signature is looked at (DeductFeeDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import type { Context } from '@mu/framework/context';
import {
  AbciError,
  errInsufficientFee,
  errInsufficientFunds,
  errInvalidGasLimit,
  errInvalidRequest,
  errOutOfGas,
  errUnknownAddress,
} from '@mu/framework/errors';
import type { Tx } from '@mu/framework/tx';
import { areCoinsValid, type Coin, coinsToString, isDenom } from '@mu/lib/amounts';
import { toBech32 } from '@mu/lib/bech32';
import { Dec } from '@mu/lib/dec';
import type { BankKeeper } from '../expected-keepers.ts';
import type { AccountKeeper } from '../keeper.ts';
import { feeCollector } from '../keys.ts';
import { feePayer } from './signers.ts';

/** A price of one unit of gas. */
export interface GasPrice {
  readonly denom: string;
  readonly amount: Dec;
}

/** Prices of a text like `0.025umu,0.1stake`; none for the empty text. @throws Error with what is wrong */
export function parseGasPrices(text: string): GasPrice[] {
  if (text.trim() === '') return [];
  return text.split(',').map((part) => {
    const match = /^([0-9]+(?:\.[0-9]{1,18})?)([a-zA-Z].*)$/.exec(part.trim());
    const [, amount, denom] = match ?? [];
    if (amount === undefined || denom === undefined || !isDenom(denom)) {
      throw new Error(`"${part.trim()}" is not a gas price like 0.025umu`);
    }
    return { denom, amount: Dec.fromString(amount) };
  });
}

export function deductFee(auth: AccountKeeper, bank: BankKeeper, minGasPrices: readonly GasPrice[]): AnteStep {
  return {
    name: 'deduct-fee',
    run(ctx, tx) {
      const { fee } = tx.authInfo;
      if (ctx.mode !== 'simulate' && ctx.mode !== 'genesis' && fee.gasLimit === 0n) {
        throw errInvalidGasLimit.wrap('must provide positive gas');
      }
      // A node's own prices guard its mempool alone; blocks never depend on them.
      if (ctx.mode === 'check' || ctx.mode === 'recheck') requireGasPrices(fee, minGasPrices);
      if (fee.granter !== '') throw errInvalidRequest.wrap('fee grants are not enabled');
      takeFee(ctx, { auth, bank }, tx);
      return undefined;
    },
  };
}

/** @throws AbciError insufficient fee (13) unless one denomination of the fee reaches what is asked in it */
function requireGasPrices(fee: Tx['authInfo']['fee'], prices: readonly GasPrice[]): void {
  const asked = prices.filter(({ amount }) => !amount.isZero());
  if (asked.length === 0) return;
  const required = asked.map(({ denom, amount }) => ({ denom, amount: amount.mulInt(fee.gasLimit).ceilInt() }));
  const enough = fee.amount.some((coin) =>
    required.some(({ denom, amount }) => denom === coin.denom && amount > 0n && BigInt(coin.amount) >= amount),
  );
  if (enough) return;
  const text = required.map(({ denom, amount }) => `${amount}${denom}`).join(',');
  throw errInsufficientFee.wrap(`insufficient fees; got: ${coinsToString(fee.amount)} required: ${text}`);
}

function takeFee(ctx: Context, { auth, bank }: { auth: AccountKeeper; bank: BankKeeper }, tx: Tx): void {
  const coins: Coin[] = tx.authInfo.fee.amount;
  const payer = feePayer(ctx, tx);
  const account = auth.getAccount(ctx, payer);
  if (account === undefined) {
    const address = toBech32(ctx.chain.bech32Prefix, payer);
    throw errUnknownAddress.wrap(`fee payer address: ${address} does not exist`);
  }
  if (coins.some(({ amount }) => BigInt(amount) !== 0n)) pay(ctx, bank, account.addressText, coins);
  if (!ctx.tellsEvents) return;
  ctx.events.emit('tx', [
    ['fee', coinsToString(coins)],
    ['fee_payer', account.addressText],
  ]);
}

function pay(ctx: Context, bank: BankKeeper, payer: string, coins: Coin[]): void {
  if (!areCoinsValid(coins)) throw errInsufficientFee.wrap(`invalid fee amount: ${coinsToString(coins)}`);
  try {
    bank.sendFromAccountToModule(ctx, payer, feeCollector, coins);
  } catch (error) {
    if (error instanceof AbciError && error.kind !== errOutOfGas) throw errInsufficientFunds.wrap(error.message);
    throw error;
  }
}
