/** What a `Mux` is bound by, and what comes out of it. */
import type { Hello, Renewal, StreamKind } from './frames.ts';

export interface MuxLimits {
  /** Streams at once that are taken. */
  readonly maxStreams: number;
  /** Bytes of a stream that are taken before its reader has had any of them. */
  readonly window: number;
  /** What the window of a stream grows to whose reader keeps up. */
  readonly maxWindow: number;
  /** Bytes by which all windows of a session together may have grown. */
  readonly growth: number;
  /** Pings, resets and small credits in a second. */
  readonly controlPerSecond: number;
  /** Renewals that may come at once; one more may come each time that `renewalSeconds` have gone by. */
  readonly renewals: number;
  readonly renewalSeconds: number;
}

export const muxLimits: MuxLimits = {
  maxStreams: 1024,
  window: 65_536,
  maxWindow: 4_194_304,
  growth: 33_554_432,
  controlPerSecond: 4096,
  renewals: 4,
  renewalSeconds: 60,
};

/** No side may ever have granted more of a stream than this. */
export const maxCreditBytes = 16_777_216;
/** A window below this would hold a stream back for nothing. */
export const minWindowBytes = 16_384;
/** Credits are for half a window; those below this count as frames of control. */
export const smallCreditBytes = 8192;

export interface MuxEffects {
  /** A whole frame is to be sent. */
  send(frame: Buffer): void;
  /** A DATA frame is to be sent, in two parts so that nothing is copied. */
  sendData(head: Buffer, payload: Buffer): void;
  /** The peer has said who it is: streams may be opened. */
  welcomed(hello: Hello): void;
  /** Callee: the caller has opened one. */
  opened(id: number, kind: StreamKind): void;
  /** Bytes of a stream, in order; a view of what was received. */
  data(id: number, piece: Buffer): void;
  /** The peer's direction of a stream has ended. */
  ended(id: number): void;
  reset(id: number, code: number, text: string): void;
  /** The peer takes more of a stream than before. */
  credited(id: number): void;
  datagram(id: number, payload: Buffer): void;
  pong(nonce: bigint): void;
  /** The peer shows newer certificates; nothing of them has been checked. */
  renewed(renewal: Renewal): void;
  /** The peer wants no new streams; those that are open go on. */
  goingAway(): void;
  /** Both sides want no new streams, and none is left. */
  drained(): void;
  /** The peer ends the session. */
  closed(code: number, text: string): void;
}
