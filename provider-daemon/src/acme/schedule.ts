/** When a name's certificate is asked for. */
import { backOffMs } from '../back-off.ts';

const minuteMs = 60_000;
/** After a failure: two minutes, then twice as long each time, so that no authority's limit of failures in an hour is met. */
const firstPauseMs = 2 * minuteMs;
const longestPauseMs = 12 * 60 * minuteMs;
/** Renewed when two thirds of its life are over. */
const renewAfter = 2 / 3;

export interface Failures {
  readonly count: number;
  /** Of the last one; ms since 1970. */
  readonly at: number;
}

/** When a certificate is to be renewed, in ms since 1970. */
export function renewalOf({ from, until }: { readonly from: number; readonly until: number }): number {
  return from + (until - from) * renewAfter;
}

/** When the next attempt is due, in ms since 1970; 0: now. */
export function dueAt(
  held: { readonly from: number; readonly until: number } | undefined,
  failures: Failures | undefined,
): number {
  const wanted = held === undefined ? 0 : renewalOf(held);
  if (failures === undefined || failures.count === 0) return wanted;
  const pause = backOffMs(failures.count - 1, { first: firstPauseMs, most: longestPauseMs });
  return Math.max(wanted, failures.at + pause);
}
