/**
 * Who may ask, and what is sent: one piece after the other as long as that fills the line, so that each can be handed on
 * soonest; first what nobody else has.
 */
import { swarmLimits, swarmTimes } from './limits.ts';
import { type Peer, PeerFault, type SwarmState } from './state.ts';
import { Wanted } from './wanted.ts';
import { Window } from './window.ts';

/** Eight undisturbed pieces, and one more goes beside them. */
const step = 0.125;

interface Waiting {
  readonly peer: Peer;
  readonly piece: number;
}

export class Uploads {
  readonly #state: SwarmState;
  readonly #window = new Window({ least: 1, most: swarmLimits.uploads, step });
  /** Pieces here that nobody else has, so far as is known, and that nobody has been given. */
  readonly #fresh: Wanted;
  #queue: Waiting[] = [];
  /** pieces on their way: by peer and piece, since when */
  readonly #sending = new Map<string, number>();
  #grants = 0;
  /** grants and waiting requests that are kept beyond what is being sent */
  #ahead = 0;
  /** pieces that were sent to the end */
  #sent = 0;
  /** bytes that were begun to be sent */
  #givenBytes = 0;
  #turn = 0;
  /** bytes after which a first holder leaves the others to one another; undefined for any other */
  readonly #thriftBytes: number | undefined;

  constructor(state: SwarmState) {
    this.#state = state;
    const { pieces, have } = state;
    this.#fresh = new Wanted(pieces.count, (piece) => have.has(piece));
    this.#thriftBytes = have.isFull
      ? Math.max(swarmLimits.thriftCopies * pieces.bytes, swarmLimits.thriftPieces * pieces.largest)
      : undefined;
  }

