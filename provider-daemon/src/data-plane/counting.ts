/** Brings to the disk again and again what is kept in memory too, whether the disk takes it or not. */
import { messageOf } from '@mu/lib/error-message';
import pino, { type Logger } from 'pino';
import { lossyDestination } from '../setup/lossy-destination.ts';

/**
 * @param what is counted, for the log: one thing
 * @returns counts once; never throws. What the disk does not take stays in memory and is written with a later count, and is
 *   told once.
 */
export function countingOf(count: () => void, log: Pick<Logger, 'error' | 'info'>, what = 'usage'): () => void {
  let isLate = false;
  return () => {
    try {
      count();
      if (isLate) log.info({}, `${what} is written again`);
      isLate = false;
    } catch (error) {
      const reason = messageOf(error);
      if (!isLate) log.error({ reason }, `${what} cannot be written: it is kept in memory`);
      isLate = true;
    }
  };
}

/** A log on stdout, which is a file: where the disk takes no line, lines are lost and nothing else. */
export function lossyLog(part: string): Logger {
  return pino({ base: { part } }, lossyDestination(1));
}
