/** What the exchange of manifests among peers is made of, and what it tells the daemon. */
import type { ManifestKey } from '../journal/journal.ts';
import type { CarriedManifests } from '../manifests/carried.ts';
import type { Timers } from '../overlay/timers.ts';
import type { Random } from '../swarm/state.ts';
import type { TakenFrom } from './exchange-options.ts';
import type { PeerLimits } from './limits.ts';
import type { PeerFactSource } from './peer-facts.ts';
import type { PeerCredentials } from './tls.ts';

/** A deployment that this provider takes part in. */
export interface WantedDeployment {
  readonly owner: string;
  readonly dseq: bigint;
  /** Of which live leases are held; none: what is still held is served, and nothing is asked for. */
  readonly infrastructures: readonly string[];
}

/** The config's `[manifests]`. */
export interface PeerRules {
  /** Bytes a second of pieces and heads, over all manifests; 0: no limit. */
  readonly uploadRate: number;
  readonly downloadRate: number;
  /** Connections in all. */
  readonly maxPeers: number;
  /** Blocks after the normal end of a lease in which its holder may go on serving. */
  readonly serveGraceBlocks: bigint;
  readonly allowPrivatePeers: boolean;
}

export interface PeerLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

export interface PeerExchangeOptions {
  readonly chainId: string;
  /** this provider, by its owner */
  readonly own: string;
  readonly credentials: PeerCredentials;
  readonly facts: PeerFactSource;
  readonly store: CarriedManifests;
  readonly rules: PeerRules;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: PeerLog;
  /** A manifest is here: head, all pieces, and the keys that may be had; something of it came from these providers. */
  readonly onTaken?: (key: ManifestKey, from: TakenFrom) => void;
  readonly limits?: Partial<PeerLimits>;
}

/** Where peers are listened for: a unix socket that the data plane leads them to, or an address of its own. */
export type PeerPlace = { readonly path: string } | { readonly host: string; readonly port: number };
