/** What the exchange of one manifest is made of, and what it tells. */
import type { CarriedManifests } from '../manifests/carried.ts';
import type { Timers } from '../overlay/timers.ts';
import type { DropReason } from '../swarm/events.ts';
import type { ManifestName } from '../swarm/messages.ts';
import type { Random } from '../swarm/state.ts';
import type { PeerLimits } from './limits.ts';
import type { Line } from './line.ts';
import type { Link } from './link.ts';

/** Why a peer is dropped: the machine's reasons, and those of what goes before pieces. */
export type PeerDropReason =
  | DropReason
  /** a head that is not the one whose hash stands on the chain */
  | 'false-head'
  /** a key that opens nothing */
  | 'false-key'
  /** no answer in time */
  | 'silent'
  /** its lease, node or certificate holds no longer */
  | 'not-admitted';

/** From whom a manifest came: by provider, the pieces that it gave; 0 for one that gave the head or keys alone. */
export type TakenFrom = ReadonlyMap<string, number>;

/** Names a manifest where lines, memory and figures tell several apart. */
export function swarmOf({ owner, dseq, revision }: Pick<ManifestName, 'owner' | 'dseq' | 'revision'>): string {
  return `${owner}/${dseq}/${revision}`;
}

export interface ExchangeEvents {
  /** Head, pieces and keys are here, and something of it came from peers. */
  taken(from: TakenFrom): void;
  dropped(link: Link, reason: PeerDropReason): void;
  /** Something stands in the way here; it is tried again. */
  trouble(text: string): void;
  /** Bytes of a piece that was sent whole, or came whole and was right. */
  moved(direction: 'sent' | 'received', bytes: number): void;
  /** A connection is over. */
  left(link: Link, why: string): void;
}

export interface ExchangeOptions {
  readonly name: ManifestName;
  /** this provider, by its owner */
  readonly own: string;
  readonly store: CarriedManifests;
  readonly timers: Timers;
  readonly random: Random;
  /** The two directions of the line, shared by all manifests. */
  readonly lines: { readonly up: Line; readonly down: Line };
  /** Infrastructures of which a live lease is held here; none: nothing is asked for, only served. */
  readonly held: () => readonly string[];
  /**
   * Infrastructures of which the peer's provider holds a live lease, as the chain proves at this moment.
   * @throws where it is not admitted any more, or that cannot be told
   */
  readonly leasesOf: (link: Link) => Promise<readonly string[]>;
  readonly events: ExchangeEvents;
  readonly limits?: Partial<PeerLimits>;
}
