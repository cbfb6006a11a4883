/** What a peer may have done that costs this side more than the peer: so much of it in a time, then it is a breach. */
import { Breach } from './frames.ts';
import type { MuxLimits } from './mux-effects.ts';

export class ControlBudget {
  readonly #limits: Pick<MuxLimits, 'controlPerSecond' | 'renewals' | 'renewalSeconds'>;
  #control = 0;
  #seconds = 0;
  /** That have come, and do not count as long ago. */
  #renewals = 0;

  constructor(limits: Pick<MuxLimits, 'controlPerSecond' | 'renewals' | 'renewalSeconds'>) {
    this.#limits = limits;
  }

  /** A second has gone by. */
  second(): void {
    this.#control = 0;
    this.#seconds += 1;
    if (this.#seconds % this.#limits.renewalSeconds === 0) this.#renewals = Math.max(0, this.#renewals - 1);
  }

  /** A ping, a reset or a small credit. @throws Breach */
  control(): void {
    this.#control += 1;
    if (this.#control > this.#limits.controlPerSecond) {
      throw new Breach(`more than ${this.#limits.controlPerSecond} frames of control in a second`);
    }
  }

  /** Certificates, each of which costs signatures to check. @throws Breach */
  renewal(): void {
    this.#renewals += 1;
    if (this.#renewals > this.#limits.renewals) throw new Breach('certificates are renewed too often');
  }
}
