/** All that happens to a swarm, and all that it wants done. */
import type { SwarmMessage } from './messages.ts';

/** What happened. `atMs` never goes back; its origin is of no importance. */
export type SwarmEvent = { readonly atMs: number } & (
  | { readonly type: 'time' }
  /** `mayAsk` would say yes again */
  | { readonly type: 'room' }
  /** a connection to a peer stands, its certificate and lease are checked, both sides have the head */
  | {
      readonly type: 'came';
      readonly peer: string;
      /** false: it may give pieces and get none; true where it is left out */
      readonly receives?: boolean;
    }
  | { readonly type: 'gone'; readonly peer: string }
  | { readonly type: 'message'; readonly peer: string; readonly message: SwarmMessage }
  /** the first bytes of a piece have come */
  | { readonly type: 'begun'; readonly peer: string; readonly piece: number }
  /** a piece came whole; `verified`: its length is right and its path leads to the file's root */
  | { readonly type: 'arrived'; readonly peer: string; readonly piece: number; readonly verified: boolean }
  /** a piece came and was read past: nobody looked whether it is right, as it was not expected or there was no room for it */
  | { readonly type: 'passed'; readonly peer: string; readonly piece: number }
  /** a piece stands on the disk, or could not be written */
  | { readonly type: 'written'; readonly piece: number; readonly ok: boolean }
  /** the last byte of a piece is on its way, or the piece could not be read */
  | { readonly type: 'sent'; readonly peer: string; readonly piece: number; readonly ok: boolean }
);

/** Why a peer is dropped. */
export type DropReason =
  /** a piece that is not the file's: it lies, or its disk does */
  | 'false-piece'
  /** a piece that there is not, or messages out of turn */
  | 'bad-message'
  /** requests without grants, or pieces that nobody asked for */
  | 'unasked'
  /** pieces that it has been sent already, again and again */
  | 'repeats'
  /** more messages than anybody needs */
  | 'flood'
  /** it grants and does not give */
  | 'timeouts'
  | 'too-many-peers'
  /** it was dropped for good before */
  | 'banned';

/** What is to be done. */
export type SwarmEffect =
  | { readonly type: 'send'; readonly peer: string; readonly message: SwarmMessage }
  /** read a piece and send it with its path; then `sent` */
  | { readonly type: 'send-piece'; readonly peer: string; readonly piece: number }
  /** write the verified piece that has just arrived; then `written` */
  | { readonly type: 'write'; readonly piece: number }
  /** end the connection; no `gone` is needed. `forGood`: it is not to be dialled again */
  | { readonly type: 'drop'; readonly peer: string; readonly reason: DropReason; readonly forGood: boolean }
  /** all pieces stand on the disk */
  | { readonly type: 'done' };
