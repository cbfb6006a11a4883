/** Tells tenants what becomes of their leases: from the steps of the lease machine to events, and the lines of a start. */
import type { LeaseObserver } from '../leases/lease-actor.ts';
import type { LeaseEvent as LeaseInput, LeaseLife, Work } from '../leases/lease-machine.ts';
import type { LeaseEvent } from './lease-events.ts';
import type { ProgressLine } from './sources.ts';

/** Lines kept of a start or an update. */
const maxProgressLines = 50;
const maxProgressChars = 500;

interface Known {
  /** The chain did not take the last confirmation. */
  late: boolean;
  progress: ProgressLine[];
  /** A start or an update goes on. */
  isMoving: boolean;
}

export interface LeaseTellerOptions {
  readonly emit: (lease: bigint, event: LeaseEvent) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class LeaseTeller implements LeaseObserver {
  readonly #options: LeaseTellerOptions;
  readonly #known = new Map<bigint, Known>();

  constructor(options: LeaseTellerOptions) {
    this.#options = options;
  }

  received(lease: bigint, revision: bigint, from: readonly string[] = []): void {
    const given = from.length === 0 ? {} : { from };
    this.#options.emit(lease, { type: 'manifest-received', revision: revision.toString(), ...given });
  }

  stepped(
    lease: bigint,
    { before, event, after }: { readonly before: LeaseLife; readonly event: LeaseInput; readonly after: LeaseLife },
  ): void {
    const known = this.#of(lease);
    const moves = isMoving(after.work);
    if (moves && (!isMoving(before.work) || revisionOf(before.work) !== revisionOf(after.work))) known.progress = [];
    known.isMoving = moves;
    for (const told of eventsOf(before, event, after)) this.#options.emit(lease, told);
    if (event.type === 'confirmed' && (known.late || before.confirmedAt === 0n)) {
      this.#options.emit(lease, { type: 'confirmed', height: event.height.toString() });
      known.late = false;
    }
    if (event.type === 'confirm-failed' && !known.late) {
      this.#options.emit(lease, { type: 'confirmation-late' });
      known.late = true;
    }
  }

  /** A line that the provider says about a service. */
  line(lease: bigint, service: string, line: string): void {
    const known = this.#known.get(lease);
    if (known === undefined || !known.isMoving) return;
    known.progress.push({ timeMs: this.#options.now(), service, line: line.slice(0, maxProgressChars) });
    if (known.progress.length > maxProgressLines) known.progress.shift();
  }

  /** The lines of the start or update that goes on, or of the last one. */
  progress(lease: bigint): readonly ProgressLine[] {
    return this.#known.get(lease)?.progress ?? [];
  }

  forget(lease: bigint): void {
    this.#known.delete(lease);
  }

  #of(lease: bigint): Known {
    const known = this.#known.get(lease) ?? { late: false, progress: [], isMoving: false };
    this.#known.set(lease, known);
    return known;
  }
}

function eventsOf(before: LeaseLife, event: LeaseInput, { work }: LeaseLife): LeaseEvent[] {
  const isSame = before.work === work;
  if (event.type === 'lease') {
    if (isSame) return [];
    if (work.at === 'paused') return [{ type: 'paused' }];
    return before.work.at === 'paused' ? [{ type: 'resumed' }] : [];
  }
  if (event.type === 'started' && !isSame) {
    const { endpoints } = event;
    const type = before.work.at === 'updating' ? 'updated' : 'started';
    return [{ type, revision: event.revision.toString(), endpoints }];
  }
  if (event.type === 'start-failed' && !isSame) {
    const { reason } = event;
    const revision = event.revision.toString();
    if (work.at === 'running') return [{ type: 'rolled-back', revision, to: work.revision.toString(), reason }];
    return [{ type: 'start-failed', revision, reason }];
  }
  return [];
}

const isMoving = (work: Work): boolean => work.at === 'starting' || work.at === 'updating';
const revisionOf = (work: Work): bigint => (work.at === 'waiting' ? 0n : work.revision);
