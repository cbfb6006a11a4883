/**
 * The next usage report of a lease: pure. A report that was signed is kept until the chain has taken it, and sent again
 * as it is, so that a crash between sending and learning of it neither loses nor repeats anything: the chain takes each
 * sequence once.
 */
import { UsageReport } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import { Counters, type Quantity } from './counters.ts';

/** What is on disk of the usage of a lease. */
export interface UsageState {
  /** of the last report that the chain took; 0 before the first */
  readonly sequence: bigint;
  /** last block of that report; before the first, the block of the match */
  readonly toHeight: bigint;
  /** used since then, and not carried by the pending report */
  readonly counted: readonly Quantity[];
  /** totals of the data plane that `counted` and the reports before it contain */
  readonly seen: readonly Quantity[];
  /** signed and perhaps sent, not known to be taken */
  readonly pending: { readonly report: UsageReport; readonly signature: Uint8Array } | undefined;
}

export function freshUsage(lease: Lease): UsageState {
  return { sequence: 0n, toHeight: lease.createdHeight, counted: [], seen: [], pending: undefined };
}

/** Whether any total is another than it was; one that is not told of now says nothing. */
export function hasMoved(state: UsageState, totals: readonly Quantity[]): boolean {
  return totals.some(({ service, metric, quantity }) => quantity !== seenOf(state, service, metric));
}

function seenOf({ seen }: UsageState, service: string, metric: string): bigint {
  return seen.find((one) => one.service === service && one.metric === metric)?.quantity ?? 0n;
}

/**
 * Counts what came since the last time: increments as they are, and of totals what they have grown by. A total below the
 * one that was seen began anew: all of it is new. Both stand in one entry of the journal, so whenever the daemon ends,
 * nothing is counted twice.
 */
export function addCounts(state: UsageState, used: readonly Quantity[], totals: readonly Quantity[]): UsageState {
  const counters = new Counters(state.counted);
  for (const { service, metric, quantity } of used) counters.add(service, metric, quantity);
  for (const { service, metric, quantity } of totals) {
    const before = seenOf(state, service, metric);
    counters.add(service, metric, quantity >= before ? quantity - before : quantity);
  }
  const kept = state.seen.filter(
    (one) => !totals.some(({ service, metric }) => one.service === service && one.metric === metric),
  );
  return { ...state, counted: counters.items(), seen: [...kept, ...totals] };
}

/**
 * The report for the blocks up to `toHeight`; undefined where there is nothing to report. Quantities above what the
 * lease's limits allow for the period are cut to them: more is never billed.
 * @param by the node, and the Merkle root of its request log of the period, 32 bytes
 */
export function nextReport(
  lease: Lease,
  state: UsageState,
  by: { readonly nodeId: string; readonly logRoot: Uint8Array },
  toHeight: bigint,
): UsageReport | undefined {
  if (state.pending !== undefined) return state.pending.report;
  const blocks = toHeight - state.toHeight;
  if (blocks <= 0n) return undefined;
  const items = new Counters(state.counted).items().flatMap((item) => {
    const limit = lease.usageLimits.find(({ metric }) => metric === item.metric);
    const most = limit === undefined ? item.quantity : limit.maxQuantityPerBlock * blocks;
    const quantity = item.quantity < most ? item.quantity : most;
    return quantity === 0n ? [] : [{ ...item, quantity }];
  });
  if (items.length === 0) return undefined;
  return UsageReport.fromPartial({
    lease: lease.number,
    nodeId: by.nodeId,
    sequence: state.sequence + 1n,
    fromHeight: state.toHeight + 1n,
    toHeight,
    items: sharedLimits(lease, items, blocks),
    logRoot: by.logRoot,
  });
}

/** A limit holds for a metric over all services together. */
function sharedLimits(lease: Lease, items: readonly Quantity[], blocks: bigint): Quantity[] {
  const left = new Map(
    lease.usageLimits.map(({ metric, maxQuantityPerBlock }) => [metric, maxQuantityPerBlock * blocks]),
  );
  return items.flatMap((item) => {
    const room = left.get(item.metric);
    if (room === undefined) return [item];
    const quantity = item.quantity < room ? item.quantity : room;
    left.set(item.metric, room - quantity);
    return quantity === 0n ? [] : [{ ...item, quantity }];
  });
}

/** The state once the chain has taken the pending report. */
export function taken(state: UsageState): UsageState {
  if (state.pending === undefined) return state;
  const { report } = state.pending;
  return { ...state, sequence: report.sequence, toHeight: report.toHeight, pending: undefined };
}

/**
 * The state in the light of what the chain says after a restart: a report that it has taken is not sent again, one that
 * it has not taken is.
 */
export function reconciled(
  state: UsageState,
  chain: { readonly sequence: bigint; readonly toHeight: bigint },
): UsageState {
  if (state.pending !== undefined && state.pending.report.sequence === chain.sequence) return taken(state);
  if (chain.sequence > state.sequence) {
    // The disk lags behind the chain, as one from a backup does: what it counted may be what the chain was told. Rather
    // lose it than bill it twice; a report that is on its way there was taken long ago, or never will be.
    return { ...state, sequence: chain.sequence, toHeight: chain.toHeight, counted: [], pending: undefined };
  }
  return state;
}
