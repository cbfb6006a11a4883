/** What a swarm may take of a machine, and how long it waits: docs/MANIFESTS.md says the same for other implementations. */
import { manifestLimits } from '@mu/client/manifest/head';

/** Bounds on what is kept and done; what goes beyond one is refused or drops the peer, as each says. */
export const swarmLimits = {
  /** of all files of a manifest together; also what bounds the two bitfields that are kept of a peer (16 KiB) */
  pieces: manifestLimits.pieces,
  /** peers of one manifest at the same time; one more is dropped */
  peers: 64,
  /** peers that are never spoken to again; the one that was banned first is forgotten for another */
  banned: 1_024,
  /** our requests that wait at one peer */
  requestsPerPeer: 4,
  /** our requests in all, with pieces that are being written: this many pieces are in memory at most */
  requests: 32,
  /** our requests in all before any piece has come */
  firstRequests: 2,
  /** peers of which a piece is asked at the same time in the end game */
  copies: 3,
  /** grants, waiting requests and pieces on their way, of one peer with us */
  queuePerPeer: 4,
  /** pieces that are sent at the same time */
  uploads: 8,
  /** grants and waiting requests beyond the pieces that are being sent */
  ahead: 8,
  /** requests without a grant, and pieces that nobody asked for, of a peer before it is dropped */
  unasked: 32,
  /** requests of a peer for pieces that it was sent already before it is dropped */
  repeats: 8,
  /** messages of a peer within `tickMs` before it is dropped: some are answered, some have all pieces looked through */
  messages: 1_024,
  /** requests in a row that a peer left without answer before it is dropped */
  timeouts: 3,
  /** copies that a first holder sends before it leaves the others to one another */
  thriftCopies: 2,
  /** pieces that a first holder sends all the same, so that a small manifest spreads by doubling */
  thriftPieces: 16,
} as const;

/** Waiting times, in milliseconds. */
export const swarmTimes = {
  /** between two events `time` */
  tickMs: 250,
  /** a request without a piece is taken back after this long, or after `slowTimes` times what is usual, if that is longer */
  requestMs: 30_000,
  /** a grant that is not used is over */
  grantMs: 5_000,
  /** who declined a grant since its hands were full is granted the next one after this long, or when it says `want` */
  busyMs: 1_000,
  /** the same for one that needed nothing of us */
  nothingMs: 5_000,
  /** a request this old may be repeated at another peer in the end game; or `slowTimes` times what is usual */
  endGameMs: 2_000,
  /** no piece for so long: peers are told; or `slowTimes` times what is usual */
  starvedMs: 3_000,
  /** for so long a starving peer is served by one that would leave it to others */
  starvingMs: 30_000,
} as const;

/** How much longer than usual an answer may take. */
export const slowTimes = 4;
