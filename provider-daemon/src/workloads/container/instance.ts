/** One container of a workload: what is known of it, its log, its health, and its revival where the engine gave up. */

import { backOffMs } from '../../back-off.ts';
import { reach } from '../../faults/fault-points.ts';
import { type InstanceStatus, WorkloadError, type WorkloadName } from '../driver.ts';
import { restrictions } from './create-options.ts';
import { EngineError, type EngineEvent } from './engine.ts';
import { checkHealth, freshHealth } from './health.ts';
import { firstStanding, type Observation, observe, type Standing, statusOf } from './instance-state.ts';
import { LogFollower } from './logs.ts';
import type { ContainerPlace } from './names.ts';
import type { ContainerParts } from './parts.ts';

const revival = { first: 1_000, most: 60_000 };
/** After so long a run the next revival is at once again. */
const steadyMs = 10_000;

export interface HealthWish {
  readonly path: string;
  readonly port: number;
  readonly intervalMs: number;
}

export interface InstanceOptions {
  readonly parts: ContainerParts;
  readonly workload: WorkloadName;
  readonly place: ContainerPlace;
  readonly containerId: string;
  readonly address: string;
  readonly health: HealthWish | undefined;
  /** Its status may have changed. */
  readonly onChange: () => void;
  /** Somebody removed the container. */
  readonly onVanished: () => void;
}

