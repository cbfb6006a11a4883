/** What a tunnel is made of, and what it is bound by. */
import type { Duplex } from 'node:stream';
import type { DatagramRoute } from '../network/udp-relay.ts';
import type { Role } from './frames.ts';
import type { InstanceSockets, SessionLimits } from './session-options.ts';
import type { Timers } from './timers.ts';

/** A connection whose peer was admitted, and for how long: as long as both certificates hold. */
export interface AdmittedSocket {
  readonly socket: Duplex;
  /** What the peer has shown, in DER: it is looked at again when the chain changes. */
  readonly chain: readonly Uint8Array[];
  /** When the one of the two that was made first, or ends first, is half over. */
  readonly renewAtMs: number;
  /** When the first of the two ends. */
  readonly notAfterMs: number;
}

export interface TunnelLimits {
  /** Between attempts: the first one, twice that, and so on. */
  readonly firstBackOffMs: number;
  readonly mostBackOffMs: number;
  /** From one attempt to the next at least, where a stream waits or what is told of the tunnel is new. */
  readonly leastDialMs: number;
  /** From one handshake to its renewal at least, whatever the certificates say. */
  readonly leastRenewalMs: number;
  /** For an attempt, from the first packet until the peer has said hello. */
  readonly dialMs: number;
  /** For a stream that is to be opened while no session is up. */
  readonly openMs: number;
  /** At once, old ones that drain included: one more, and the oldest is cut. */
  readonly maxSessions: number;
  /** Streams that wait for a session; one more is refused. */
  readonly maxWaiting: number;
}

export const tunnelLimits: TunnelLimits = {
  ...{ firstBackOffMs: 500, mostBackOffMs: 60_000, leastDialMs: 1000, leastRenewalMs: 60_000 },
  ...{ dialMs: 15_000, openMs: 5000, maxWaiting: 1024, maxSessions: 4 },
};

export interface TunnelOptions {
  /** For the log: both ends and the connection. */
  readonly name: string;
  readonly role: Role;
  /** Connects, shakes hands and asks `admit`; absent at the side that is dialled. @throws where it cannot be had */
  readonly dial?: (signal: AbortSignal) => Promise<AdmittedSocket>;
  /** It dials only when no session has stood for so long: who is expected to dial comes first. 0 where absent. */
  readonly patienceMs?: number;
  /** Callee: where streams are carried to. */
  readonly streams?: InstanceSockets;
  readonly datagrams?: DatagramRoute;
  /** A session is up. */
  readonly onUp?: () => void;
  readonly timers: Timers;
  /** From 0 to 1, so that not all dial at once. */
  readonly random: () => number;
  readonly log: (line: string) => void;
  readonly limits?: Partial<TunnelLimits & SessionLimits>;
}

/** Why a session may not go on: one of `closeCodes`, and words for the peer. */
export interface CutReason {
  readonly code: number;
  readonly text: string;
}
