/** What happened to each lease, numbered and in order, on the disk of the provider; the oldest go first. */
import type { LeaseEvent } from './lease-events.ts';
import { LineStore } from './line-store.ts';
import type { EventRead, EventSource, NumberedEvent, TimedEvent } from './sources.ts';

export interface EventBookOptions {
  readonly folder: string;
  /** Of one file; two are kept of each lease. */
  readonly segmentBytes: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onTrouble: (lease: bigint, error: unknown) => void;
}

/** What is kept of a lease: at least 64 KiB, some 400 events. */
export const eventLimits = { segmentBytes: 64 * 1024, pendingBytes: 32 * 1024, maxReasonChars: 2_000 } as const;

export class EventBook implements EventSource {
  readonly #options: EventBookOptions;
  readonly #store: LineStore<TimedEvent>;

  constructor(options: Pick<EventBookOptions, 'now' | 'folder'> & Partial<EventBookOptions>) {
    this.#options = { segmentBytes: eventLimits.segmentBytes, onTrouble: () => {}, ...options };
    const { folder, segmentBytes, onTrouble } = this.#options;
    const pendingBytes = Math.min(eventLimits.pendingBytes, segmentBytes);
    this.#store = new LineStore({ folder, segmentBytes, pendingBytes, onTrouble });
  }

  append(lease: bigint, event: LeaseEvent): void {
    const timed: TimedEvent = { timeMs: this.#options.now(), event: bounded(event) };
    this.#store.append(lease, timed, Buffer.byteLength(JSON.stringify(timed)));
  }

  read(lease: bigint, { after, follow, signal }: EventRead): AsyncGenerator<NumberedEvent> {
    return this.#store.read(lease, { after, follow, signal });
  }

  forget(lease: bigint): Promise<void> {
    return this.#store.forget(lease);
  }

  /** Leases of which events are kept. */
  leases(): Promise<bigint[]> {
    return this.#store.leases();
  }

  keepOnly(live: ReadonlySet<bigint>): Promise<void> {
    return this.#store.keepOnly(live);
  }

  settled(): Promise<void> {
    return this.#store.settled();
  }
}

function bounded(event: LeaseEvent): LeaseEvent {
  return 'reason' in event ? { ...event, reason: event.reason.slice(0, eventLimits.maxReasonChars) } : event;
}
