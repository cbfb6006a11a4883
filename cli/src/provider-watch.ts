/** What the providers of a deployment say while something starts: their lines as progress, and why it did not come up. */
import { type DeploymentView, isLive } from '@mu/client/deployment/follow';
import { type LeaseStatusAnswer, leaseStatus } from '@mu/client/provider/provider-client';
import { type Lease, type Order, OrderState } from '@mu/proto/market';
import { doorOf, type LeaseDoor, plain } from './provider-connection.ts';
import type { Session } from './session.ts';

/** A revision that a provider could not bring up. */
export interface Setback {
  readonly lease: bigint;
  readonly provider: string;
  readonly revision: bigint;
  readonly reason: string;
  /** The revision before it runs on. */
  readonly isRolledBack: boolean;
}

/** Providers are asked at most so often. */
const askEveryMs = 500;

export class ProviderWatch {
  readonly #session: Session;
  /** The revision that is to run. */
  readonly #revision: bigint;
  readonly #doors = new Map<bigint, LeaseDoor>();
  /** Times of the last lines told, by lease. */
  readonly #told = new Map<bigint, string>();
  #askedMs = 0;

  constructor(session: Session, revision: bigint) {
    this.#session = session;
    this.#revision = revision;
  }

  /** Tells new lines. @returns what did not come up; a provider that does not answer says nothing */
  async look(view: DeploymentView): Promise<Setback[]> {
    const nowMs = performance.now();
    if (nowMs - this.#askedMs < askEveryMs) return [];
    this.#askedMs = nowMs;
    const answers = await Promise.all(lasting(view).map(({ number }) => this.#ask(number)));
    return answers.flatMap((answer) => {
      if (answer === undefined) return [];
      this.#tell(answer);
      return this.#setbackOf(answer);
    });
  }

  async #ask(number: bigint): Promise<LeaseStatusAnswer | undefined> {
    try {
      const door = this.#doors.get(number) ?? (await doorOf(this.#session, number));
      this.#doors.set(number, door);
      return await leaseStatus(await door.at(), await door.access('read'), number);
    } catch {
      // The chain says what counts; this is only to tell the user more.
      return undefined;
    }
  }

  #tell({ lease, revision, progress }: LeaseStatusAnswer): void {
    // Lines of an older start say nothing about this one.
    if (revision < this.#revision) return;
    const last = this.#told.get(lease) ?? '';
    for (const { time, service, line } of progress.filter((one) => one.time > last)) {
      this.#session.output.step(`lease ${lease}: ${plain(service)}: ${plain(line)}`);
      this.#told.set(lease, time);
    }
  }

  #setbackOf(answer: LeaseStatusAnswer): Setback[] {
    const { lease, work, reason } = answer;
    const revision = answer.failed_revision ?? answer.revision;
    if (reason === undefined || revision < this.#revision || (work !== 'running' && work !== 'failed')) return [];
    const provider = this.#doors.get(lease)?.lease.provider ?? '';
    return [{ lease, provider, revision, reason: plain(reason), isRolledBack: work === 'running' }];
  }
}

/** Leases that nothing is about to take over: those may lack the room for what is asked now. */
function lasting({ leases, orders }: DeploymentView): Lease[] {
  const isOf = (id: Order['id'] | Lease['order'], lease: Lease): boolean =>
    id?.infrastructure === lease.order?.infrastructure;
  return leases.filter(isLive).filter((lease) => {
    const isOrdered = orders.some(({ id, state }) => state === OrderState.ORDER_STATE_OPEN && isOf(id, lease));
    return !isOrdered && !leases.some((next) => isLive(next) && next.number > lease.number && isOf(next.order, lease));
  });
}
