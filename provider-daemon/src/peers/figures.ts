/** What became of the exchange of manifests since the daemon began, counted where it happens. */
import type { RefusalReason } from '../overlay/node-checks.ts';
import type { PeerDropReason } from './exchange-options.ts';

/** Why a peer was not let in: what its certificates or the chain say, or what it asked for. */
export type PeerRefusal =
  | RefusalReason
  /** it names a deployment that nobody here takes part in, or another revision */
  | 'other_manifest'
  /** no `hello`, or another message first */
  | 'no_hello'
  /** it was dropped for good before */
  | 'dropped_before'
  /** too many peers are here */
  | 'full'
  /** the chain cannot be asked now */
  | 'chain_away';

export interface PeerFigures {
  /** Now. */
  readonly connections: number;
  /** Manifests that are being taken, now. */
  readonly downloads: number;
  /** Manifests that came from peers. */
  readonly taken: number;
  /** Bytes of pieces. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
}

export class PeerTally {
  taken = 0;
  sentBytes = 0;
  receivedBytes = 0;
  readonly dropped = new Map<PeerDropReason, number>();
  readonly refused = new Map<PeerRefusal, number>();

  drop(reason: PeerDropReason): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  refuse(reason: PeerRefusal): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }

  move(direction: 'sent' | 'received', bytes: number): void {
    if (direction === 'sent') this.sentBytes += bytes;
    else this.receivedBytes += bytes;
  }

  /** @param now what only the exchange knows */
  figures(now: Pick<PeerFigures, 'connections' | 'downloads'>): PeerFigures {
    const { taken, sentBytes, receivedBytes } = this;
    const [dropped, refused] = [Object.fromEntries(this.dropped), Object.fromEntries(this.refused)];
    return { ...now, taken, sentBytes, receivedBytes, dropped, refused };
  }
}
