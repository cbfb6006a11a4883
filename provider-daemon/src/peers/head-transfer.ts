/** The head of a manifest among peers: asked of one at a time, checked against the chain, sent once a connection. */
import { ManifestError } from '@mu/client/manifest/errors';
import type { Carried } from '../manifests/carried.ts';
import { wireLimits } from '../swarm/wire.ts';
import { type ExchangeOptions, type PeerDropReason, swarmOf } from './exchange-options.ts';
import type { PeerLimits } from './limits.ts';
import type { Link } from './link.ts';
import { type GiveBack, RoomTurn } from './memory-budget.ts';

/** What a transfer knows of the exchange that it is a part of. */
export interface TransferOptions {
  readonly options: ExchangeOptions;
  readonly limits: PeerLimits;
  readonly links: ReadonlyMap<string, Link>;
  readonly carried: () => Carried | undefined;
  /** The disk takes nothing now. */
  readonly isHeldUp: () => boolean;
  readonly drop: (link: Link, reason: PeerDropReason, forGood: boolean) => void;
  /** Something of ours failed that is no peer's fault. */
  readonly onDisk: (error: unknown) => void;
  /** A peer has given something. */
  readonly cameFrom: (link: Link) => void;
}

export class HeadTransfer {
  readonly #of: TransferOptions & { readonly begin: (carried: Carried) => void };
  #isAdopting = false;
  readonly #turn: RoomTurn;
  /** Of the memory of a head that is asked for, or being kept. */
  #giveBack: GiveBack | undefined;

  constructor(of: TransferOptions & { readonly begin: (carried: Carried) => void }) {
    this.#of = of;
    const { timers, lines, name } = of.options;
    // The next tick asks.
    const came = (): void => {};
    const { memory } = lines.down;
    this.#turn = new RoomTurn({ memory, timers, swarm: swarmOf(name), turnMs: of.limits.turnMs, came });
  }

  /** Asks one of those that may have it, where none is being asked; who does not answer in time is dropped. */
  ask(): void {
    const { options, links } = this.#of;
    if (this.#isAdopting || this.#isAsking()) return;
    const list = [...links.values()].filter(({ isHeadless }) => !isHeadless);
    const link = list[options.random(Math.max(1, list.length))];
    if (link === undefined) this.rest();
    if (link === undefined || !this.#hasRoom()) return;
    link.headAskedMs = options.timers.now();
    link.connection.send({ type: 'get-head' });
  }

  /** A peer wants it. */
  asked(link: Link): void {
    const { options, limits, carried, drop } = this.#of;
    if (link.role !== 'receive') drop(link, 'unasked', true);
    else if (carried() === undefined) {
      link.emptyHeads += 1;
      if (link.emptyHeads > limits.emptyHeads) drop(link, 'repeats', true);
      else link.connection.send({ type: 'head', bytes: new Uint8Array() });
    } else if (link.isHeadSent) drop(link, 'repeats', true);
    else {
      link.isHeadSent = true;
      const bytes = (carried() as Carried).manifest.headBytes;
      const use = { swarm: swarmOf(options.name), peer: link.provider, bytes: bytes.length };
      const { up } = options.lines;
      const send = (giveBack: GiveBack): void => link.connection.sendBulk({ type: 'head', bytes }, giveBack);
      if (!up.use(use, () => void up.memory.use(use, send))) drop(link, 'flood', false);
    }
  }

  /** None is to be asked now. Who was asked is waited for as long as ever: what it sends is kept in memory. */
  idle(): void {
    if (!this.#isAsking()) this.rest();
  }

  /** Nobody can be asked. */
  rest(): void {
    // What is being kept is in memory still.
    if (this.#isAdopting) return;
    this.#turn.rest();
    this.#giveBack?.();
    this.#giveBack = undefined;
  }

  close(): void {
    this.#turn.close();
    this.rest();
  }

  /** It came, or the peer has none. */
  async came(link: Link, bytes: Uint8Array): Promise<void> {
    const { options, drop, onDisk, cameFrom, begin, carried } = this.#of;
    link.headAskedMs = undefined;
    if (bytes.length === 0) {
      link.isHeadless = link.early === undefined;
      // One that has told of pieces has a head.
      if (!link.isHeadless) drop(link, 'bad-message', true);
      else this.ask();
      return;
    }
    // The lease that it was asked for may have ended meanwhile.
    if (this.#isAdopting) return;
    if (carried() !== undefined || options.held().length === 0) {
      this.rest();
      return;
    }
    this.#isAdopting = true;
    try {
      const adopted = await options.store.adopt(options.name, bytes);
      cameFrom(link);
      begin(adopted);
    } catch (error) {
      if (error instanceof ManifestError) drop(link, 'false-head', true);
      else {
        onDisk(error);
        // It sends its head once a connection.
        link.connection.close('the head cannot be kept now');
      }
    } finally {
      this.#isAdopting = false;
      this.rest();
    }
    this.#resume();
  }

  /** Whether one is being asked; who does not answer in time is dropped. */
  #isAsking(): boolean {
    const { options, limits, links, drop } = this.#of;
    const asked = [...links.values()].filter(({ headAskedMs }) => headAskedMs !== undefined);
    for (const link of asked) {
      if (options.timers.now() - (link.headAskedMs as number) < limits.headMs) continue;
      link.headAskedMs = undefined;
      drop(link, 'silent', false);
    }
    // Another one may have been asked in its place.
    return [...links.values()].some(({ headAskedMs }) => headAskedMs !== undefined);
  }

  #hasRoom(): boolean {
    if (this.#giveBack === undefined && this.#turn.may(wireLimits.head)) {
      this.#giveBack = this.#turn.take(wireLimits.head);
    }
    return this.#giveBack !== undefined;
  }

  #resume(): void {
    if (this.#of.carried() === undefined && !this.#of.isHeldUp()) this.ask();
  }
}