  /** A grant is used. @throws PeerFault for a piece that there is not, and for many that have no grant or were sent */
  requested(peer: Peer, piece: number): void {
    if (peer.given.has(piece)) {
      peer.repeats += 1;
      // Its disk may not take them: it may come again.
      if (peer.repeats > swarmLimits.repeats) throw new PeerFault('repeats', false);
    }
    const grant = this.#takeGrant(peer, piece);
    if (!grant || !this.#state.have.has(piece)) {
      peer.unasked += grant ? 0 : 1;
      if (peer.unasked > swarmLimits.unasked) throw new PeerFault('unasked');
      this.#state.send(peer, { type: 'refuse', piece, lost: !this.#state.have.has(piece) });
      return;
    }
    // Asked for again after a time-out of the other side's: the one copy answers both.
    if (this.#isUnderWay(peer, piece)) return;
    // The line stood still until the request came: grants are needed earlier.
    if (this.#sending.size === 0 && this.#queue.length === 0 && this.#sent > 0) {
      this.#ahead = Math.min(this.#ahead + step, swarmLimits.ahead);
    }
    peer.waiting += 1;
    this.#queue.push({ peer, piece });
  }

  /** A grant is declined. */
  declined(peer: Peer, piece: number | undefined, busy: boolean): void {
    const at = peer.grants.findIndex((grant) => grant.piece === piece);
    if (at < 0) return;
    this.#endGrant(peer, at);
    peer.notBeforeMs = this.#state.nowMs + (busy ? swarmTimes.busyMs : swarmTimes.nothingMs);
    peer.neededNothing = !busy;
  }

  /** A peer has room again, or gets nothing at all. */
  wants(peer: Peer, starving: boolean): void {
    peer.notBeforeMs = 0;
    peer.hungry = true;
    if (starving) peer.starvingUntilMs = this.#state.nowMs + swarmTimes.starvingMs;
  }

  cancelled(peer: Peer, piece: number): void {
    const at = this.#queue.findIndex((one) => one.peer === peer && one.piece === piece);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    peer.waiting -= 1;
    this.#makeFresh(piece);
  }

  /** A piece is on its way whole, or could not be read. */
  sent(peer: Peer, piece: number, ok: boolean): void {
    const sinceMs = peer.sending.get(piece);
    if (sinceMs === undefined) return;
    peer.sending.delete(piece);
    this.#sending.delete(keyOf(peer, piece));
    this.#sent += 1;
    if (!ok) {
      this.#state.send(peer, { type: 'refuse', piece, lost: true });
    } else if (2 * this.#state.pieces.bytesOf(piece) >= this.#state.pieces.largest) {
      this.#window.sample(this.#state.nowMs - sinceMs);
    }
    if (this.#queue.length > 1 && this.#ahead > 1) this.#ahead -= step;
  }

  /** Grants, requests and pieces of a peer are void. */
  gone(peer: Peer): void {
    while (peer.grants.length > 0) this.#endGrant(peer, 0);
    this.#queue = this.#queue.filter((one) => one.peer !== peer);
    for (const piece of peer.sending.keys()) this.#sending.delete(keyOf(peer, piece));
    peer.sending.clear();
  }

  /** After the peer was forgotten: what it alone had been given, or had, is to be given again. */
  afterGone(peer: Peer): void {
    for (const piece of peer.given) this.#makeFresh(piece);
    for (const piece of peer.have ?? []) this.#makeFresh(piece);
  }

  /** A piece has come here; it may be that nobody else has it any more. */
  gained(piece: number): void {
    this.#makeFresh(piece);
  }

  /** Grants that were not used end. */
  time(): void {
    for (const peer of this.#state.peers.values()) {
      while (peer.grants[0] !== undefined && peer.grants[0].untilMs < this.#state.nowMs) this.#endGrant(peer, 0);
    }
  }

  /** Sends what may be sent, and grants what may be granted. */
  fill(): void {
    if (this.#state.have.size === 0) return;
    const slots = this.#slots();
    while (this.#sending.size < slots && this.#queue.length > 0) this.#begin(this.#queue.shift() as Waiting);
    while (this.#sending.size + this.#queue.length + this.#grants < slots + Math.floor(this.#ahead)) {
      const fresh = this.#takeFresh();
      const peer = this.#next(fresh !== undefined);
      if (peer === undefined) {
        if (fresh !== undefined) this.#fresh.add(fresh);
        return;
      }
      this.#grant(peer, fresh, this.#sending.size + this.#queue.length + this.#grants < slots);
    }
  }

  /** Pieces that may be sent side by side: one that takes too long does not hold up the others. */
  #slots(): number {
    let slots = this.#window.size;
    for (const sinceMs of this.#sending.values()) {
      if (this.#window.isHeldUp(this.#state.nowMs - sinceMs)) slots += 1;
    }
    return Math.min(slots, swarmLimits.uploads);
  }

  #begin({ peer, piece }: Waiting): void {
    peer.waiting -= 1;
    peer.given.add(piece);
    peer.sending.set(piece, this.#state.nowMs);
    this.#sending.set(keyOf(peer, piece), this.#state.nowMs);
    this.#givenBytes += this.#state.pieces.bytesOf(piece);
    this.#state.do({ type: 'send-piece', peer: peer.id, piece });
  }

  #grant(peer: Peer, piece: number | undefined, now: boolean): void {
    this.#turn += 1;
    peer.turn = this.#turn;
    peer.hungry = false;
    peer.grants.push({ piece, untilMs: this.#state.nowMs + swarmTimes.grantMs });
    this.#grants += 1;
    this.#state.send(peer, { type: 'grant', piece, now });
  }

  #isUnderWay(peer: Peer, piece: number): boolean {
    return peer.sending.has(piece) || this.#queue.some((one) => one.peer === peer && one.piece === piece);
  }

  /** @returns true when there was one for the piece */
  #takeGrant(peer: Peer, piece: number): boolean {
    const named = peer.grants.findIndex((grant) => grant.piece === piece);
    const at = named < 0 ? peer.grants.findIndex((grant) => grant.piece === undefined) : named;
    if (at < 0) return false;
    peer.grants.splice(at, 1);
    this.#grants -= 1;
    return true;
  }

  #endGrant(peer: Peer, at: number): void {
    const [grant] = peer.grants.splice(at, 1);
    this.#grants -= 1;
    if (grant?.piece !== undefined) this.#makeFresh(grant.piece);
  }

  #makeFresh(piece: number): void {
    if (this.#state.have.has(piece) && this.#state.rarity[piece] === 0) this.#fresh.add(piece);
  }

  /** One by chance of the pieces that are only here; it must be granted or put back. */
  #takeFresh(): number | undefined {
    while (this.#fresh.size > 0) {
      const piece = this.#fresh.at(this.#state.random(this.#fresh.size));
      this.#fresh.delete(piece);
      if (this.#state.rarity[piece] === 0 && this.#state.have.has(piece)) return piece;
    }
    return undefined;
  }

  /** The peer whose turn it is, of those with the fewest pieces under way. */
  #next(fresh: boolean): Peer | undefined {
    const thrifty = !fresh && this.#isThrifty();
    let [best, load] = [undefined as Peer | undefined, swarmLimits.queuePerPeer as number];
    for (const peer of this.#state.peers.values()) {
      const own = peer.grants.length + peer.waiting + peer.sending.size;
      if (!peer.receives || own > load || own >= swarmLimits.queuePerPeer || peer.lacks <= own) continue;
      if (peer.notBeforeMs > this.#state.nowMs || (thrifty && peer.starvingUntilMs <= this.#state.nowMs)) continue;
      if (own === load && best !== undefined && !isBefore(peer, best)) continue;
      [best, load] = [peer, own];
    }
    return best;
  }

  /** True for a first holder that has given enough: the others have all pieces among themselves. */
  #isThrifty(): boolean {
    if (this.#thriftBytes === undefined) return false;
    const underWay = (this.#queue.length + this.#grants + 1) * this.#state.pieces.largest;
    return this.#givenBytes + underWay > this.#thriftBytes;
  }
}

const keyOf = (peer: Peer, piece: number): string => `${piece}/${peer.id}`;

/** Those who said that they have room go first, then those who were granted something the longest time ago. */
function isBefore(one: Peer, other: Peer): boolean {
  return one.hungry === other.hungry ? one.turn < other.turn : one.hungry;
}
