/** When a peer may be dialled again: after a while, twice as long after each failure, by chance not all at once. */
import { spreadBackOffMs } from '../back-off.ts';
import { type PeerLimits, peerLimits } from './limits.ts';

interface Tried {
  failures: number;
  notBeforeMs: number;
}

export class BackOff {
  readonly #tried = new Map<string, Tried>();
  readonly #limits: Pick<PeerLimits, 'firstBackOffMs' | 'mostBackOffMs'>;
  /** from 0 to below 1 */
  readonly #chance: () => number;

  constructor(chance: () => number, limits: Pick<PeerLimits, 'firstBackOffMs' | 'mostBackOffMs'> = peerLimits) {
    this.#chance = chance;
    this.#limits = limits;
  }

  may(peer: string, nowMs: number): boolean {
    const waitMs = (this.#tried.get(peer)?.notBeforeMs ?? nowMs) - nowMs;
    // Longer than any back-off: the clock was set back, which must not keep anybody waiting.
    return waitMs <= 0 || waitMs > this.#limits.mostBackOffMs;
  }

  /** An attempt, or what it led to, is over. @param failed it was of no use */
  ended(peer: string, failed: boolean, nowMs: number): void {
    const tried = this.#tried.get(peer) ?? { failures: 0, notBeforeMs: 0 };
    const { firstBackOffMs: first, mostBackOffMs: most } = this.#limits;
    if (!failed) tried.failures = 0;
    tried.notBeforeMs = nowMs + spreadBackOffMs(tried.failures, { first, most }, this.#chance());
    if (failed) tried.failures += 1;
    this.#tried.set(peer, tried);
  }

  /** Peers that take part no more are forgotten. */
  keepOnly(peers: ReadonlySet<string>): void {
    for (const peer of this.#tried.keys()) if (!peers.has(peer)) this.#tried.delete(peer);
  }
}
