/**
 * The memory of pieces that are asked for, come, and are written: taken before a piece is asked for, given back when it is on
 * the disk or will not come. Where there is none nothing is asked for, and no peer is blamed.
 */
import type { Timers } from '../overlay/timers.ts';
import type { PeerLimits } from './limits.ts';
import type { Link } from './link.ts';
import { type GiveBack, type MemoryBudget, RoomTurn } from './memory-budget.ts';

export interface IncomingPiecesOptions {
  readonly memory: MemoryBudget;
  readonly timers: Timers;
  readonly limits: Pick<PeerLimits, 'turnMs' | 'slowPieceMs'>;
  readonly swarm: string;
  /** Bytes of a piece. */
  readonly bytesOf: (piece: number) => number;
  /** One more may be asked for. */
  readonly roomCame: () => void;
}

interface OfLink {
  /** By piece: asked for, or coming. */
  readonly held: Map<number, GiveBack>;
  /** The piece whose first bytes have come. */
  reading: { readonly piece: number; readonly sinceMs: number } | undefined;
}

export class IncomingPieces {
  readonly #of: IncomingPiecesOptions;
  readonly #turn: RoomTurn;
  readonly #links = new Map<Link, OfLink>();

  constructor(of: IncomingPiecesOptions) {
    this.#of = of;
    const { memory, timers, limits, swarm, roomCame } = of;
    this.#turn = new RoomTurn({ memory, timers, swarm, turnMs: limits.turnMs, came: roomCame });
  }

  /** Whether a piece of so many bytes may be asked for; where not, `roomCame` is told when one may. */
  mayAsk(bytes: number): boolean {
    return this.#turn.may(bytes);
  }

  /** A piece is asked for, after `mayAsk`. */
  asked(link: Link, piece: number): void {
    this.#hold(link, piece, this.#turn.take(this.#of.bytesOf(piece)));
  }

  /** An answer is not waited for any more. One that is coming already is in memory until it has come. */
  over(link: Link, piece: number): void {
    if (this.#links.get(link)?.reading?.piece !== piece) this.#take(link, piece)?.();
  }

  /** The first bytes of a piece. @returns false where there is no room for one that was taken back */
  begun(link: Link, piece: number): boolean {
    const { memory, swarm, timers, bytesOf } = this.#of;
    if (this.#links.get(link)?.held.has(piece) !== true) {
      const giveBack = memory.take({ swarm, bytes: bytesOf(piece) });
      if (giveBack === undefined) return false;
      this.#hold(link, piece, giveBack);
    }
    this.#ofLink(link).reading = { piece, sinceMs: timers.now() };
    return true;
  }

  /** A piece has come, or was read past. @returns what its memory is given back by, undefined where it has none */
  came(link: Link, piece: number): GiveBack | undefined {
    const own = this.#links.get(link);
    if (own?.reading?.piece === piece) own.reading = undefined;
    return this.#take(link, piece);
  }

  left(link: Link): void {
    const own = this.#links.get(link);
    this.#links.delete(link);
    for (const giveBack of own?.held.values() ?? []) giveBack();
  }

  /** While others wait, what comes too slowly is read past from here on; it is asked for again. */
  tick(): void {
    const { memory, timers, limits } = this.#of;
    for (const [link, { reading }] of [...this.#links]) {
      // No more than it takes: of many that share a slow line the others come whole.
      if (!memory.isWanted) return;
      if (reading === undefined || timers.now() - reading.sinceMs < limits.slowPieceMs) continue;
      link.connection.letGo();
      this.came(link, reading.piece)?.();
    }
  }

  /** All are here: none is asked for. */
  rest(): void {
    this.#turn.rest();
  }

  close(): void {
    this.#turn.close();
    for (const link of [...this.#links.keys()]) this.left(link);
  }

  #ofLink(link: Link): OfLink {
    const own = this.#links.get(link) ?? { held: new Map(), reading: undefined };
    this.#links.set(link, own);
    return own;
  }

  #hold(link: Link, piece: number, giveBack: GiveBack | undefined): void {
    const { held } = this.#ofLink(link);
    if (giveBack === undefined) return;
    // Asked for again while it comes: its room is taken already.
    if (held.has(piece)) giveBack();
    else held.set(piece, giveBack);
  }

  #take(link: Link, piece: number): GiveBack | undefined {
    const held = this.#links.get(link)?.held;
    const giveBack = held?.get(piece);
    held?.delete(piece);
    return giveBack;
  }
}
