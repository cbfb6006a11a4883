/** What all tunnels together have carried; sums never fall while the process lives. */
import { noCounters, type SessionCounters, sumOf } from '../overlay/session-options.ts';

/** Of all tunnels; bytes as numbers, since these are figures to look at and not to bill. */
export interface TunnelFigures {
  readonly up: number;
  readonly down: number;
  /** Connections and flows of datagrams that are open. */
  readonly streams: number;
  readonly opened: number;
  /** Nobody took them, or there were too many. */
  readonly failed: number;
  /** Payload from peers. */
  readonly receivedBytes: number;
  /** Payload to peers. */
  readonly sentBytes: number;
  /** Peers that dialled and were not admitted, or could not do the handshake. */
  readonly refusedPeers: number;
}

export interface TalliedTunnel {
  readonly isUp: boolean;
  counters(): SessionCounters;
}

export class TunnelTally {
  readonly #tunnels = new Set<TalliedTunnel>();
  #gone = noCounters;

  add(tunnel: TalliedTunnel): void {
    this.#tunnels.add(tunnel);
  }

  /** It is over: what it carried stays counted. */
  remove(tunnel: TalliedTunnel): void {
    if (this.#tunnels.delete(tunnel)) this.#gone = { ...sumOf(this.#gone, tunnel.counters()), open: 0 };
  }

  figures(): Omit<TunnelFigures, 'refusedPeers'> {
    const all = [...this.#tunnels];
    const sum = all.map((tunnel) => tunnel.counters()).reduce(sumOf, this.#gone);
    const up = all.filter(({ isUp }) => isUp).length;
    return {
      ...{ up, down: all.length - up, streams: sum.open, opened: sum.opened, failed: sum.failed },
      ...{ receivedBytes: Number(sum.receivedBytes), sentBytes: Number(sum.sentBytes) },
    };
  }
}
