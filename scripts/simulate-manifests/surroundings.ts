/** What the parts of a simulation know of each other. */

import type { SwarmMessage } from '@mu/provider-daemon/swarm/messages';
import type { PieceList } from '@mu/provider-daemon/swarm/piece-list';
import type { Agenda } from './agenda.ts';
import type { Line, Lines } from './lines.ts';
import type { PeerPlan, Scenario } from './scenario.ts';

/** What goes over a connection. */
export type Parcel = { readonly manifest: number } & (
  | { readonly message: SwarmMessage }
  | { readonly begun: number }
  | { readonly piece: number; readonly isTrue: boolean }
);

/** What became of a manifest at a peer. */
export interface PeerResult {
  readonly peer: number;
  readonly manifest: number;
  /** undefined: it never had all */
  readonly doneMs: number | undefined;
  readonly sentBytes: number;
  /** verified bytes that came more than once, and false ones */
  readonly wastedBytes: number;
}

/** A peer as the others see it. */
export interface Member {
  readonly index: number;
  readonly id: string;
  readonly plan: PeerPlan;
  readonly line: Line;
  readonly isUp: boolean;
  /** it will not have this one again */
  shuns(other: Member): boolean;
  /** a connection stands */
  met(other: Member): void;
  /** a connection is no more */
  lost(other: Member): void;
  receive(from: Member, parcels: readonly Parcel[]): void;
}

export interface Connections {
  of(member: Member): ReadonlySet<Member>;
  areJoined(one: Member, other: Member): boolean;
  cut(one: Member, other: Member): void;
}

export interface Surroundings {
  readonly scenario: Scenario;
  readonly agenda: Agenda;
  readonly lines: Lines;
  readonly random: (end: number) => number;
  /** by manifest */
  readonly pieces: readonly PieceList[];
  readonly nodes: readonly Member[];
  readonly links: Connections;
  /** how often a peer was dropped, by reason */
  readonly drops: Record<string, number>;
  /** A peer has all of a manifest for the first time. */
  finished(member: Member): void;
  latencyMs(one: Member, other: Member): number;
}
