/** The messages of x/billing: what a message itself must say, then the keeper. */
import type { Context } from '@mu/framework/context';
import { errUnauthorized } from '@mu/framework/errors';
import { type Handlers, sameAddress } from '@mu/framework/message-registry';
import type { MsgDefinition } from '@mu/proto/billing';
import {
  MsgDepositResponse,
  MsgUpdateParamsResponse,
  MsgUpdateUsageResponse,
  MsgWithdrawResponse,
} from '@mu/proto/billing';
import { errInvalidAmount, errInvalidParams, errWrongDenom } from './errors.ts';
import { emitParamsUpdated } from './events.ts';
import type { BillingKeeper } from './keeper.ts';
import { checkCommissionAccount, validateParams } from './params.ts';
import * as state from './state.ts';
import { updateUsage } from './usage.ts';
import { intFromWire } from './wire.ts';

export function createMsgServer(keeper: BillingKeeper): Handlers<MsgDefinition['methods']> {
  return {
    deposit(ctx, { depositor, owner, dseq, amount }) {
      const shares = keeper.deposit(ctx, { owner, dseq }, depositor, umuOf(ctx, amount));
      return MsgDepositResponse.create({ shares: shares.toString() });
    },
    withdraw(ctx, { depositor, owner, dseq, amount }) {
      const shares = keeper.withdraw(ctx, { owner, dseq }, depositor, umuOf(ctx, amount));
      return MsgWithdrawResponse.create({ shares: shares.toString() });
    },
    updateUsage(ctx, message) {
      const { paid, commission } = updateUsage(ctx, keeper, message);
      return MsgUpdateUsageResponse.create({ paid: paid.toString(), commission: commission.toString() });
    },
    updateParams(ctx, { authority, params }) {
      // An empty authority is nobody, so nobody may.
      if (authority === '' || !sameAddress(authority, state.authority.get(ctx))) throw errUnauthorized.wrap(authority);
      if (params === undefined) throw errInvalidParams.wrap('no parameters');
      validateParams(params);
      checkCommissionAccount(ctx, keeper.deps.bank, params.commissionAccount);
      state.params.set(ctx, params);
      emitParamsUpdated(ctx, authority);
      return MsgUpdateParamsResponse.create();
    },
  };
}

/** Whole umu of a coin in the chain's denomination. @throws AbciError */
function umuOf(ctx: Context, coin: { denom: string; amount: string } | undefined): bigint {
  if (coin === undefined) throw errInvalidAmount.wrap('no amount');
  if (coin.denom !== ctx.chain.denom) throw errWrongDenom.wrap(`${coin.denom.slice(0, 64)}, not ${ctx.chain.denom}`);
  return intFromWire(coin.amount);
}
