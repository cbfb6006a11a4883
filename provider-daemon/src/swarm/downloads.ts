/** What is asked of whom: rarest first, the end game, and requests that take too long. */
import { swarmLimits, swarmTimes } from './limits.ts';
import { type Peer, PeerFault, type SwarmState } from './state.ts';
import { Wanted } from './wanted.ts';
import { Window } from './window.ts';

/** Half a piece more for each that came undisturbed: two such, and one more is asked for at a time. */
const step = 0.5;
/** Peers that are told of one thing at the same time. */
const invited = 3;

export class Downloads {
  readonly #state: SwarmState;
  readonly #wanted: Wanted;
  readonly #window = new Window({ least: swarmLimits.firstRequests, most: swarmLimits.requests, step });
  /** by piece, the peers of which it is asked */
  readonly #askers = new Map<number, Peer[]>();
  /** requests in all, and those of them that are late */
  #asked = 0;
  #late = 0;
  /** when something came last, or was first missed */
  #fedMs: number | undefined;

  constructor(state: SwarmState) {
    this.#state = state;
    this.#wanted = new Wanted(state.pieces.count, (piece) => !state.have.has(piece));
  }

  /** True when such a piece may come from the peer: it is asked for, or was until a moment ago. */
  expects(peer: Peer, piece: number): boolean {
    return peer.asked.has(piece) || peer.cancelled.has(piece);
  }

