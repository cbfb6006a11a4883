/** Messages of the market: each a ladder of guards, then the keeper. The README's table is in the order of the guards. */
import type { Context } from '@mu/framework/context';
import { AbciError, errInvalidRequest, errOutOfGas, errUnauthorized } from '@mu/framework/errors';
import { addressBytes, type Handlers, sameAddress } from '@mu/framework/message-registry';
import { toBech32 } from '@mu/lib/bech32';
import {
  type Confirmation,
  ConfirmationResult,
  FulfillmentState,
  type Lease,
  MsgAnnounceLeaveResponse,
  MsgCancelFulfillmentResponse,
  MsgCloseLeaseResponse,
  type MsgDefinition,
  MsgSubmitFulfillmentResponse,
  MsgSubmitLeaseConfirmationResponse,
  MsgSubmitLeaseConfirmationsResponse,
  MsgSubmitLeaseResponse,
  MsgSubmitStaleLeaseResponse,
  MsgUpdateParamsResponse,
} from '@mu/proto/market';
import { errBidNotFound, errBidNotOpen, errConfirmationCount, errNotProvider } from './errors.ts';
import { emitParamsUpdated } from './events.ts';
import type { MarketDeps } from './expected-keepers.ts';
import type { MarketKeeper } from './keeper.ts';
import type { Paid } from './lease-ends.ts';
import { checkClose } from './leases.ts';
import { assertOpen } from './orders.ts';
import { validateParams } from './params.ts';
import { authorityItem, fulfillments, orderIdOf, paramsItem } from './state.ts';

type MarketMsgs = Handlers<(typeof MsgDefinition)['methods']>;

/** @throws AbciError invalid request (18) */
function present<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw errInvalidRequest.wrap(`${field} is missing`);
  return value;
}

export function createMsgServer(keeper: MarketKeeper, deps: MarketDeps): MarketMsgs {
  /** @throws AbciError unauthorized (4) unless the sender is the provider's owner or an operator */
  const assertActing = (ctx: Context, provider: string, sender: string): void => {
    if (!deps.provider.isActing(ctx, provider, sender)) {
      throw errUnauthorized.wrap(`${sender} is neither the owner nor an operator of provider ${provider}`);
    }
  };
  const confirm = (ctx: Context, sender: string, confirmation: Confirmation): Paid => {
    const lease = keeper.requireLease(ctx, confirmation.lease);
    assertActing(ctx, lease.provider, sender);
    return keeper.confirm(ctx, lease, confirmation);
  };
  return {
    ...bidHandlers(keeper, deps, assertActing),
    ...matchHandlers(keeper),
    submitLeaseConfirmation(ctx, { sender, confirmation }) {
      const done = confirm(ctx, sender, present(confirmation, 'confirmation'));
      return MsgSubmitLeaseConfirmationResponse.fromPartial({
        paid: `${done.paid}`,
        commission: `${done.commission}`,
        state: done.lease.state,
      });
    },
    submitLeaseConfirmations(ctx, { sender, confirmations }) {
      const most = paramsItem.get(ctx).maxConfirmations;
      if (confirmations.length === 0 || confirmations.length > most) {
        throw errConfirmationCount.wrap(`${confirmations.length}, not 1 to ${most}`);
      }
      const results = confirmations.map((one) => confirmOne(ctx, one, (own) => confirm(own, sender, one)));
      return MsgSubmitLeaseConfirmationsResponse.fromPartial({ results });
    },
    closeLease(ctx, { sender, lease: number, reason }) {
      const lease = keeper.requireLease(ctx, number);
      const who = closerOf(ctx, deps, lease, sender);
      const settled = keeper.endLease(ctx, lease, checkClose(lease, reason, who, ctx.height, paramsItem.get(ctx)));
      return MsgCloseLeaseResponse.fromPartial({
        toProvider: `${settled.toProvider}`,
        toUser: `${settled.toUser}`,
        burnt: `${settled.burnt}`,
        interest: `${settled.interest}`,
      });
    },
    announceLeave(ctx, { sender, lease: number }) {
      const lease = keeper.requireLease(ctx, number);
      assertActing(ctx, lease.provider, sender);
      return MsgAnnounceLeaveResponse.fromPartial({ leaveHeight: keeper.announceLeave(ctx, lease).leaveHeight });
    },
    updateParams(ctx, { authority, params }) {
      const named = authorityItem.get(ctx);
      if (named === '' || !sameAddress(named, authority))
        throw errUnauthorized.wrap(`the authority is ${named || 'nobody'}`);
      const next = present(params, 'params');
      validateParams(next);
      paramsItem.set(ctx, next);
      emitParamsUpdated(ctx, authority);
      return MsgUpdateParamsResponse.fromPartial({});
    },
  };
}

