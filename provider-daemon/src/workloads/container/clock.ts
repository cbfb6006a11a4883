/** Time as the container driver sees it; tests give their own. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since 1970: to be shown, and compared with what others say. It jumps when somebody sets the clock. */
  readonly now: () => number;
  /** Milliseconds since some moment; it never jumps. How long something takes is measured by this. */
  readonly elapsed: () => number;
  /** Resolves when so much time has passed, or at once when the signal aborts; never throws. */
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export const realClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  wait: async (ms, signal) => {
    await delay(ms, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) }).catch(() => {});
  },
};
