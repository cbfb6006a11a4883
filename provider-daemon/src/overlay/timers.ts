/** Time as tunnels see it; tests give their own. */

export interface Timers {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Runs it once. @returns takes it back */
  readonly after: (ms: number, run: () => void) => () => void;
}

/** Node's timers take no more; a longer one would run at once. */
const maxTimerMs = 0x7fff_ffff;

/** The machine's; what waits keeps no process alive. */
export const realTimers: Timers = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, maxTimerMs)).unref();
    return () => clearTimeout(timer);
  },
};
