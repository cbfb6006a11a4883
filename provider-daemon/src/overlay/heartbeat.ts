/** Whether the peer is there: counted in seconds that tick, since a clock that is set is no silence. */
import type { SessionLimits } from './session-options.ts';

/** What is done about silence. */
export interface HeartbeatEffects {
  ping(nonce: bigint): void;
  /** The peer has been silent for too long. */
  silent(text: string): void;
}

export class Heartbeat {
  readonly #limits: Pick<SessionLimits, 'helloMs' | 'pingMs' | 'silentMs'>;
  readonly #effects: HeartbeatEffects;
  #hasHeard = true;
  #quietMs = 0;
  /** Without a hello, whatever else has come: it may come byte by byte. */
  #unwelcomeMs = 0;
  #pings = 0n;
  #isAsked = false;

  constructor(limits: Pick<SessionLimits, 'helloMs' | 'pingMs' | 'silentMs'>, effects: HeartbeatEffects) {
    this.#limits = limits;
    this.#effects = effects;
  }

  /** Something has come. */
  heard(): void {
    this.#hasHeard = true;
  }

  /** The ping was answered. */
  answered(): void {
    this.#isAsked = false;
  }

  /** So many milliseconds have gone by. @param isWelcome the peer has said hello */
  passed(ms: number, isWelcome: boolean): void {
    const { helloMs, pingMs, silentMs } = this.#limits;
    this.#quietMs = this.#hasHeard ? 0 : this.#quietMs + ms;
    this.#hasHeard = false;
    const quietMs = this.#quietMs;
    if (!isWelcome) {
      this.#unwelcomeMs += ms;
      if (this.#unwelcomeMs >= helloMs) this.#effects.silent(`no hello within ${this.#unwelcomeMs} ms`);
    } else if (quietMs >= silentMs) {
      this.#effects.silent(`nothing came for ${quietMs} ms`);
    } else if (quietMs >= pingMs && !this.#isAsked) {
      this.#isAsked = true;
      this.#pings += 1n;
      this.#effects.ping(this.#pings);
    }
  }
}
