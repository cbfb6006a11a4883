/** What two peers of a swarm say to each other. `wire.ts` writes it down, docs/MANIFESTS.md explains it. */

/** The messages that the machine speaks. Pieces go by their number in the list of all files. */
export type SwarmMessage =
  /** what the sender has (one bit a piece); the first message of either side */
  | { readonly type: 'pieces'; readonly count: number; readonly have: Uint8Array }
  /** the sender has one more */
  | { readonly type: 'have'; readonly piece: number }
  /** the sender has all */
  | { readonly type: 'done' }
  /** the sender has room for a grant again; `starving`: nothing has come to it for long */
  | { readonly type: 'want'; readonly starving: boolean }
  /** the receiver may ask for this piece, or for any that the sender has; `now`: it would be sent at once */
  | { readonly type: 'grant'; readonly piece: number | undefined; readonly now: boolean }
  /** a grant is not used; `busy`: for want of room, else for want of a use */
  | { readonly type: 'decline'; readonly piece: number | undefined; readonly busy: boolean }
  /** uses a grant */
  | { readonly type: 'request'; readonly piece: number }
  /** the piece came from elsewhere */
  | { readonly type: 'cancel'; readonly piece: number }
  /** a request is not fulfilled: its grant is over or, `lost`, the sender has not got the piece */
  | { readonly type: 'refuse'; readonly piece: number; readonly lost: boolean };

/** Whose manifest is exchanged over a connection. */
export interface ManifestName {
  readonly chainId: string;
  readonly owner: string;
  readonly dseq: bigint;
  readonly revision: bigint;
  /** the head's hash, which stands on the chain: 32 bytes */
  readonly version: Uint8Array;
}

/** The key of a section. */
export interface SectionKey {
  readonly infrastructure: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** What goes before the exchange of pieces, and the pieces: the adapter's part. */
export type AdapterMessage =
  /** the first message of either side */
  | ({ readonly type: 'hello'; readonly protocol: number } & ManifestName)
  | { readonly type: 'get-head' }
  /** the head's bytes; none: the sender has no head yet */
  | { readonly type: 'head'; readonly bytes: Uint8Array }
  /** the keys of sections that the sender of this may have */
  | { readonly type: 'get-keys' }
  /** those of them that are held; none where there is none: secret */
  | { readonly type: 'keys'; readonly keys: readonly SectionKey[] }
  /** `aunts`: the Merkle path from the leaf upwards, hashes of 32 bytes */
  | {
      readonly type: 'piece';
      readonly piece: number;
      readonly aunts: readonly Uint8Array[];
      readonly bytes: Uint8Array;
    };

export type WireMessage = SwarmMessage | AdapterMessage;