export class Instance {
  readonly place: ContainerPlace;
  readonly containerId: string;
  readonly address: string;
  readonly #options: InstanceOptions;
  readonly #parts: ContainerParts;
  readonly #logs: LogFollower;
  readonly #close = new AbortController();
  #health: HealthWish | undefined;
  #healthEnd = new AbortController();
  #standing: Standing;
  #refreshing: Promise<void> | undefined;
  #isStale = false;
  #reviving = false;
  #revivals = 0;
  #changed = Promise.withResolvers<void>();
  /** the run that was seen last, by when the engine says that it began, and when it was first seen */
  #seenRun: { readonly startedMs: number; readonly sinceMs: number } | undefined;
  /** when this picture of the container was made, in milliseconds since 1970 */
  readonly #attachedMs: number;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#parts = options.parts;
    this.#attachedMs = options.parts.clock.now();
    this.place = options.place;
    this.containerId = options.containerId;
    this.address = options.address;
    this.#standing = firstStanding(options.health !== undefined);
    const { engine, marks, clock, log } = options.parts;
    this.#logs = new LogFollower({
      engine,
      marks,
      clock,
      containerId: options.containerId,
      emit: (stream, line) => log(options.workload, stream, line),
    });
    this.setHealth(options.health);
  }

  get health(): HealthWish | undefined {
    return this.#health;
  }

  status(): InstanceStatus {
    return statusOf(this.#standing, { index: this.place.instance, address: this.address });
  }

  /** Somebody has removed its container. */
  get isGone(): boolean {
    return this.#standing.phase === 'gone';
  }

  get isRunning(): boolean {
    return this.#standing.phase === 'running';
  }

  /** Another check, or none, from now on. */
  setHealth(health: HealthWish | undefined): void {
    this.#health = health;
    this.#healthEnd.abort();
    this.#healthEnd = new AbortController();
    this.#standing = { ...this.#standing, health: health === undefined ? undefined : freshHealth };
    if (health === undefined) return;
    const { clock, probe } = this.#parts;
    void checkHealth(
      {
        clock,
        probe,
        target: { address: this.address, port: health.port, path: health.path },
        intervalMs: health.intervalMs,
        isRunning: () => this.#standing.phase === 'running',
        isStarting: () => this.#standing.health?.answered === false,
        changed: () => this.#changed.promise,
        tell: (healthy) => this.#see({ type: 'probed', healthy }),
      },
      AbortSignal.any([this.#healthEnd.signal, this.#close.signal]),
    );
  }

  /** Has the engine start it, where it does not run. */
  async start(): Promise<void> {
    await this.#parts.engine.start(this.containerId);
    reach('container.started');
    this.#logs.wake();
    await this.refresh();
  }

  onEvent({ action, labels }: EngineEvent): void {
    if (action === 'start') this.#see({ type: 'started' });
    else if (action === 'oom') this.#see({ type: 'memory-kill' });
    else if (action === 'die') this.#see({ type: 'died', exitCode: Number(labels['exitCode'] ?? -1) });
    else if (!['destroy', 'pause', 'unpause', 'stop', 'kill'].includes(action)) return;
    if (action === 'start' || action === 'die') this.#logs.wake();
    this.refresh().catch(() => {
      // The engine went; everything is read anew when it is back.
    });
  }

  /** Reads how the container stands. One reading at a time; one that is asked for meanwhile follows. */
  async refresh(): Promise<void> {
    this.#isStale = true;
    this.#refreshing ??= this.#refreshAll().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /**
   * Resolves when the instance has come up: its check answers, or it has run for a while.
   * @throws WorkloadError `unhealthy` where it does not within the time
   */
  async comeUp(): Promise<void> {
    const { clock, patience } = this.#parts;
    const begunMs = clock.elapsed();
    for (;;) {
      const waitedMs = clock.elapsed() - begunMs;
      const changed = this.#changed.promise;
      if (this.#isUp()) return;
      const why =
        this.#standing.ends >= patience.maxEnds
          ? `ended ${this.#standing.ends} times: ${this.#standing.lastEnd ?? ''}`
          : waitedMs >= patience.readyMs
            ? this.#lateWhy()
            : undefined;
      if (why !== undefined) throw new WorkloadError('unhealthy', `instance ${this.place.instance} ${why}`);
      if (this.#close.signal.aborted) throw new WorkloadError('stopped', 'the workload is being stopped');
      await Promise.race([changed, clock.wait(Math.min(100, patience.readyMs - waitedMs), this.#close.signal)]);
    }
  }

  /** The last lines that it wrote. */
  logTail(): readonly string[] {
    return this.#logs.tail();
  }

  /** Lets go: the container runs on. */
  async detach(): Promise<void> {
    this.#close.abort();
    this.#change();
    await this.#logs.close();
  }

  /** Ends it as the program wishes, after a while anyhow; its last lines are read. */
  async halt(): Promise<void> {
    this.#close.abort();
    this.#change();
    await this.#parts.engine.stop(this.containerId, restrictions.stopSeconds);
    await this.#logs.drain();
  }

  /** Ends and removes it. Volumes stay. */
  async remove(): Promise<void> {
    await this.halt();
    await this.#parts.engine.remove(this.containerId);
    this.#logs.forget();
  }

  #isUp(): boolean {
    const { clock, patience } = this.#parts;
    const { phase, startedMs } = this.#standing;
    if (phase !== 'running') return false;
    if (this.#standing.health !== undefined) return this.#standing.health.answered;
    if (startedMs === 0) return false;
    // One that ran before this daemon did has settled by the engine's word; others are measured, as the clock may be set.
    if (this.#seenRun?.startedMs !== startedMs) this.#seenRun = { startedMs, sinceMs: clock.elapsed() };
    const ranMs = Math.max(0, this.#attachedMs - startedMs) + clock.elapsed() - this.#seenRun.sinceMs;
    return ranMs >= patience.settleMs;
  }

  #lateWhy(): string {
    const seconds = this.#parts.patience.readyMs / 1000;
    const health = this.#health;
    if (this.#standing.lastEnd !== undefined) return `does not stay up: ${this.#standing.lastEnd}`;
    if (health === undefined) return `has not come up within ${seconds} s`;
    return `has not answered 2xx or 3xx at port ${health.port}, ${health.path} within ${seconds} s`;
  }

  async #refreshAll(): Promise<void> {
    while (this.#isStale && !this.#close.signal.aborted) {
      this.#isStale = false;
      const facts = await this.#parts.engine.inspect(this.containerId);
      if (this.#close.signal.aborted) return;
      this.#see({ type: 'inspected', facts });
      if (facts === undefined) this.#options.onVanished();
      else if (['exited', 'created', 'dead'].includes(facts.phase)) void this.#revive();
    }
  }

  /** The engine starts what ends by itself; but not what somebody stopped, or what it could not start. */
  async #revive(): Promise<void> {
    if (this.#reviving) return;
    this.#reviving = true;
    const { clock, engine } = this.#parts;
    try {
      if (clock.now() - this.#standing.startedMs > steadyMs) this.#revivals = 0;
      await clock.wait(backOffMs(this.#revivals, revival), this.#close.signal);
      this.#revivals += 1;
      const facts = this.#close.signal.aborted ? undefined : await engine.inspect(this.containerId);
      if (facts === undefined || facts.phase === 'running' || facts.phase === 'restarting') return;
      if (this.#close.signal.aborted) return;
      if (facts.phase !== 'created') this.#see({ type: 'revived' });
      await engine.start(this.containerId);
    } catch (error) {
      if (error instanceof EngineError && error.gone) return;
      this.#parts.log(this.#options.workload, 'system', `instance ${this.place.instance}: ${(error as Error).message}`);
    } finally {
      this.#reviving = false;
    }
    if (!this.#close.signal.aborted) await this.refresh().catch(() => {});
  }

  #see(seen: Observation): void {
    const before = this.#standing;
    this.#standing = observe(before, seen);
    if (seen.type === 'died' && !this.#close.signal.aborted) {
      const line = `instance ${this.place.instance} ended: ${this.#standing.lastEnd ?? ''}; it is started again`;
      this.#parts.log(this.#options.workload, 'system', line);
    }
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
    this.#options.onChange();
  }
}
