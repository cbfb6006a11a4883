/** How one container stands: a pure machine over what the engine and the health check tell. */
import type { InstanceState, InstanceStatus } from '../driver.ts';
import type { ContainerFacts, ContainerPhase } from './engine.ts';
import { freshHealth, type HealthState, nextHealth, verdict } from './health.ts';

export interface Standing {
  /** `gone`: there is no such container any more. */
  readonly phase: ContainerPhase | 'gone';
  /** Undefined where the spec has no health check. */
  readonly health: HealthState | undefined;
  /** Of the run that goes on: some process was killed at the limit. */
  readonly memoryKill: boolean;
  /** Restarts by the engine since it was last asked to start. */
  readonly engineRestarts: number;
  /** Restarts before that. */
  readonly earlierRestarts: number;
  /** Ends that were seen. */
  readonly ends: number;
  readonly lastEnd: string | undefined;
  /** When the run began, in ms since 1970; 0 while that is not known. */
  readonly startedMs: number;
}

export type Observation =
  | { readonly type: 'inspected'; readonly facts: ContainerFacts | undefined }
  | { readonly type: 'started' }
  | { readonly type: 'memory-kill' }
  | { readonly type: 'died'; readonly exitCode: number }
  | { readonly type: 'probed'; readonly healthy: boolean }
  /** It was started again by us, not by the engine. */
  | { readonly type: 'revived' };

export function firstStanding(hasHealth: boolean): Standing {
  return {
    phase: 'created',
    health: hasHealth ? freshHealth : undefined,
    memoryKill: false,
    engineRestarts: 0,
    earlierRestarts: 0,
    ends: 0,
    lastEnd: undefined,
    startedMs: 0,
  };
}

export function observe(standing: Standing, seen: Observation): Standing {
  switch (seen.type) {
    case 'inspected':
      return inspected(standing, seen.facts);
    case 'started':
      return { ...freshRun(standing), phase: 'running' };
    case 'memory-kill':
      return { ...standing, memoryKill: true };
    case 'died':
      return {
        ...freshRun(standing),
        phase: standing.phase === 'running' ? 'restarting' : standing.phase,
        ends: standing.ends + 1,
        lastEnd: endOf(seen.exitCode, standing.memoryKill),
      };
    case 'probed':
      if (standing.health === undefined || standing.phase !== 'running') return standing;
      return { ...standing, health: nextHealth(standing.health, seen.healthy) };
    case 'revived':
      return { ...standing, earlierRestarts: restartsOf(standing) + 1, engineRestarts: 0 };
  }
}

/** What a run had to itself is forgotten; when the next one began is told by the engine. */
function freshRun(standing: Standing): Standing {
  return {
    ...standing,
    startedMs: 0,
    memoryKill: false,
    health: standing.health === undefined ? undefined : freshHealth,
  };
}

function inspected(standing: Standing, facts: ContainerFacts | undefined): Standing {
  if (facts === undefined) return { ...freshRun(standing), phase: 'gone' };
  const { phase, startedMs, restarts, exitCode, memoryKill, error } = facts;
  const isOther = startedMs !== standing.startedMs && standing.startedMs !== 0;
  const base = isOther ? freshRun(standing) : standing;
  const next = { ...base, phase, startedMs, engineRestarts: Math.max(restarts, 0) };
  if (phase === 'running' || phase === 'paused' || phase === 'created') {
    return error === '' ? next : { ...next, lastEnd: `could not be started: ${error}` };
  }
  if (error !== '') return { ...next, lastEnd: `could not be started: ${error}` };
  // An end that no event told: while the daemon or the engine was away.
  const isUntold = standing.lastEnd === undefined || isOther;
  const lateKill = memoryKill && exitCode === killedCode && standing.lastEnd !== memoryEnd;
  return isUntold || lateKill ? { ...next, lastEnd: endOf(exitCode, memoryKill) } : next;
}

const memoryEnd = 'killed at its memory limit';
/** 128 and the number of SIGKILL. */
const killedCode = 137;
const signals: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  15: 'SIGTERM',
};

/** For people: how a run ended. */
export function endOf(exitCode: number, memoryKill: boolean): string {
  if (memoryKill && exitCode === killedCode) return memoryEnd;
  const signal = signals[exitCode - 128];
  return signal === undefined ? `exit code ${exitCode}` : `exit code ${exitCode} (${signal})`;
}

export function restartsOf({ earlierRestarts, engineRestarts }: Standing): number {
  return earlierRestarts + engineRestarts;
}

export function stateOf({ phase, health, ends }: Standing): InstanceState {
  switch (phase) {
    case 'running':
      return health === undefined ? 'ready' : verdict(health);
    case 'paused':
      return 'unhealthy';
    case 'created':
      return ends === 0 ? 'starting' : 'backing_off';
    default:
      return 'backing_off';
  }
}

export function statusOf(standing: Standing, { index, address }: { index: number; address: string }): InstanceStatus {
  const { lastEnd } = standing;
  return {
    index,
    state: stateOf(standing),
    restarts: restartsOf(standing),
    ...(lastEnd === undefined ? {} : { lastEnd }),
    address,
  };
}
