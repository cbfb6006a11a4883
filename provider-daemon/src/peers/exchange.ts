/**
 * The exchange of one manifest with its peers: the machine of `swarm/` with connections, a disk and a clock around it
 * (docs/MANIFESTS.md). First the head, then pieces and keys; it gives what it has from the moment it has it.
 */
import type { Carried } from '../manifests/carried.ts';
import type { SwarmEffect, SwarmEvent } from '../swarm/events.ts';
import { swarmLimits } from '../swarm/limits.ts';
import { SwarmMachine } from '../swarm/machine.ts';
import type { Verdict } from '../swarm/message-reader.ts';
import type { SwarmMessage, WireMessage } from '../swarm/messages.ts';
import { DiskHold } from './disk-hold.ts';
import type { ExchangeOptions, PeerDropReason, TakenFrom } from './exchange-options.ts';
import { HeadTransfer } from './head-transfer.ts';
import { KeyTransfer } from './key-transfer.ts';
import { type PeerLimits, peerLimits } from './limits.ts';
import { type AdmittedPeer, isReplacedBy, isWithinBounds, keepEarly, type Link, linkTo, whyOver } from './link.ts';
import { type ArrivedPiece, PieceTraffic, type WithoutTime } from './piece-traffic.ts';
import { missingKeys } from './section-keys.ts';

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly limits: PeerLimits;
  readonly #links = new Map<string, Link>();
  readonly #banned = new Set<string>();
  readonly #disk: DiskHold;
  readonly #heads: HeadTransfer;
  readonly #keys: KeyTransfer;
  readonly #traffic: PieceTraffic;
  readonly #from = new Map<string, number>();
  #carried: Carried | undefined;
  #machine: SwarmMachine | undefined;
  #isTaken = false;
  #isLoading = false;
  #isClosed = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.limits = { ...peerLimits, ...options.limits };
    this.#disk = new DiskHold(options, this.limits.diskMs);
    const around = {
      ...{ options, limits: this.limits, links: this.#links },
      carried: () => this.#carried,
      isHeldUp: () => this.#disk.isHeldUp,
      drop: (link: Link, reason: PeerDropReason, forGood: boolean) => this.drop(link, reason, forGood),
      onDisk: (error: unknown) => this.#disk.fails(error),
      cameFrom: (link: Link) => this.#count(link.provider, 0),
    };
    this.#heads = new HeadTransfer({ ...around, begin: (carried) => this.#begin(carried) });
    this.#keys = new KeyTransfer({ ...around, came: () => this.#checkWhole() });
    this.#traffic = new PieceTraffic({
      ...around,
      machine: () => (this.#isClosed ? undefined : this.#machine),
      handle: (event) => this.#handle(event),
      wrote: (from) => this.#count(from, 1),
    });
  }

  get name(): ExchangeOptions['name'] {
    return this.#options.name;
  }

  get links(): readonly Link[] {
    return [...this.#links.values()];
  }

  /** Something of the manifest that may be had here is missing. */
  get lacks(): boolean {
    const held = this.#options.held();
    if (held.length === 0) return false;
    if (this.#carried === undefined || this.#machine === undefined) return true;
    return !this.#machine.isDone || missingKeys(this.#carried, held).length > 0;
  }

  /** From whom it came, so far. */
  get from(): TakenFrom {
    return this.#from;
  }

  /** Not to be dialled, nor to be let in: it was dropped for good. */
  isBanned(provider: string): boolean {
    return this.#banned.has(provider);
  }

  linked(provider: string): Link | undefined {
    return this.#links.get(provider);
  }

  /**
   * Takes up what the disk has: in the beginning, where its user has handed over what no peer gave, and where what was here
   * has been erased since.
   */
  async load(): Promise<void> {
    if (this.#isLoading || this.#isClosed) return;
    this.#isLoading = true;
    try {
      this.#look(await this.#options.store.carried(this.#options.name));
    } catch (error) {
      this.#disk.fails(error);
    } finally {
      this.#isLoading = false;
    }
  }

  /** A peer that was admitted, after both hellos. Its connection is closed where it is one too many. */
  add(peer: AdmittedPeer): void {
    const { timers, own, lines } = this.#options;
    const nowMs = timers.now();
    const old = this.#links.get(peer.provider);
    const of = { own, nowMs, atOnceMs: this.limits.atOnceMs };
    const refusal = this.#refusalOf(peer, old !== undefined && !isReplacedBy(old, peer, of));
    if (refusal !== undefined) {
      peer.connection.close(refusal);
      return;
    }
    old?.connection.close('a newer connection has taken its place');
    const link = linkTo(peer, nowMs);
    this.#links.set(peer.provider, link);
    const { swarm } = this;
    peer.connection.paceReads = (bytes, next) => lines.down.use({ swarm, peer: peer.provider, bytes }, next);
    peer.connection.handler = {
      begun: (type, piece) => this.#begun(link, type, piece),
      message: (message) => this.#heard(link, message),
      skipped: (type, piece) => this.#skipped(link, type, piece),
      closed: (why) => this.#left(link, why),
    };
    if (this.#machine !== undefined) this.#introduce(link);
    this.#ask();
  }

  /** Names the manifest where lines and figures tell several apart. */
  get swarm(): string {
    const { owner, dseq, revision } = this.#options.name;
    return `${owner}/${dseq}/${revision}`;
  }

  /** To be called every `swarmTimes.tickMs`. */
  tick(): void {
    if (this.#links.size === 0 || this.#isClosed) return;
    if (this.#machine !== undefined) this.#handle({ type: 'time' });
    for (const link of this.links) {
      link.connection.check();
      if (link.connection.isClosed) continue;
      if (this.#options.timers.now() >= link.notAfterMs) this.drop(link, 'not-admitted', false);
      else this.#endIdle(link);
    }
    this.#ask();
  }

  /** Ends the connection to a peer. @param forGood it is not spoken to again */
  drop(link: Link, reason: PeerDropReason, forGood: boolean): void {
    if (this.#links.get(link.provider) !== link) return;
    if (forGood) {
      const [oldest] = this.#banned;
      this.#banned.add(link.provider);
      if (this.#banned.size > this.limits.banned) this.#banned.delete(oldest as string);
    }
    this.#options.events.dropped(link, reason);
    link.connection.close(`dropped: ${reason}`);
  }

  close(): void {
    this.#isClosed = true;
    for (const { connection } of this.links) connection.close('the manifest is not exchanged any more');
    this.#options.lines.up.forget(this.swarm);
    this.#options.lines.down.forget(this.swarm);
  }

  #refusalOf({ provider }: AdmittedPeer, isSecond: boolean): string | undefined {
    if (this.#isClosed) return 'the manifest is not exchanged any more';
    if (this.#banned.has(provider)) return 'it was dropped before';
    if (isSecond) return 'a connection that was made at once with it stays';
    if (!this.#links.has(provider) && this.#links.size >= swarmLimits.peers) return 'too many peers';
    return undefined;
  }

  #begin(carried: Carried): void {
    if (this.#carried !== undefined || this.#isClosed) return;
    this.#carried = carried;
    const { random } = this.#options;
    this.#machine = new SwarmMachine({ pieces: carried.pieces, have: carried.have(), random });
    for (const link of this.links) this.#introduce(link);
    this.#checkWhole();
    this.#ask();
  }

  /** What came or went by another way than by peers is not in the machine's books: begun anew, with new connections. */
  #look(carried: Carried | undefined): void {
    const known = this.#carried;
    if (known !== undefined && (carried !== known || !this.#isAsInBooks(carried))) {
      if (this.#traffic.isWriting && carried === known) return;
      this.#carried = undefined;
      this.#machine = undefined;
      this.#isTaken = false;
      for (const { connection } of this.links) connection.close('the manifest has changed on the disk');
    }
    if (carried !== undefined && this.#carried === undefined) this.#begin(carried);
    else this.#checkWhole();
  }

  #isAsInBooks(carried: Carried): boolean {
    const [had, machine] = [carried.have(), this.#machine];
    return machine !== undefined && had.size === machine.had && [...had].every((piece) => machine.has(piece));
  }

  #introduce(link: Link): void {
    if (link.isIntroduced) return;
    link.isIntroduced = true;
    this.#handle({ type: 'came', peer: link.provider, receives: link.role === 'receive' });
    const { early } = link;
    link.early = undefined;
    if (early !== undefined) this.#handle({ type: 'message', peer: link.provider, message: early });
  }

  #begun(link: Link, type: WireMessage['type'], piece: number | undefined): Verdict {
    if (type === 'hello') return 'refuse';
    if (type === 'head') return link.headAskedMs === undefined ? 'refuse' : 'keep';
    if (type === 'keys') return link.areKeysDue ? 'keep' : 'refuse';
    if (type !== 'piece') return 'keep';
    if (this.#machine === undefined || piece === undefined) return 'refuse';
    if (this.#disk.isHeldUp || !this.#machine.expects(link.provider, piece)) return 'skip';
    this.#handle({ type: 'begun', peer: link.provider, piece });
    return 'keep';
  }

  #skipped(link: Link, type: WireMessage['type'], piece: number | undefined): void {
    // Nobody looked whether it is right: it counts as one that nobody asked for, or cannot be written now.
    if (type === 'piece' && piece !== undefined) {
      this.#handle({ type: 'arrived', peer: link.provider, piece, verified: true });
    }
  }

  #heard(link: Link, message: WireMessage): void {
    switch (message.type) {
      case 'hello':
        break;
      case 'get-head':
        this.#heads.asked(link);
        break;
      case 'head':
        void this.#heads.came(link, message.bytes);
        break;
      case 'get-keys':
        void this.#keys.asked(link);
        break;
      case 'keys':
        void this.#keys.answered(link, message.keys);
        break;
      case 'piece':
        this.#arrived(link, message);
        break;
      default:
        this.#swarmMessage(link, message);
    }
  }

  #swarmMessage(link: Link, message: SwarmMessage): void {
    // What the machine does not hear of it does not count either.
    if (!isWithinBounds(link, this.#options.timers.now())) this.drop(link, 'flood', true);
    else if (!link.isIntroduced) {
      if (!keepEarly(link, message)) this.drop(link, 'bad-message', true);
      else this.#ask();
    } else if (message.type === 'grant' && this.#options.held().length === 0) {
      link.connection.send({ type: 'decline', piece: message.piece, busy: false });
    } else if (message.type === 'grant' && this.#disk.isHeldUp) {
      link.connection.send({ type: 'decline', piece: message.piece, busy: true });
    } else this.#handle({ type: 'message', peer: link.provider, message });
  }

  #arrived(link: Link, { piece, aunts, bytes }: Extract<WireMessage, { type: 'piece' }>): void {
    const verified = this.#carried?.verify(piece, { bytes, aunts }) === true;
    if (verified) this.#options.events.moved('received', bytes.length);
    this.#handle({ type: 'arrived', peer: link.provider, piece, verified }, { from: link.provider, bytes });
  }

  #handle(event: WithoutTime<SwarmEvent>, arrived?: ArrivedPiece): void {
    const atMs = this.#options.timers.now();
    for (const effect of this.#machine?.handle({ ...event, atMs } as SwarmEvent) ?? []) this.#do(effect, arrived);
  }

  #do(effect: SwarmEffect, arrived: ArrivedPiece | undefined): void {
    if (effect.type === 'write') void this.#traffic.write(effect.piece, arrived);
    else if (effect.type === 'done') this.#checkWhole();
    else {
      const link = this.#links.get(effect.peer);
      if (link === undefined) return;
      if (effect.type === 'send') link.connection.send(effect.message);
      else if (effect.type === 'drop') this.drop(link, effect.reason, effect.forGood);
      else this.#traffic.queue(this.swarm, link, effect.piece);
    }
  }

  #ask(): void {
    if (this.#isClosed || this.#options.held().length === 0 || this.#disk.isHeldUp) return;
    if (this.#carried === undefined) this.#heads.ask();
    else this.#keys.ask(this.#carried);
  }

  #left(link: Link, why: string): void {
    const { lines, events } = this.#options;
    if (this.#links.get(link.provider) !== link) return;
    this.#links.delete(link.provider);
    lines.up.forget(this.swarm, link.provider);
    lines.down.forget(this.swarm, link.provider);
    if (link.isIntroduced) this.#handle({ type: 'gone', peer: link.provider });
    events.left(link, why);
    this.#ask();
  }

  #endIdle(link: Link): void {
    const isIdle = !this.lacks && this.#machine?.hasAll(link.provider) === true;
    const why = whyOver(link, { isIdle, nowMs: this.#options.timers.now(), limits: this.limits });
    if (why !== undefined) link.connection.close(why);
  }

  #count(provider: string, pieces: number): void {
    this.#from.set(provider, (this.#from.get(provider) ?? 0) + pieces);
  }

  #checkWhole(): void {
    if (this.#isTaken || this.lacks || this.#from.size === 0 || this.#options.held().length === 0) return;
    this.#isTaken = true;
    this.#options.events.taken(new Map(this.#from));
  }
}
