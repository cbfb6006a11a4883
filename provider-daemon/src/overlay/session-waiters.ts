/** Those who wait for a session of a tunnel to be up, each for a bounded time. */
import type { Session } from './session.ts';
import type { Timers } from './timers.ts';
import type { TunnelLimits } from './tunnel-options.ts';

interface Waiting {
  take(session: Session): void;
  fail(error: Error): void;
}

export class SessionWaiters {
  readonly #timers: Timers;
  readonly #limits: Pick<TunnelLimits, 'maxWaiting' | 'openMs'>;
  readonly #waiting = new Set<Waiting>();

  constructor(timers: Timers, limits: Pick<TunnelLimits, 'maxWaiting' | 'openMs'>) {
    this.#timers = timers;
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** @throws Error where too many wait; rejects where none comes in time, or the signal is aborted before */
  wait(signal: AbortSignal): Promise<Session> {
    const { maxWaiting, openMs } = this.#limits;
    if (this.#waiting.size >= maxWaiting) throw new Error('too many wait for the tunnel');
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        this.#waiting.delete(one);
        stop();
        signal.removeEventListener('abort', abort);
        outcome();
      };
      const one: Waiting = {
        take: (session) => settle(() => resolve(session)),
        fail: (error) => settle(() => reject(error)),
      };
      const abort = (): void => one.fail(new Error('nobody waits for the stream any more'));
      const stop = this.#timers.after(openMs, () => one.fail(new Error(`the tunnel is down for ${openMs} ms`)));
      this.#waiting.add(one);
      signal.addEventListener('abort', abort);
    });
  }

  /** One is up. */
  give(session: Session): void {
    for (const one of [...this.#waiting]) one.take(session);
  }

  /** None comes any more. */
  fail(error: Error): void {
    for (const one of [...this.#waiting]) one.fail(error);
  }
}
