/**
 * The exchange of one manifest with its peers: the machine of `swarm/` with connections, a disk and a clock around it
 * (docs/MANIFESTS.md). First the head, then pieces and keys; it gives what it has from the moment it has it.
 */
import type { Carried } from '../manifests/carried.ts';
import type { SwarmEffect, SwarmEvent } from '../swarm/events.ts';
import { swarmLimits } from '../swarm/limits.ts';
import { SwarmMachine } from '../swarm/machine.ts';
import type { SwarmMessage } from '../swarm/messages.ts';
import { DiskHold } from './disk-hold.ts';
import { Ear } from './ear.ts';
import { type ExchangeOptions, type PeerDropReason, swarmOf } from './exchange-options.ts';
import { HeadTransfer } from './head-transfer.ts';
import { IncomingPieces } from './incoming-pieces.ts';
import { KeyTransfer } from './key-transfer.ts';
import { type PeerLimits, peerLimits } from './limits.ts';
import { type AdmittedPeer, isReplacedBy, type Link, linkTo, whyOver } from './link.ts';
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
  readonly #incoming: IncomingPieces;
  readonly #traffic: PieceTraffic;
  readonly #ear: Ear;
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
    this.#incoming = new IncomingPieces({
      ...{ memory: options.lines.down.memory, timers: options.timers, limits: this.limits, swarm: this.swarm },
      bytesOf: (piece) => this.#carried?.pieces.bytesOf(piece) ?? 0,
      roomCame: () => this.#handle({ type: 'room' }),
    });
    this.#ear = new Ear({
      ...{ ...around, heads: this.#heads, keys: this.#keys, incoming: this.#incoming },
      machine: () => this.#machine,
      handle: (event, arrived) => this.#handle(event, arrived),
      ask: () => this.#ask(),
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
      ...this.#ear.of(link),
      closed: (why) => this.#left(link, why),
    };
    if (this.#machine !== undefined) this.#introduce(link);
    this.#ask();
  }

  get swarm(): string {
    return swarmOf(this.#options.name);
  }

  /** To be called every `swarmTimes.tickMs`. */
  tick(): void {
    if (this.#links.size === 0 || this.#isClosed) return;
    this.#incoming.tick();
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
    this.#incoming.close();
    this.#heads.close();
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
    const { pieces } = carried;
    const mayAsk = (): boolean => this.#incoming.mayAsk(pieces.largest);
    this.#machine = new SwarmMachine({ pieces, have: carried.have(), random, mayAsk });
    for (const link of this.links) this.#introduce(link);
    this.#checkWhole();
    this.#ask();
  }

  /** What came or went by another way than by peers is not in the machine's books: begun anew, with new connections. */
  #look(carried: Carried | undefined): void {
    const known = this.#carried;
    if (known !== undefined && (carried !== known || !this.#isAsInBooks(carried))) {
      if (this.#traffic.isWriting && carried === known) return;
      // First of all: none of these is asked for a head, which it may have given already.
      for (const { connection } of this.links) connection.close('the manifest has changed on the disk');
      this.#carried = undefined;
      this.#machine = undefined;
      // What was told is not told again; where its user gave a part, who gave the rest counts still.
      if (this.#isTaken || carried !== known) this.#from.clear();
      this.#isTaken = false;
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

  /** @returns true where the piece that has arrived is being written */
  #handle(event: WithoutTime<SwarmEvent>, arrived?: ArrivedPiece): boolean {
    const effects = this.#machine?.handle({ ...event, atMs: this.#options.timers.now() } as SwarmEvent) ?? [];
    for (const effect of effects) this.#do(effect, arrived);
    return effects.some(({ type }) => type === 'write');
  }

  #do(effect: SwarmEffect, arrived: ArrivedPiece | undefined): void {
    if (effect.type === 'write') void (arrived && this.#traffic.write(effect.piece, arrived));
    else if (effect.type === 'done') {
      this.#incoming.rest();
      this.#checkWhole();
    } else {
      const link = this.#links.get(effect.peer);
      if (link === undefined) return;
      if (effect.type === 'send') this.#say(link, effect.message);
      else if (effect.type === 'drop') this.drop(link, effect.reason, effect.forGood);
      else this.#traffic.queue(this.swarm, link, effect.piece);
    }
  }

  #say(link: Link, message: SwarmMessage): void {
    if (message.type === 'request') this.#incoming.asked(link, message.piece);
    else if (message.type === 'cancel') this.#incoming.over(link, message.piece);
    link.connection.send(message);
  }

  #ask(): void {
    if (this.#isClosed) return;
    const [carried, mayAsk] = [this.#carried, this.#options.held().length > 0 && !this.#disk.isHeldUp];
    if (mayAsk && carried === undefined) this.#heads.ask();
    else this.#heads.idle();
    if (mayAsk && carried !== undefined) this.#keys.ask(carried);
  }

  #left(link: Link, why: string): void {
    const { lines, events } = this.#options;
    if (this.#links.get(link.provider) !== link) return;
    this.#links.delete(link.provider);
    this.#incoming.left(link);
    lines.up.forget(this.swarm, link.provider);
    lines.down.forget(this.swarm, link.provider);
    if (link.isIntroduced) this.#handle({ type: 'gone', peer: link.provider });
    if (this.#links.size === 0) this.#heads.rest();
    events.left(link, why);
    this.#ask();
  }

  #endIdle(link: Link): void {
    const isIdle = !this.lacks && this.#machine?.hasAll(link.provider) === true;
    const why = whyOver(link, { isIdle, nowMs: this.#options.timers.now(), limits: this.limits });
    if (why !== undefined) link.connection.close(why);
  }

  #count(provider: string, pieces: number): void {
    if (!this.#from.has(provider)) this.#note(provider);
    this.#from.set(provider, (this.#from.get(provider) ?? 0) + pieces);
  }

  /** So that it is known after a restart too. */
  #note(provider: string): void {
    try {
      this.#options.store.cameFrom(this.#options.name, provider);
    } catch (error) {
      this.#disk.fails(error);
    }
  }

  #checkWhole(): void {
    if (this.#isTaken || this.lacks || this.#from.size === 0 || this.#options.held().length === 0) return;
    this.#isTaken = true;
    this.#options.events.taken(new Map(this.#from));
  }
}
