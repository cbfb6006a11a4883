/** What connections between peers may take, and how long they are waited for: docs/MANIFESTS.md says the same. */

export const peerLimits = {
  /** For the handshake, then for the other side's `hello`. */
  helloMs: 10_000,
  /** A peer takes what is sent to it for so long: a part of 64 KiB or less. */
  takeMs: 30_000,
  /** Bytes of messages that wait for the socket before nothing is read from the peer. */
  queuedBytes: 65_536,
  /** Bytes of messages that wait for the socket before the connection ends: two heads. */
  stalledBytes: 2_097_152,
  /** Bytes that are handed to the socket at once. */
  sliceBytes: 65_536,
  /** Neither side lacks anything, and nothing was said for so long: who has dialled ends the connection. */
  idleMs: 30_000,
  /** Nothing came for so long, though something is lacking: who has dialled ends the connection, and dials again. */
  silentMs: 120_000,
  /** The same for who was dialled. */
  forgottenMs: 300_000,
  /** For a head to come before another peer is asked. */
  headMs: 30_000,
  /** For keys. */
  keysMs: 10_000,
  /** Before the same peer is asked for keys again. */
  keysAgainMs: 30_000,
  /** Between two questions for keys of one peer; one that asks sooner is dropped. */
  keysApartMs: 5_000,
  /** Empty heads that a peer is answered with; the head itself is sent once. */
  emptyHeads: 8,
  /** The disk takes nothing: it is tried again after this long. */
  diskMs: 10_000,
  /** Bytes of pieces and heads that are on their way in, or out, of all manifests; what is beyond them waits. */
  memoryBytes: 67_108_864,
  /** Of those that go out, to one peer. */
  memoryOfPeerBytes: 8_388_608,
  /** There is room for one more piece of a manifest: if none is asked for within this time, others have their turn. */
  turnMs: 5_000,
  /** While others wait for memory, a piece that has been coming for so long is not kept, and is asked for again. */
  slowPieceMs: 120_000,
  /** Connections that each peer sees to, of one manifest. */
  dialled: 24,
  /** Connections that are dialled at the same time, of all manifests. */
  dialling: 32,
  /** Who has dialled and is not admitted yet, at the same time; one more is hung up on. */
  strangers: 64,
  /** A connection made this shortly after another one was made at once with it. */
  atOnceMs: 10_000,
  /** Between two attempts at a peer: the first one, twice that, and so on. */
  firstBackOffMs: 1_000,
  mostBackOffMs: 60_000,
  /** Peers of a manifest that are never spoken to again; the first is forgotten for another. */
  banned: 1_024,
} as const;

export type PeerLimits = { readonly [K in keyof typeof peerLimits]: number };
