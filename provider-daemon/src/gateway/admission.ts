/**
 * Who is served now. Each deployment has a number of requests under way, and a short queue: what cannot be served soon is
 * refused early, so that callers can turn elsewhere, and no deployment takes the place of another.
 */
import { type Refusal, refusals } from './answers.ts';
import type { GatewayLimits } from './limits.ts';

type AdmissionLimits = Pick<GatewayLimits, 'calls' | 'callsPerDeployment' | 'queuedPerDeployment' | 'queueMs'>;

/** The requests of one deployment. */
export class Slots {
  running = 0;
  readonly queue: Waiting[] = [];
}

interface Waiting {
  readonly settle: (refusal: Refusal | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  #running = 0;
  /** Deployments with requests under way. */
  #active = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Requests under way in all. */
  get running(): number {
    return this.#running;
  }

  /** Whether one more would be refused at once. */
  refusal(slots: Slots): Refusal | undefined {
    if (this.#isFull(slots)) return refusals.gatewayBusy;
    const isBusy = slots.running >= this.#limits.callsPerDeployment;
    return isBusy && slots.queue.length >= this.#limits.queuedPerDeployment ? refusals.deploymentBusy : undefined;
  }

  /** A place, at once or soon: the caller must `leave`. A refusal otherwise. */
  enter(slots: Slots): undefined | Refusal | Promise<Refusal | undefined> {
    const refusal = this.refusal(slots);
    if (refusal !== undefined) return refusal;
    if (slots.running < this.#limits.callsPerDeployment) {
      this.#take(slots);
      return undefined;
    }
    return new Promise((resolve) => {
      const waiting: Waiting = {
        settle: resolve,
        timer: setTimeout(() => {
          slots.queue.splice(slots.queue.indexOf(waiting), 1);
          resolve(refusals.deploymentBusy);
        }, this.#limits.queueMs),
      };
      slots.queue.push(waiting);
    });
  }

  leave(slots: Slots): void {
    this.#running -= 1;
    slots.running -= 1;
    if (slots.running === 0) this.#active -= 1;
    const next = slots.queue.shift();
    if (next === undefined) return;
    clearTimeout(next.timer);
    this.#take(slots);
    next.settle(undefined);
  }

  #take(slots: Slots): void {
    if (slots.running === 0) this.#active += 1;
    slots.running += 1;
    this.#running += 1;
  }

  /** All places together are taken, and this deployment has its share: one that has less is served all the same. */
  #isFull(slots: Slots): boolean {
    const { calls } = this.#limits;
    return this.#running >= calls && slots.running * Math.max(this.#active, 1) >= calls;
  }
}
