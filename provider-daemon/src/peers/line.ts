/**
 * One direction of the line, shared by all manifests of a daemon: its rate, by which what has to wait for its turn is done when
 * that has come, and the memory of what is on its way over it.
 */
import type { Timers } from '../overlay/timers.ts';
import { RateLimiter, type RateLimits } from '../swarm/rate-limiter.ts';
import { peerLimits } from './limits.ts';
import { MemoryBudget, type MemoryLimits } from './memory-budget.ts';

/** Whose bytes they are. */
export interface LineUse {
  readonly swarm: string;
  readonly peer: string;
  readonly bytes: number;
}

const wholeMemory: MemoryLimits = { most: peerLimits.memoryBytes, mostOfPeer: peerLimits.memoryOfPeerBytes };

/** Bytes that may go at once after a pause: a piece. */
const burst = 262_144;

export class Line {
  readonly memory: MemoryBudget;
  readonly #limiter: RateLimiter<() => void> | undefined;
  readonly #timers: Timers;
  #stopTimer: (() => void) | undefined;

  /** @param bytesPerSecond 0: no limit */
  constructor(bytesPerSecond: number, timers: Timers, limitsOfMemory: MemoryLimits = wholeMemory) {
    const limits: RateLimits = { total: bytesPerSecond, perPeer: Number.POSITIVE_INFINITY, burst };
    this.memory = new MemoryBudget(limitsOfMemory);
    this.#limiter = bytesPerSecond === 0 ? undefined : new RateLimiter(limits);
    this.#timers = timers;
  }

  /** Runs it at once, or when its turn has come. @returns false where too much of the manifest waits already */
  use(use: LineUse, go: () => void): boolean {
    if (this.#limiter === undefined) {
      go();
      return true;
    }
    const added = this.#limiter.add({ ...use, job: go });
    this.#release();
    return added;
  }

  /** What waits of a peer in a manifest is not to be done any more. */
  forget(swarm: string, peer?: string): void {
    this.#limiter?.remove(swarm, peer);
    this.memory.forget(swarm, peer);
  }

  close(): void {
    this.#stopTimer?.();
  }

  #release(): void {
    const now = this.#timers.now();
    for (const { job } of this.#limiter?.release(now) ?? []) job();
    const next = this.#limiter?.nextMs(now);
    this.#stopTimer?.();
    if (next === undefined) this.#stopTimer = undefined;
    else this.#stopTimer = this.#timers.after(Math.max(1, Math.ceil(next - now)), () => this.#release());
  }
}
