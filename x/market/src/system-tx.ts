/**
 * What a block must begin with (design §5 "Matching is the validators' work"): the stale leases and the due orders of
 * the state committed before it. A pure function of that state and of the height; the winner of an order is computed
 * when the message runs and never sent.
 */
import type { Context } from '@mu/framework/context';
import type { Failure } from '@mu/framework/errors';
import type { SystemTxSource } from '@mu/framework/system-tx';
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import {
  MsgSubmitLease,
  MsgSubmitLeaseResponse,
  MsgSubmitStaleLease,
  MsgSubmitStaleLeaseResponse,
  type Order,
} from '@mu/proto/market';
import { Any } from 'cosmjs-types/google/protobuf/any';
import { marketAddress } from './collateral.ts';
import type { MarketKeeper } from './keeper.ts';
import { moduleName } from './keys.ts';
import { confirmByQueue, dueOrders, orders, paramsItem } from './state.ts';

const submitLeaseUrl = `/${MsgSubmitLease.$type}`;
const submitStaleLeaseUrl = `/${MsgSubmitStaleLease.$type}`;

/** One thing that is due, and what its execution costs: 1, and 1 for each bid. */
interface DueItem {
  readonly message: Any;
  readonly cost: number;
}

/** Stale leases by (deadline, number), then orders by (due height, id), read as far as they are asked for. */
function* dueItems(ctx: Context, height: bigint): IterableIterator<DueItem> {
  const sender = marketAddress(ctx);
  for (const [, lease] of confirmByQueue.iterate(ctx, { before: [height, 0n] })) {
    const value = MsgSubmitStaleLease.encode(MsgSubmitStaleLease.fromPartial({ sender, lease })).finish();
    yield { message: Any.fromPartial({ typeUrl: submitStaleLeaseUrl, value }), cost: 1 };
  }
  const end = [height + 1n, new Uint8Array(), 0n, 0, 0] as const;
  for (const [, ...key] of dueOrders.iterate(ctx, { before: end })) {
    const [ownerBytes, dseq, infrastructure, round] = key;
    const { openBids } = orders.get(ctx, key) as Order;
    const owner = toBech32(ctx.chain.bech32Prefix, ownerBytes);
    const order = { owner, dseq, infrastructure, round };
    const value = MsgSubmitLease.encode(MsgSubmitLease.fromPartial({ sender, order })).finish();
    yield { message: Any.fromPartial({ typeUrl: submitLeaseUrl, value }), cost: 1 + openBids };
  }
}

/**
 * What is due in the block of `height`, cut at max_injected_items and max_injected_cost. The first item is never cut:
 * a cost bound lowered below a standing order's bids would keep it due for ever.
 */
export function dueMessages(ctx: Context, height: bigint): Any[] {
  const { maxInjectedItems, maxInjectedCost } = paramsItem.get(ctx);
  const messages: Any[] = [];
  let cost = 0;
  for (const item of dueItems(ctx, height)) {
    cost += item.cost;
    if (messages.length >= maxInjectedItems || (messages.length > 0 && cost > maxInjectedCost)) break;
    messages.push(item.message);
  }
  return messages;
}

/** Settles a message of the block that failed, and answers with its code. */
function settleFailure(keeper: MarketKeeper, ctx: Context, message: Any, failure: Failure): Any {
  const { code, codespace } = failure;
  if (message.typeUrl === submitStaleLeaseUrl) {
    keeper.settleFailedLease(ctx, MsgSubmitStaleLease.decode(message.value).lease, failure);
    const response = MsgSubmitStaleLeaseResponse.fromPartial({ toUser: '0', burnt: '0', code, codespace });
    const value = MsgSubmitStaleLeaseResponse.encode(response).finish();
    return Any.fromPartial({ typeUrl: `/${MsgSubmitStaleLeaseResponse.$type}`, value });
  }
  const { order } = MsgSubmitLease.decode(message.value);
  if (order !== undefined) keeper.settleFailedOrder(ctx, order, failure);
  const value = MsgSubmitLeaseResponse.encode(MsgSubmitLeaseResponse.fromPartial({ code, codespace })).finish();
  return Any.fromPartial({ typeUrl: `/${MsgSubmitLeaseResponse.$type}`, value });
}

/** The source of the transaction that blocks begin with. */
export function createMarketSystemTx(keeper: MarketKeeper): SystemTxSource {
  return {
    signer: moduleAddress(moduleName),
    due: dueMessages,
    settleFailure: (ctx, message, failure) => settleFailure(keeper, ctx, message, failure),
  };
}
