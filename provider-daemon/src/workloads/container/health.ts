/** Whether an instance answers: one pure machine, and the loop that asks. */
import { request } from 'node:http';
import type { Clock } from './clock.ts';

/** So many refusals in a row take an instance out of service; one answer brings it back. */
export const failuresUntilUnhealthy = 3;
/** One that has never answered is still starting for so many checks. */
export const failuresWhileStarting = 60;
/** While it starts it is asked more often than later: most programs answer at once, so the first pauses are short. */
const firstPauseMs = 20;
const pauseGrowth = 1.5;
const startingEveryMs = 500;
const maxProbeMs = 5_000;

export interface HealthState {
  readonly answered: boolean;
  /** In a row. */
  readonly failures: number;
}

export const freshHealth: HealthState = { answered: false, failures: 0 };

export function nextHealth(state: HealthState, healthy: boolean): HealthState {
  return healthy ? { answered: true, failures: 0 } : { ...state, failures: state.failures + 1 };
}

export function verdict({ answered, failures }: HealthState): 'starting' | 'ready' | 'unhealthy' {
  if (answered) return failures < failuresUntilUnhealthy ? 'ready' : 'unhealthy';
  return failures < failuresWhileStarting ? 'starting' : 'unhealthy';
}

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly path: string;
}

/** @returns whether it answered with 2xx or 3xx within the time */
export type Probe = (target: ProbeTarget, timeoutMs: number) => Promise<boolean>;

export const httpProbe: Probe = ({ address, port, path }, timeoutMs) => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const options = { host: address, port, path, agent: false, signal: AbortSignal.timeout(timeoutMs) };
  const asked = request({ ...options, headers: { 'user-agent': 'mu-health' } }, ({ statusCode = 0 }) => {
    resolve(statusCode >= 200 && statusCode < 400);
    // The body is of no interest, however long it is.
    asked.destroy();
  });
  asked.on('error', () => resolve(false));
  asked.end();
  return promise;
};

export interface HealthCheckOptions {
  readonly clock: Clock;
  readonly probe: Probe;
  readonly target: ProbeTarget;
  readonly intervalMs: number;
  /** It is not asked otherwise. */
  readonly isRunning: () => boolean;
  readonly isStarting: () => boolean;
  /** Resolves when it may run, or no longer run. */
  readonly changed: () => Promise<void>;
  readonly tell: (healthy: boolean) => void;
}

/** Asks until the signal aborts. */
export async function checkHealth(options: HealthCheckOptions, signal: AbortSignal): Promise<void> {
  const { clock, probe, target, intervalMs, isRunning, isStarting, changed, tell } = options;
  let pauseMs = firstPauseMs;
  while (!signal.aborted) {
    if (!isRunning()) {
      // The first look comes as soon as it runs.
      pauseMs = firstPauseMs;
      await Promise.race([changed(), clock.wait(startingEveryMs, signal)]);
      continue;
    }
    const healthy = await probe(target, Math.min(maxProbeMs, Math.max(intervalMs, 1_000)));
    if (signal.aborted) return;
    // What ended meanwhile says nothing about what runs then.
    if (isRunning()) tell(healthy);
    const isSettled = !isStarting();
    await clock.wait(isSettled ? intervalMs : Math.min(pauseMs, startingEveryMs, intervalMs), signal);
    pauseMs = isSettled ? firstPauseMs : Math.round(pauseMs * pauseGrowth);
  }
}
