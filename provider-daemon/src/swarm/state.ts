/** What a swarm knows of itself and its peers, and the counts that follow from it. */
import { Bitfield } from './bitfield.ts';
import type { DropReason, SwarmEffect } from './events.ts';
import { swarmLimits } from './limits.ts';
import type { SwarmMessage } from './messages.ts';
import type { PieceList } from './piece-list.ts';

/** A whole number from 0 to below `end`. */
export type Random = (end: number) => number;

/** One of our requests at a peer. */
export interface Asked {
  readonly sinceMs: number;
  /** it waits behind others there: it may be moved to a peer that would send at once */
  waits: boolean;
  /** it takes so long that it does not count as one under way any more */
  late: boolean;
}

/** Leave to ask for a piece: for this one, or for any. */
export interface Grant {
  readonly piece: number | undefined;
  readonly untilMs: number;
}

export interface Peer {
  readonly id: string;
  /** it may be given pieces */
  readonly receives: boolean;
  /** undefined until it has said so */
  have: Bitfield | undefined;
  /** how many pieces it has that are not here */
  offers: number;
  /** how many pieces are here that it has not */
  lacks: number;
  /** it sent pieces that nobody asked for, or requests without a grant: how many */
  unasked: number;
  /** messages that came since `countedMs` */
  messages: number;
  countedMs: number;

  /** our requests, by piece */
  readonly asked: Map<number, Asked>;
  /** requests that were taken back and may be answered all the same */
  readonly cancelled: Set<number>;
  /** requests in a row that it did not answer */
  timeouts: number;
  /** it was declined a grant since, and may not come back by itself */
  declined: boolean;

  readonly grants: Grant[];
  /** its requests that wait here: how many */
  waiting: number;
  /** pieces on their way to it, since when */
  readonly sending: Map<number, number>;
  /** what it has been sent */
  readonly given: Bitfield;
  repeats: number;
  /** no grant before; it declined one */
  notBeforeMs: number;
  /** what it declined for: a new piece here is of use to it */
  neededNothing: boolean;
  /** it has said that it has room, and was granted nothing since */
  hungry: boolean;
  starvingUntilMs: number;
  /** the order of grants: the lowest is next */
  turn: number;
}

export interface SwarmStateOptions {
  readonly pieces: PieceList;
  /** what is verified on the disk */
  readonly have: Bitfield;
  readonly random: Random;
  /** Whether there is room for one more piece on its way; who is told no hears `room` when there is some. Absent: always. */
  readonly mayAsk?: () => boolean;
}

export class SwarmState {
  readonly pieces: PieceList;
  readonly have: Bitfield;
  readonly random: Random;
  readonly mayAsk: () => boolean;
  readonly peers = new Map<string, Peer>();
  /** by piece, how many peers have it */
  readonly rarity: Uint16Array;
  /** verified pieces that are on their way to the disk */
  readonly writing = new Set<number>();
  readonly banned = new Set<string>();
  nowMs = 0;
  #effects: SwarmEffect[] = [];

  constructor({ pieces, have, random, mayAsk }: SwarmStateOptions) {
    if (have.length !== pieces.count) throw new RangeError(`${have.length} bits for ${pieces.count} pieces`);
    this.pieces = pieces;
    this.have = have;
    this.random = random;
    this.mayAsk = mayAsk ?? (() => true);
    this.rarity = new Uint16Array(pieces.count);
  }

  /** True for a piece that there is. */
  exists(piece: number): boolean {
    return Number.isInteger(piece) && piece >= 0 && piece < this.pieces.count;
  }

  do(effect: SwarmEffect): void {
    this.#effects.push(effect);
  }

  send(peer: Peer, message: SwarmMessage): void {
    this.#effects.push({ type: 'send', peer: peer.id, message });
  }

  takeEffects(): SwarmEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Takes up a peer of which nothing is known yet. */
  addPeer(id: string, receives = true): Peer {
    const peer: Peer = {
      ...{ id, receives },
      have: undefined,
      ...{ messages: 0, countedMs: this.nowMs },
      ...{ offers: 0, lacks: 0, unasked: 0, timeouts: 0, declined: false, waiting: 0, repeats: 0 },
      ...{ asked: new Map(), cancelled: new Set(), grants: [], sending: new Map() },
      given: new Bitfield(this.pieces.count),
      ...{ notBeforeMs: 0, neededNothing: false, hungry: false, starvingUntilMs: 0 },
      // By chance, lest all holders begin with the same peer.
      turn: -1 - this.random(2 ** 20),
    };
    this.peers.set(id, peer);
    return peer;
  }

  /** What a peer has in the beginning. */
  learnAll(peer: Peer, have: Bitfield): void {
    peer.have = new Bitfield(this.pieces.count);
    peer.lacks = this.have.size;
    for (const piece of have) this.learn(peer, piece);
  }

  /** A peer has a piece. @returns false when that was known, or nothing is known of the peer yet */
  learn(peer: Peer, piece: number): boolean {
    if (peer.have === undefined || !peer.have.add(piece)) return false;
    this.rarity[piece] = (this.rarity[piece] as number) + 1;
    if (this.have.has(piece)) peer.lacks -= 1;
    else peer.offers += 1;
    return true;
  }

  /** A peer has a piece no more. */
  unlearn(peer: Peer, piece: number): void {
    if (peer.have?.delete(piece) !== true) return;
    this.rarity[piece] = (this.rarity[piece] as number) - 1;
    if (this.have.has(piece)) peer.lacks += 1;
    else peer.offers -= 1;
  }

  /** A piece stands on our disk. */
  gain(piece: number): void {
    if (!this.have.add(piece)) return;
    for (const peer of this.peers.values()) {
      if (peer.have === undefined) continue;
      if (peer.have.has(piece)) peer.offers -= 1;
      else {
        peer.lacks += 1;
        if (peer.neededNothing) peer.notBeforeMs = 0;
      }
    }
  }

  /** A piece of ours cannot be read. */
  lose(piece: number): void {
    if (!this.have.delete(piece)) return;
    for (const peer of this.peers.values()) {
      if (peer.have === undefined) continue;
      if (peer.have.has(piece)) peer.offers += 1;
      else peer.lacks -= 1;
    }
  }

  /** Forgets a peer; what was asked of it, and granted, the two sides must have let go before. */
  removePeer(peer: Peer): void {
    for (const piece of peer.have ?? []) this.rarity[piece] = (this.rarity[piece] as number) - 1;
    this.peers.delete(peer.id);
  }

  /** Notes that a peer is not to be spoken to again. */
  ban(id: string): void {
    this.banned.add(id);
    const [oldest] = this.banned;
    if (this.banned.size > swarmLimits.banned) this.banned.delete(oldest as string);
  }
}

/** Ends the connection to a peer; thrown by a rule, caught by the machine. */
export class PeerFault extends Error {
  override readonly name = 'PeerFault';
  readonly reason: DropReason;
  readonly forGood: boolean;

  constructor(reason: DropReason, forGood = true) {
    super(reason);
    this.reason = reason;
    this.forGood = forGood;
  }
}
