/** Reads what the engine's API sends: JSON lines, events, progress, figures. */
import type { Readable } from 'node:stream';
import type { ContainerInspectInfo } from 'dockerode';
import {
  type ContainerFacts,
  type ContainerPhase,
  EngineError,
  type EngineEvent,
  type EngineFacts,
  type PullProgress,
  type RawStats,
} from './engine.ts';

/** A line of the engine's is at most so long; events and progress are a few hundred bytes. */
const maxLineBytes = 1024 * 1024;

/** The JSON values of a stream, one a line. @throws Error where a line is none, or too long */
export async function* jsonLines(stream: Readable): AsyncGenerator<unknown> {
  let pending = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    pending += decoder.decode(chunk as Uint8Array, { stream: true });
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    if (pending.length > maxLineBytes) throw new Error('a line of the container engine is too long');
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line);
  }
  if (pending.trim() !== '') yield JSON.parse(pending);
}

function eventOf(line: unknown): EngineEvent {
  const { Action, Actor } = line as { Action?: string; Actor?: { ID?: string; Attributes?: Record<string, string> } };
  return { action: Action ?? '', id: Actor?.ID ?? '', labels: Actor?.Attributes ?? {} };
}

function progressOf(line: unknown): PullProgress {
  const { id, status, progressDetail } = line as {
    id?: string;
    status?: string;
    progressDetail?: { current?: number; total?: number };
  };
  return {
    layer: id,
    status: status ?? '',
    current: progressDetail?.current ?? 0,
    total: progressDetail?.total ?? 0,
  };
}

/** What `GET /info` says of the engine, as far as it is read. */
export interface EngineInfo {
  readonly DockerRootDir: string;
  readonly SecurityOptions?: readonly string[];
  readonly Runtimes?: Readonly<Record<string, { readonly path?: string; readonly runtimeType?: string }>>;
  readonly DefaultRuntime?: string;
}

/**
 * The runtimes that the engine knows by name, and whether it is one of NVIDIA’s that containers get which ask for none.
 * That one goes by its program: its name is the operator’s choice.
 */
export function runtimesOf({ Runtimes = {}, DefaultRuntime = '' }: Pick<EngineInfo, 'Runtimes' | 'DefaultRuntime'>): {
  readonly runtimes: readonly string[];
  readonly nvidiaForAll: boolean;
} {
  const { path = '', runtimeType = '' } = Runtimes[DefaultRuntime] ?? {};
  const isNvidia = [DefaultRuntime, path, runtimeType].some((text) => text.includes('nvidia'));
  return { runtimes: Object.keys(Runtimes).sort(), nvidiaForAll: isNvidia };
}

export function engineFactsOf(
  info: EngineInfo,
  { Version, Arch }: { readonly Version: string; readonly Arch: string },
): EngineFacts {
  return {
    version: Version,
    architecture: Arch,
    rootFolder: info.DockerRootDir,
    seccomp: (info.SecurityOptions ?? []).some(
      (option) => option.startsWith('name=seccomp') && !option.includes('profile=unconfined'),
    ),
    nvidiaForAll: runtimesOf(info).nvidiaForAll,
  };
}

export function containerFactsOf({
  Id: id,
  Config: config,
  State: state,
  RestartCount,
}: ContainerInspectInfo): ContainerFacts {
  return {
    id,
    labels: config.Labels,
    phase: state.Status as ContainerPhase,
    pid: state.Pid,
    exitCode: state.ExitCode,
    memoryKill: state.OOMKilled,
    error: state.Error,
    // The engine’s zero is the year 1.
    startedMs: Math.max(0, Date.parse(state.StartedAt)),
    restarts: RestartCount,
  };
}

interface StatsAnswer {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: { readonly usage?: number; readonly stats?: unknown };
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>>;
}

/**
 * Memory is what counts against the limit without the page cache that can be given back: cgroup v1 calls that
 * `total_inactive_file`, v2 `inactive_file`.
 */
export function statsOf(answer: StatsAnswer): RawStats {
  const { cpu_stats: cpu, memory_stats: memory, networks } = answer;
  const parts = (memory?.stats ?? {}) as Record<string, number>;
  const cache = parts['total_inactive_file'] ?? parts['inactive_file'] ?? 0;
  const cards = Object.values(networks ?? {});
  return {
    cpuNanos: cpu?.cpu_usage?.total_usage ?? 0,
    memoryBytes: Math.max(0, (memory?.usage ?? 0) - cache),
    receivedBytes: cards.reduce((sum, card) => sum + card.rx_bytes, 0),
    sentBytes: cards.reduce((sum, card) => sum + card.tx_bytes, 0),
  };
}

export async function* eventsIn(stream: Readable): AsyncGenerator<EngineEvent> {
  for await (const line of jsonLines(stream)) yield eventOf(line);
}

/** Ends, and so ends the pull, when the signal aborts. */
export async function* progressIn(stream: Readable, signal: AbortSignal): AsyncGenerator<PullProgress> {
  const stop = (): void => void stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const line of jsonLines(stream)) {
      throwIfError(line, 'pull the image');
      yield progressOf(line);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

/** The engine tells of failures within streams that begun well. */
export function throwIfError(line: unknown, doing: string): void {
  const { error } = line as { error?: unknown };
  if (typeof error === 'string') {
    throw new EngineError(`could not ${doing}: the container engine says: ${error}`, 500);
  }
}
