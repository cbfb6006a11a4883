/** Events from how the instances of a lease's containers stand, compared with how they stood. */
import type { InstanceStatus } from '../workloads/driver.ts';
import type { LeaseEvent } from './lease-events.ts';

type Seen = Pick<InstanceStatus, 'state' | 'restarts' | 'lastEnd'>;

/** What a container's status says of an end at its limit (src/workloads/container/instance-state.ts). */
export const memoryEnd = 'killed at its memory limit';

export class InstanceWatch {
  readonly #emit: (lease: bigint, event: LeaseEvent) => void;
  readonly #seen = new Map<bigint, Map<string, Seen>>();

  constructor(emit: (lease: bigint, event: LeaseEvent) => void) {
    this.#emit = emit;
  }

  /** How all of a lease's containers stand now. */
  look(lease: bigint, workloads: ReadonlyMap<string, { status(): readonly InstanceStatus[] }>): void {
    const before = this.#seen.get(lease) ?? new Map<string, Seen>();
    const now = new Map<string, Seen>();
    for (const [service, workload] of workloads) {
      for (const status of workload.status()) {
        const key = `${service}/${status.index}`;
        now.set(key, status);
        for (const event of changesOf(before.get(key), status, service)) this.#emit(lease, event);
      }
    }
    this.#seen.set(lease, now);
  }

  forget(lease: bigint): void {
    this.#seen.delete(lease);
  }
}

/** @param before undefined for one that is seen for the first time: what was before that is not told again */
export function changesOf(before: Seen | undefined, now: InstanceStatus, service: string): LeaseEvent[] {
  if (before === undefined) return [];
  const instance = now.index;
  const events: LeaseEvent[] = [];
  // An instance that replaced another one counts from 0.
  const isSame = now.restarts >= before.restarts;
  const hasRestarted = isSame && now.restarts > before.restarts;
  const wasDown = before.state === 'backing_off';
  const hasEnded = now.lastEnd !== before.lastEnd || (!wasDown && (hasRestarted || now.state === 'backing_off'));
  if (isSame && hasEnded && now.lastEnd !== undefined) {
    const reason = now.lastEnd;
    events.push({ type: reason === memoryEnd ? 'memory-kill' : 'instance-ended', service, instance, reason });
  }
  if (hasRestarted) events.push({ type: 'restarted', service, instance, restarts: now.restarts });
  if (now.state === 'unhealthy' && before.state !== 'unhealthy') events.push({ type: 'unhealthy', service, instance });
  if (now.state === 'ready' && before.state === 'unhealthy') events.push({ type: 'healthy', service, instance });
  return events;
}
