/** Brings what leases have used to the disk again and again: a crash loses no more than what came since. */
import { messageOf } from '@mu/lib/error-message';
import type { Lease } from '@mu/proto/market';
import type { Logger } from 'pino';
import type { UsageReporter } from './usage-reporter.ts';

/** Between two counts, in milliseconds. */
export const countEveryMs = 1_000;

export interface UsageClockOptions {
  /** Asks those who count for what they have counted. */
  readonly poll: () => Promise<void>;
  readonly leases: () => readonly Lease[];
  readonly usage: Pick<UsageReporter, 'count'>;
  /** The last block that was seen. */
  readonly height: () => bigint;
  readonly log: Pick<Logger, 'warn'>;
}

export class UsageClock {
  readonly #options: UsageClockOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: UsageClockOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.count(), countEveryMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Counts once, of all leases. Never throws: what the disk or the data plane does not let be counted is counted later. */
  async count(): Promise<void> {
    const { poll, leases, usage, height, log } = this.#options;
    try {
      await poll();
      for (const lease of leases()) usage.count(lease, height());
    } catch (error) {
      const reason = messageOf(error);
      log.warn({ reason }, 'usage cannot be counted now, it will be counted later');
    }
  }
}