  /** A peer has a piece that it had not before: one who waits for nothing says so at once. */
  offered(peer: Peer): void {
    if (this.#asked > 0 || this.#wanted.size === 0 || peer.offers === 0) return;
    peer.declined = false;
    this.#state.send(peer, { type: 'want', starving: false });
  }

  /** A peer gives leave to ask. */
  granted(peer: Peer, piece: number | undefined, now: boolean): void {
    const room = this.#hasRoom(peer);
    const chosen = room ? this.#choose(peer, piece, now) : undefined;
    if (chosen === undefined) {
      peer.declined = true;
      this.#state.send(peer, { type: 'decline', piece, busy: !room });
      return;
    }
    peer.declined = false;
    this.#wanted.delete(chosen);
    peer.asked.set(chosen, { sinceMs: this.#state.nowMs, waits: !now, late: false });
    peer.cancelled.delete(chosen);
    this.#asked += 1;
    const others = this.#askers.get(chosen);
    if (others === undefined) this.#askers.set(chosen, [peer]);
    else others.push(peer);
    this.#state.send(peer, { type: 'request', piece: chosen });
  }

  /** The first bytes of a piece have come: it is not asked of anybody else any more unless it takes too long. */
  begun(peer: Peer, piece: number): void {
    const asked = peer.asked.get(piece);
    if (asked !== undefined) asked.waits = false;
  }

  /** A piece came. @throws PeerFault for a false one, and for many that nobody asked for */
  arrived(peer: Peer, piece: number, verified: boolean): void {
    if (!verified) throw new PeerFault('false-piece');
    const asked = peer.asked.get(piece);
    if (this.#isUnasked(peer, piece)) return;
    peer.timeouts = 0;
    this.#fedMs = this.#state.nowMs;
    if (asked !== undefined) {
      if (2 * this.#state.pieces.bytesOf(piece) >= this.#state.pieces.largest) {
        this.#window.sample(this.#state.nowMs - asked.sinceMs);
      }
      this.#forgetRequest(peer, piece);
    }
    if (this.#state.have.has(piece) || this.#state.writing.has(piece)) return;
    // One that was taken back is welcome, but not beyond what may be in memory.
    if (asked === undefined && this.#asked + this.#state.writing.size >= swarmLimits.requests) return;
    for (const other of [...(this.#askers.get(piece) ?? [])]) this.#takeBack(other, piece);
    this.#wanted.delete(piece);
    this.#state.writing.add(piece);
    this.#state.do({ type: 'write', piece });
  }

  /**
   * A piece came and was read past: there was no room for it. It is wanted still, and what others are asked for stays asked.
   * @throws PeerFault for many that nobody asked for
   */
  passed(peer: Peer, piece: number): void {
    if (this.#isUnasked(peer, piece)) return;
    peer.timeouts = 0;
    this.#fedMs = this.#state.nowMs;
    if (peer.asked.has(piece)) this.#release(peer, piece);
  }

  /** A piece is on the disk, or is not after all. */
  written(piece: number, ok: boolean): void {
    if (!this.#state.writing.delete(piece)) return;
    if (ok) this.#state.gain(piece);
    else this.#wanted.add(piece);
    this.#inviteForRoom();
  }

  /** One more piece may be asked for. */
  room(): void {
    this.#inviteForRoom();
  }

  /** A piece of ours is lost. */
  lost(piece: number): void {
    this.#wanted.add(piece);
    this.#invite(piece);
  }

  /** A request is refused. `lost`: the peer has not got the piece. */
  refused(peer: Peer, piece: number, lost: boolean): void {
    if (lost) this.#state.unlearn(peer, piece);
    peer.cancelled.delete(piece);
    if (peer.asked.has(piece)) this.#release(peer, piece);
  }

  /** All requests at a peer are void. */
  gone(peer: Peer): void {
    for (const piece of [...peer.asked.keys()]) this.#release(peer, piece);
  }

  /** Requests that take too long go to others. @returns peers that have failed too often */
  time(): Peer[] {
    const lateMs = this.#window.slowAfterMs(swarmTimes.endGameMs);
    const overMs = this.#window.slowAfterMs(swarmTimes.requestMs);
    const failed: Peer[] = [];
    for (const peer of this.#state.peers.values()) {
      for (const [piece, asked] of [...peer.asked]) {
        const age = this.#state.nowMs - asked.sinceMs;
        if (age > overMs) this.#timeOut(peer, piece);
        else if (age > lateMs && !asked.late) this.#beLate(peer, piece);
      }
      if (peer.timeouts >= swarmLimits.timeouts) failed.push(peer);
    }
    this.#complainIfStarved();
    return failed;
  }

  /** Counts a piece that nobody asked for; one that was taken back may come once. @throws PeerFault for many */
  #isUnasked(peer: Peer, piece: number): boolean {
    if (peer.asked.has(piece) || peer.cancelled.delete(piece)) return false;
    peer.unasked += 1;
    if (peer.unasked > swarmLimits.unasked) throw new PeerFault('unasked');
    return true;
  }

  #hasRoom(peer: Peer): boolean {
    const inMemory = this.#asked + this.#state.writing.size;
    return (
      peer.asked.size < swarmLimits.requestsPerPeer &&
      inMemory < swarmLimits.requests &&
      inMemory - this.#late < this.#window.size &&
      (this.#needsNothing() || this.#state.mayAsk())
    );
  }

  /** All is here, or being written: there is nothing to ask for, so that no room is waited for. */
  #needsNothing(): boolean {
    return this.#wanted.size === 0 && this.#askers.size === 0;
  }

  #choose(peer: Peer, named: number | undefined, now: boolean): number | undefined {
    if (named === undefined) return this.#rarest(peer) ?? this.#endGame(peer) ?? (now ? this.#move(peer) : undefined);
    return this.#wanted.has(named) && peer.have?.has(named) === true ? named : undefined;
  }

  /** Of what the peer has and nobody is asked for, one that the fewest peers have, by chance among equals. */
  #rarest(peer: Peer): number | undefined {
    const { have } = peer;
    if (have === undefined || peer.offers === 0) return undefined;
    let [best, rarity, equals]: [number | undefined, number, number] = [undefined, Number.POSITIVE_INFINITY, 0];
    for (const piece of this.#wanted) {
      const count = this.#state.rarity[piece] as number;
      if (count > rarity || !have.has(piece)) continue;
      equals = count < rarity ? 1 : equals + 1;
      if (count < rarity || this.#state.random(equals) === 0) best = piece;
      rarity = count;
    }
    return best;
  }

  /** All that the peer has is asked of others: one that they have been owing for long is asked of it too. */
  #endGame(peer: Peer): number | undefined {
    for (const [piece, askers] of this.#askers) {
      if (peer.have?.has(piece) !== true || askers.length >= swarmLimits.copies) continue;
      if (this.#state.have.has(piece) || this.#state.writing.has(piece)) continue;
      if (askers.every((asker) => asker !== peer && asker.asked.get(piece)?.late === true)) return piece;
    }
    return undefined;
  }

  /** All that the peer has is asked of others: it sends at once what waits elsewhere behind others. */
  #move(peer: Peer): number | undefined {
    for (const [piece, askers] of this.#askers) {
      const [asker] = askers as [Peer];
      if (askers.length > 1 || asker === peer || peer.have?.has(piece) !== true) continue;
      if (asker.asked.get(piece)?.waits !== true) continue;
      this.#takeBack(asker, piece);
      return piece;
    }
    return undefined;
  }

  #beLate(peer: Peer, piece: number): void {
    (peer.asked.get(piece) as { late: boolean }).late = true;
    this.#late += 1;
    this.#invite(piece);
    this.#inviteForRoom();
  }

  #timeOut(peer: Peer, piece: number): void {
    peer.timeouts += 1;
    this.#takeBack(peer, piece);
    this.#release(peer, piece);
  }

  /** Tells a peer that it need not send a piece. */
  #takeBack(peer: Peer, piece: number): void {
    this.#forgetRequest(peer, piece);
    peer.cancelled.add(piece);
    const [oldest] = peer.cancelled;
    if (peer.cancelled.size > swarmLimits.requests) peer.cancelled.delete(oldest as number);
    this.#state.send(peer, { type: 'cancel', piece });
  }

  /** A request brings nothing: the piece is wanted again unless others are asked for it. */
  #release(peer: Peer, piece: number): void {
    this.#forgetRequest(peer, piece);
    if (this.#askers.has(piece) || this.#state.have.has(piece) || this.#state.writing.has(piece)) return;
    this.#wanted.add(piece);
    this.#invite(piece);
  }

  #forgetRequest(peer: Peer, piece: number): void {
    const asked = peer.asked.get(piece);
    if (asked === undefined) return;
    peer.asked.delete(piece);
    this.#asked -= 1;
    if (asked.late) this.#late -= 1;
    const askers = (this.#askers.get(piece) ?? []).filter((one) => one !== peer);
    if (askers.length === 0) this.#askers.delete(piece);
    else this.#askers.set(piece, askers);
  }

  /** Peers whose grants were declined and that have this piece hear that one would be used now. */
  #invite(piece: number): void {
    this.#tell(false, (peer) => peer.declined && peer.have?.has(piece) === true && !peer.asked.has(piece));
  }

  #inviteForRoom(): void {
    if (this.#asked + this.#state.writing.size - this.#late >= this.#window.size || this.#wanted.size === 0) return;
    this.#tell(false, (peer) => peer.declined && peer.offers > peer.asked.size);
  }

  /** Nothing has come for long: those who would leave us to others learn of it. */
  #complainIfStarved(): void {
    const { have, peers, nowMs } = this.#state;
    if (have.isFull || peers.size === 0) {
      this.#fedMs = undefined;
      return;
    }
    this.#fedMs ??= nowMs;
    if (nowMs - this.#fedMs < this.#window.slowAfterMs(swarmTimes.starvedMs)) return;
    this.#fedMs = nowMs;
    this.#tell(true, (peer) => peer.offers > 0);
  }

  #tell(starving: boolean, which: (peer: Peer) => boolean): void {
    const list = [...this.#state.peers.values()].filter(which);
    for (let told = 0; told < invited && list.length > 0; told += 1) {
      const [peer] = list.splice(this.#state.random(list.length), 1) as [Peer];
      peer.declined = false;
      this.#state.send(peer, { type: 'want', starving });
    }
  }
}
