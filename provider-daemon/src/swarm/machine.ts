/**
 * The exchange of a manifest's pieces among peers, as a machine: what happened goes in, what is to be done comes out. It
 * knows no network, disk, clock or randomness of its own, and keeps within `swarmLimits` whatever its peers do. Its rules
 * are written down in docs/MANIFESTS.md.
 */
import { Bitfield } from './bitfield.ts';
import { Downloads } from './downloads.ts';
import type { SwarmEffect, SwarmEvent } from './events.ts';
import { swarmLimits, swarmTimes } from './limits.ts';
import type { SwarmMessage } from './messages.ts';
import { type Peer, PeerFault, SwarmState, type SwarmStateOptions } from './state.ts';
import { Uploads } from './uploads.ts';

export class SwarmMachine {
  readonly #state: SwarmState;
  readonly #downloads: Downloads;
  readonly #uploads: Uploads;

  /** `have` is the machine's from now on. @throws RangeError when it has not one bit for each piece */
  constructor(options: SwarmStateOptions) {
    this.#state = new SwarmState(options);
    this.#downloads = new Downloads(this.#state);
    this.#uploads = new Uploads(this.#state);
  }

  /** Pieces that are verified and on the disk. */
  get had(): number {
    return this.#state.have.size;
  }

  get isDone(): boolean {
    return this.#state.have.isFull;
  }

  /** Connected peers. */
  get peers(): number {
    return this.#state.peers.size;
  }

  /** True for a connected peer that has said that it has all pieces. */
  hasAll(peer: string): boolean {
    return this.#state.peers.get(peer)?.have?.isFull === true;
  }

  has(piece: number): boolean {
    return this.#state.have.has(piece);
  }

  /** True when the piece may come from the peer, so that an adapter need not read one that nobody asked for. */
  expects(peer: string, piece: number): boolean {
    const known = this.#state.peers.get(peer);
    return known !== undefined && this.#downloads.expects(known, piece);
  }

  /** Takes an event. @returns what is to be done, in this order */
  handle(event: SwarmEvent): SwarmEffect[] {
    this.#state.nowMs = Math.max(this.#state.nowMs, event.atMs);
    if (event.type === 'came') this.#came(event.peer, event.receives ?? true);
    else if (event.type === 'time') this.#time();
    else if (event.type === 'room') this.#downloads.room();
    else if (event.type === 'written') this.#written(event.piece, event.ok);
    else {
      const peer = this.#state.peers.get(event.peer);
      if (peer !== undefined) this.#ofPeer(peer, event);
    }
    this.#uploads.fill();
    return this.#state.takeEffects();
  }

  #came(id: string, receives: boolean): void {
    const { peers, banned, have, pieces } = this.#state;
    if (banned.has(id)) {
      this.#state.do({ type: 'drop', peer: id, reason: 'banned', forGood: true });
      return;
    }
    const former = peers.get(id);
    if (former !== undefined) this.#forget(former);
    if (peers.size >= swarmLimits.peers) {
      this.#state.do({ type: 'drop', peer: id, reason: 'too-many-peers', forGood: false });
      return;
    }
    const peer = this.#state.addPeer(id, receives);
    this.#state.send(peer, { type: 'pieces', count: pieces.count, have: have.toBytes() });
  }

  #ofPeer(peer: Peer, event: Exclude<SwarmEvent, { type: 'came' | 'time' | 'room' | 'written' }>): void {
    try {
      if (event.type === 'gone') this.#forget(peer);
      else if (event.type === 'message') this.#message(peer, event.message);
      else if (!this.#state.exists(event.piece)) throw new PeerFault('bad-message');
      else if (event.type === 'begun') this.#downloads.begun(peer, event.piece);
      else if (event.type === 'arrived') this.#downloads.arrived(peer, event.piece, event.verified);
      else if (event.type === 'passed') this.#downloads.passed(peer, event.piece);
      else this.#sent(peer, event.piece, event.ok);
    } catch (error) {
      if (!(error instanceof PeerFault)) throw error;
      this.#drop(peer, error);
    }
  }

  #message(peer: Peer, message: SwarmMessage): void {
    this.#count(peer);
    if (message.type === 'pieces') this.#introduced(peer, message);
    else if (peer.have === undefined) throw new PeerFault('bad-message');
    else if ('piece' in message && message.piece !== undefined && !this.#state.exists(message.piece)) {
      throw new PeerFault('bad-message');
    } else this.#heard(peer, message);
  }

  #count(peer: Peer): void {
    if (this.#state.nowMs - peer.countedMs >= swarmTimes.tickMs) {
      peer.countedMs = this.#state.nowMs;
      peer.messages = 0;
    }
    peer.messages += 1;
    if (peer.messages > swarmLimits.messages) throw new PeerFault('flood');
  }

  #heard(peer: Peer, message: Exclude<SwarmMessage, { type: 'pieces' }>): void {
    switch (message.type) {
      case 'have':
        if (this.#state.learn(peer, message.piece)) this.#downloads.offered(peer);
        break;
      case 'done':
        if (peer.have?.isFull === true) break;
        for (let piece = 0; piece < this.#state.pieces.count; piece += 1) this.#state.learn(peer, piece);
        this.#downloads.offered(peer);
        break;
      case 'want':
        this.#uploads.wants(peer, message.starving);
        break;
      case 'grant':
        this.#downloads.granted(peer, message.piece, message.now);
        break;
      case 'decline':
        this.#uploads.declined(peer, message.piece, message.busy);
        break;
      case 'request':
        this.#uploads.requested(peer, message.piece);
        break;
      case 'cancel':
        this.#uploads.cancelled(peer, message.piece);
        break;
      case 'refuse':
        this.#downloads.refused(peer, message.piece, message.lost);
        break;
    }
  }

  #introduced(peer: Peer, { count, have }: Extract<SwarmMessage, { type: 'pieces' }>): void {
    if (peer.have !== undefined || count !== this.#state.pieces.count) throw new PeerFault('bad-message');
    const bits = Bitfield.read(have, count);
    if (bits === undefined) throw new PeerFault('bad-message');
    this.#state.learnAll(peer, bits);
  }

  #written(piece: number, ok: boolean): void {
    if (!this.#state.writing.has(piece)) return;
    this.#downloads.written(piece, ok);
    if (!ok) return;
    this.#uploads.gained(piece);
    const { isDone } = this;
    for (const peer of this.#state.peers.values()) {
      this.#state.send(peer, isDone ? { type: 'done' } : { type: 'have', piece });
    }
    if (isDone) this.#state.do({ type: 'done' });
  }

  #sent(peer: Peer, piece: number, ok: boolean): void {
    const wasSending = peer.sending.has(piece);
    this.#uploads.sent(peer, piece, ok);
    if (ok || !wasSending || !this.#state.have.has(piece)) return;
    this.#state.lose(piece);
    this.#downloads.lost(piece);
  }

  #time(): void {
    for (const peer of this.#downloads.time()) this.#drop(peer, new PeerFault('timeouts', false));
    this.#uploads.time();
  }

  #drop(peer: Peer, { reason, forGood }: PeerFault): void {
    this.#forget(peer);
    if (forGood) this.#state.ban(peer.id);
    this.#state.do({ type: 'drop', peer: peer.id, reason, forGood });
  }

  #forget(peer: Peer): void {
    this.#uploads.gone(peer);
    // Before its requests go to others, lest one of them goes to it again.
    this.#state.removePeer(peer);
    this.#downloads.gone(peer);
    this.#uploads.afterGone(peer);
  }
}
