/** What all relays together have carried; sums never fall while the process lives. */
import type { Relay, RelayCounters } from '../network/relay.ts';

/** Of all relays; bytes as numbers, since these are figures to look at and not to bill. */
export interface RelayFigures {
  /** Addresses that are listened at. */
  readonly relays: number;
  /** Connections and sessions that are open. */
  readonly open: number;
  readonly accepted: number;
  /** Beyond the limit of their relay, or while it closes. */
  readonly refused: number;
  /** No instance took them. */
  readonly failed: number;
  /** From clients. */
  readonly receivedBytes: number;
  /** To clients. */
  readonly sentBytes: number;
}

export class RelayTally {
  readonly #relays = new Set<Pick<Relay, 'counters'>>();
  #gone: RelayCounters = { open: 0, accepted: 0, refused: 0, failed: 0, receivedBytes: 0n, sentBytes: 0n };

  add(relay: Pick<Relay, 'counters'>): void {
    this.#relays.add(relay);
  }

  /** It has closed: what it carried stays counted. */
  remove(relay: Pick<Relay, 'counters'>): void {
    if (this.#relays.delete(relay)) this.#gone = { ...sum(this.#gone, relay.counters()), open: 0 };
  }

  figures(): RelayFigures {
    const all = [...this.#relays].map((relay) => relay.counters()).reduce(sum, this.#gone);
    const { receivedBytes, sentBytes, ...counts } = all;
    return {
      relays: this.#relays.size,
      ...counts,
      receivedBytes: Number(receivedBytes),
      sentBytes: Number(sentBytes),
    };
  }
}

function sum(a: RelayCounters, b: RelayCounters): RelayCounters {
  return {
    open: a.open + b.open,
    accepted: a.accepted + b.accepted,
    refused: a.refused + b.refused,
    failed: a.failed + b.failed,
    receivedBytes: a.receivedBytes + b.receivedBytes,
    sentBytes: a.sentBytes + b.sentBytes,
  };
}
