/** What a session is made of, what it is bound by, and what it tells. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { StreamRoute } from '../network/relay.ts';
import type { DatagramRoute } from '../network/udp-relay.ts';
import type { Renewal, Role } from './frames.ts';
import { type MuxLimits, muxLimits } from './mux-effects.ts';
import type { Timers } from './timers.ts';

export interface SessionLimits extends MuxLimits {
  /** Until the peer's hello. */
  readonly helloMs: number;
  /** The peer is asked whether it is there when nothing has come for so long. */
  readonly pingMs: number;
  /** Nothing has come for so long: the session is cut. */
  readonly silentMs: number;
  /** Bytes that wait for the socket before streams wait too. */
  readonly queuedBytes: number;
  /** Bytes that wait for the socket before datagrams are dropped. */
  readonly datagramBytes: number;
  /** Bytes that wait for the socket before the session is cut: the peer asks for answers, and does not read them. */
  readonly stalledBytes: number;
  /** For the last frame to reach the peer. */
  readonly lingerMs: number;
  /** From one renewal that is sent to the next at least. */
  readonly renewalMs: number;
  /** Callee: without a byte between a stream and its instance. */
  readonly idleMs: number;
}

export const sessionLimits: SessionLimits = {
  ...muxLimits,
  helloMs: 15_000,
  pingMs: 15_000,
  silentMs: 40_000,
  queuedBytes: 262_144,
  datagramBytes: 524_288,
  stalledBytes: 2_097_152,
  lingerMs: 1000,
  renewalMs: muxLimits.renewalSeconds * 1000,
  idleMs: 3_600_000,
};

/** The instances of a workload, as a callee opens them. */
export interface InstanceSockets extends StreamRoute {
  open(signal: AbortSignal): Promise<Socket>;
}

export interface SessionEnd {
  readonly code: number;
  /** For the log. */
  readonly text: string;
  /** The peer has said so. */
  readonly byPeer: boolean;
}

export interface SessionEvents {
  /** The peer has said hello. */
  up?(): void;
  /** The peer wants no new streams. */
  goingAway?(): void;
  /** The peer shows newer certificates. @throws Breach where it does not prove them */
  renewed?(renewal: Renewal): void;
  /** It is over, with all its streams. */
  closed?(end: SessionEnd): void;
}

export interface SessionOptions {
  /** A connection whose peer has been admitted. */
  readonly socket: Duplex;
  readonly role: Role;
  /** Callee: where streams are carried to. */
  readonly streams?: InstanceSockets;
  /** Callee: where datagrams are carried to. */
  readonly datagrams?: DatagramRoute;
  readonly timers: Timers;
  readonly limits?: Partial<SessionLimits>;
  readonly events?: SessionEvents;
}

export interface SessionCounters {
  readonly open: number;
  readonly opened: number;
  /** Nobody took them, or there were too many. */
  readonly failed: number;
  /** Payload of streams and datagrams. */
  readonly sentBytes: bigint;
  readonly receivedBytes: bigint;
  readonly droppedDatagrams: number;
}

export const noCounters: SessionCounters = {
  ...{ open: 0, opened: 0, failed: 0 },
  ...{ sentBytes: 0n, receivedBytes: 0n, droppedDatagrams: 0 },
};

export function sumOf(a: SessionCounters, b: SessionCounters): SessionCounters {
  return {
    open: a.open + b.open,
    opened: a.opened + b.opened,
    failed: a.failed + b.failed,
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
    droppedDatagrams: a.droppedDatagrams + b.droppedDatagrams,
  };
}
