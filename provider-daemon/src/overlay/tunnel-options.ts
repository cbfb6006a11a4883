/** What a tunnel is made of, and what it is bound by. */
import type { Duplex } from 'node:stream';
import type { DatagramRoute } from '../network/udp-relay.ts';
import type { Admission } from './admission.ts';
import type { TunnelCredentials } from './certificates.ts';
import type { Role } from './frames.ts';
import type { RenewalProofs } from './renewal.ts';
import type { InstanceSockets, SessionLimits } from './session-options.ts';
import type { Timers } from './timers.ts';

/** When a certificate holds. */
export type Validity = Pick<TunnelCredentials, 'notBeforeMs' | 'notAfterMs'>;

/** A tunnel's certificate as a peer has seen it. */
export interface ShownCertificate extends Validity {
  readonly der: Uint8Array;
}

/** A connection whose peer was admitted: as long as the certificates of both sides hold. */
export interface AdmittedSocket {
  readonly socket: Duplex;
  /** What the peer has shown, in DER: it is looked at again when the chain changes. */
  readonly chain: readonly Uint8Array[];
  readonly peer: Validity;
  /** What this side has shown. */
  readonly own: ShownCertificate;
  /** For the certificates that either side shows later. */
  readonly proofs: RenewalProofs;
}

export interface TunnelLimits {
  /** Between attempts: the first one, twice that, and so on. */
  readonly firstBackOffMs: number;
  readonly mostBackOffMs: number;
  /** From one attempt to the next at least, where a stream waits or what is told of the tunnel is new. */
  readonly leastDialMs: number;
  /** From one handshake to that which replaces it at least, whatever the certificates say. */
  readonly leastLifeMs: number;
  /** For the handshake of an attempt, from its first packet on; and as long again for the peer's hello. */
  readonly dialMs: number;
  /** For a stream that is to be opened while no session is up. */
  readonly openMs: number;
  /** At once, old ones that drain included: one more, and the oldest is cut. */
  readonly maxSessions: number;
  /** Streams that wait for a session; one more is refused. */
  readonly maxWaiting: number;
}

export const tunnelLimits: TunnelLimits = {
  ...{ firstBackOffMs: 500, mostBackOffMs: 60_000, leastDialMs: 1000, leastLifeMs: 60_000 },
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
  /** What is said of certificates that the peer shows in a session that stands. */
  readonly admitPeer: (chain: readonly Uint8Array[]) => Admission;
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
