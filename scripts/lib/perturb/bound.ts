/** How long a height may take when one validator at a time is away, from CometBFT's own timeouts. */
import type { Timeouts } from '../localnet/layout.ts';
import type { BlockMeta } from '../localnet/rpc.ts';

/**
 * Rounds of one height that may fail: one because the proposer is away, one because the node that was away before it
 * is the next proposer and has the blocks but not yet the votes.
 */
const failedRounds = 2;
/** Work of a small machine that runs all nodes: processes that start, blocks that are executed, disks that sync. */
const slackMs = 5000;
/** All peers lost: CometBFT dials again after up to 3 s, and 5 s to 8 s later when two dialed each other at once. */
const reconnectMs = 11_000;

/** The bound of one height in milliseconds. */
export function heightBoundMs({ proposeMs, voteMs, deltaMs, commitMs }: Timeouts): number {
  let bound = commitMs + slackMs;
  for (let round = 0; round < failedRounds; round += 1) bound += proposeMs + 2 * voteMs + 3 * round * deltaMs;
  return bound;
}

/** A time in which most validators were away, by this machine's clock. */
export interface Standstill {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface HeightTime {
  readonly height: number;
  readonly tookMs: number;
  readonly allowedMs: number;
}

/**
 * How long each height took, by the times of the blocks, and how long it may have taken. The time of a block is the
 * median of when the validators voted for the one before.
 */
export function heightTimes(
  metas: readonly BlockMeta[],
  timeouts: Timeouts,
  standstills: readonly Standstill[],
): HeightTime[] {
  const bound = heightBoundMs(timeouts);
  // The first block carries the time of the genesis.
  return metas.slice(2).map(({ height, timeMs }, index) => {
    const before = (metas[index + 1] as BlockMeta).timeMs;
    const still = standstills.filter(({ fromMs, toMs }) => fromMs < timeMs && toMs > before);
    const away = still.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs) + reconnectMs, 0);
    return { height, tookMs: timeMs - before, allowedMs: bound + away };
  });
}
