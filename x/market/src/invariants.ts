/** What must always hold of the market. Each reads everything: for tests and simulations, never in production. */

import type { Context } from '@mu/framework/context';
import { EventLog } from '@mu/framework/events';
import { GasMeter } from '@mu/framework/gas';
import type { Invariant } from '@mu/framework/module';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { parseAmount } from '@mu/lib/amounts';
import { compareBytes } from '@mu/lib/bytes';
import { FulfillmentState, type Lease, type Order, OrderState } from '@mu/proto/market';
import { marketAddress } from './collateral.ts';
import type { MarketDeps } from './expected-keepers.ts';
import { describeOrder, exportGenesis, initGenesis } from './genesis.ts';
import { moduleName } from './keys.ts';
import { fulfillments, interestItem, isLive, leases, orderIdOf, orderKeyOf, orders } from './state.ts';

/** A context that does not count gas against a transaction. */
function unmetered(ctx: Context, stores = ctx.stores): Context {
  return ctx.with({ stores, gas: new GasMeter(), events: new EventLog() });
}

/** Collateral in the module account = Σ of open bids and live leases. */
function collateralIsHeld(deps: MarketDeps, ctx: Context): string | undefined {
  let locked = 0n;
  for (const [, bid] of fulfillments.iterate(ctx)) {
    if (bid.state === FulfillmentState.FULFILLMENT_STATE_OPEN) locked += parseAmount(bid.collateral);
  }
  for (const [, lease] of leases.iterate(ctx)) if (isLive(lease)) locked += parseAmount(lease.collateral);
  const held = deps.bank.balance(ctx, marketAddress(ctx), ctx.chain.denom);
  return held === locked ? undefined : `the account holds ${held}, bids and leases lock ${locked}`;
}

/** A matched order has exactly one live lease, any other one none. */
function oneLeasePerOrder(ctx: Context): string | undefined {
  const live = new Map<string, number>();
  for (const [, lease] of leases.iterate(ctx)) {
    if (isLive(lease)) live.set(describeOrder(lease), (live.get(describeOrder(lease)) ?? 0) + 1);
  }
  for (const [, order] of orders.iterate(ctx)) {
    const expected = order.state === OrderState.ORDER_STATE_MATCHED ? 1 : 0;
    const count = live.get(describeOrder(order)) ?? 0;
    if (count !== expected) return `order ${describeOrder(order)} has ${count} live leases, not ${expected}`;
    live.delete(describeOrder(order));
  }
  return live.size === 0 ? undefined : 'a live lease has no order';
}

/** The records, written anew into an empty store, give the store byte for byte: indexes and counters are right. */
function indexesAreTables(ctx: Context): string | undefined {
  const fresh = unmetered(ctx, new BranchMultiStore(new MemoryCommitStore([moduleName])));
  initGenesis(fresh, exportGenesis(ctx));
  const rebuilt = fresh.stores.store(moduleName).iterate();
  for (const [key, value] of ctx.stores.store(moduleName).iterate()) {
    const next = rebuilt.next();
    if (next.done || compareBytes(next.value[0], key) !== 0) return `key ${hex(key)} is left over or stands elsewhere`;
    if (compareBytes(next.value[1], value) !== 0) return `value of key ${hex(key)}`;
  }
  const missing = rebuilt.next();
  return missing.done ? undefined : `key ${hex(missing.value[0])} is missing`;
}

/** Open bids stand only on open orders, which count them and are due only with one. */
function openBidsAreCounted(ctx: Context): string | undefined {
  const open = new Map<string, number>();
  for (const [, bid] of fulfillments.iterate(ctx)) {
    if (bid.state !== FulfillmentState.FULFILLMENT_STATE_OPEN) continue;
    const order = orders.get(ctx, orderKeyOf(ctx, orderIdOf(bid)));
    if (order?.state !== OrderState.ORDER_STATE_OPEN) return `bid ${bid.number} is open, its order is not`;
    open.set(describeOrder(bid), (open.get(describeOrder(bid)) ?? 0) + 1);
  }
  for (const [, order] of orders.iterate(ctx)) {
    const count = open.get(describeOrder(order)) ?? 0;
    if (order.openBids !== count) return `order ${describeOrder(order)} counts ${order.openBids} bids, it has ${count}`;
    if ((order.dueHeight !== 0n) !== count > 0) return `order ${describeOrder(order)} is due at ${order.dueHeight}`;
  }
  return undefined;
}

/** An infrastructure has one open order at most, or two live leases, and what is later replaces what is earlier. */
function onePlaceOneLease(ctx: Context): string | undefined {
  const live = new Map<string, bigint[]>();
  for (const [, lease] of leases.iterate(ctx)) {
    if (isLive(lease)) live.set(placeOf(lease), [...(live.get(placeOf(lease)) ?? []), lease.number]);
  }
  for (const [place, [first = 0n, second, ...more]] of live) {
    if (more.length > 0) return `infrastructure ${place} has ${2 + more.length} live leases`;
    if (second !== undefined && leases.get(ctx, second)?.replaces !== first)
      return `lease ${second} does not replace lease ${first} of the same infrastructure`;
  }
  const open = new Set<string>();
  for (const [, order] of orders.iterate(ctx)) {
    if (order.state !== OrderState.ORDER_STATE_OPEN) continue;
    const place = placeOf(order);
    const lives = live.get(place) ?? [];
    if (open.has(place) || lives.length > 1) return `infrastructure ${place} has too many orders or leases`;
    if (lives.length === 1 && lives[0] !== order.replaces)
      return `order ${describeOrder(order)} replaces ${order.replaces}`;
    open.add(place);
  }
  return undefined;
}

function placeOf(record: Order | Lease): string {
  const { owner, dseq, infrastructure } = orderIdOf(record);
  return `${owner.toLowerCase()}/${dseq}/${infrastructure}`;
}

/** What the ledger says was minted stands in the leases. */
function interestAddsUp(ctx: Context): string | undefined {
  let sum = 0n;
  for (const [, lease] of leases.iterate(ctx)) sum += parseAmount(lease.interest);
  const { mintedTotal } = interestItem.get(ctx);
  return mintedTotal === `${sum}` ? undefined : `the ledger says ${mintedTotal}, the leases ${sum}`;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The invariants MKT-1 to MKT-6 of the README. */
export function marketInvariants(deps: MarketDeps): readonly Invariant[] {
  const free = (check: (ctx: Context) => string | undefined) => (ctx: Context) => check(unmetered(ctx));
  return [
    { name: 'MKT-1', check: free((ctx) => collateralIsHeld(deps, ctx)) },
    { name: 'MKT-2', check: free(oneLeasePerOrder) },
    { name: 'MKT-3', check: free(indexesAreTables) },
    { name: 'MKT-4', check: free(openBidsAreCounted) },
    { name: 'MKT-5', check: free(onePlaceOneLease) },
    { name: 'MKT-6', check: free(interestAddsUp) },
  ];
}