type ActingGuard = (ctx: Context, provider: string, sender: string) => void;

function bidHandlers(
  keeper: MarketKeeper,
  deps: MarketDeps,
  assertActing: ActingGuard,
): Pick<MarketMsgs, 'submitFulfillment' | 'cancelFulfillment'> {
  return {
    submitFulfillment(ctx, message) {
      const order = keeper.requireOrder(ctx, present(message.order, 'order'));
      assertOpen(order);
      const provider = deps.provider.getProvider(ctx, canonical(ctx, message.provider));
      if (provider === undefined) throw errNotProvider.wrap(message.provider);
      assertActing(ctx, provider.owner, message.sender);
      const bid = keeper.submitBid(ctx, order, provider, message);
      return MsgSubmitFulfillmentResponse.fromPartial({ number: bid.number, total: bid.total });
    },
    cancelFulfillment(ctx, { sender, number }) {
      const bid = fulfillments.get(ctx, number);
      if (bid === undefined) throw errBidNotFound.wrap(`${number}`);
      assertActing(ctx, bid.provider, sender);
      if (bid.state !== FulfillmentState.FULFILLMENT_STATE_OPEN) throw errBidNotOpen.wrap(`${number}`);
      keeper.cancelBid(ctx, bid);
      return MsgCancelFulfillmentResponse.fromPartial({});
    },
  };
}

/** The two messages that a block begins with; anyone may send them too. */
function matchHandlers(keeper: MarketKeeper): Pick<MarketMsgs, 'submitLease' | 'submitStaleLease'> {
  return {
    submitLease(ctx, { order }) {
      const lease = keeper.match(ctx, present(order, 'order'));
      return MsgSubmitLeaseResponse.fromPartial({ lease: lease.number, provider: lease.provider });
    },
    submitStaleLease(ctx, { lease }) {
      const division = keeper.breakStale(ctx, lease);
      return MsgSubmitStaleLeaseResponse.fromPartial({ toUser: `${division.toUser}`, burnt: `${division.burnt}` });
    },
  };
}

/** An address as the state has it. @throws AbciError invalid address (7) */
function canonical(ctx: Context, address: string): string {
  return toBech32(ctx.chain.bech32Prefix, addressBytes(address, ctx.chain.bech32Prefix));
}

/** One confirmation of a batch on a branch of its own; lack of gas fails the whole message. */
function confirmOne(ctx: Context, { lease }: Confirmation, run: (own: Context) => Paid): ConfirmationResult {
  let paid = 0n;
  const failure = ctx.isolated((own) => {
    paid = run(own).paid;
  });
  if (failure === undefined) return ConfirmationResult.fromPartial({ lease, paid: `${paid}` });
  const { code, codespace, log } = failure;
  if (code === errOutOfGas.code && codespace === errOutOfGas.codespace) throw new AbciError(errOutOfGas, log);
  return ConfirmationResult.fromPartial({ lease, paid: '0', code, codespace });
}

/** @throws AbciError unauthorized (4) when the sender is neither the user nor the provider */
function closerOf(
  ctx: Context,
  deps: MarketDeps,
  lease: Lease,
  sender: string,
): { isUser: boolean; isProvider: boolean } {
  const isUser = sameAddress(orderIdOf(lease).owner, sender);
  const isProvider = deps.provider.isActing(ctx, lease.provider, sender);
  if (!isUser && !isProvider) throw errUnauthorized.wrap(`${sender} is neither the user nor the provider of the lease`);
  return { isUser, isProvider };
}
