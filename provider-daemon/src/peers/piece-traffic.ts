/** Pieces between disk and line: what came is written, what is to go waits for its turn and is read then. */
import type { SwarmEvent } from '../swarm/events.ts';
import type { TransferOptions } from './head-transfer.ts';
import type { Link } from './link.ts';
import type { GiveBack } from './memory-budget.ts';

/** A piece that was verified, and who gave it. */
export interface ArrivedPiece {
  readonly from: string;
  readonly bytes: Uint8Array;
  /** Of its memory, when it is on the disk. */
  readonly giveBack: GiveBack;
}

export type WithoutTime<Event> = Event extends SwarmEvent ? Omit<Event, 'atMs'> : never;

export interface PieceTrafficOptions extends TransferOptions {
  /** The machine's, to know it again: what was begun for one is nothing to the next. */
  readonly machine: () => object | undefined;
  readonly handle: (event: WithoutTime<SwarmEvent>) => unknown;
  /** A piece of a peer's is on the disk. */
  readonly wrote: (from: string) => void;
}

export class PieceTraffic {
  readonly #of: PieceTrafficOptions;
  #writing = 0;

  constructor(of: PieceTrafficOptions) {
    this.#of = of;
  }

  /** A piece is on its way to the disk. */
  get isWriting(): boolean {
    return this.#writing > 0;
  }

  /** What cannot be written is asked for again. */
  async write(piece: number, arrived: ArrivedPiece): Promise<void> {
    const { machine, carried, isHeldUp, onDisk, handle, wrote } = this.#of;
    const begunFor = machine();
    let ok = false;
    this.#writing += 1;
    try {
      if (isHeldUp()) await Promise.resolve();
      else {
        await carried()?.write(piece, arrived.bytes);
        ok = true;
      }
    } catch (error) {
      onDisk(error);
    }
    this.#writing -= 1;
    arrived.giveBack();
    if (machine() !== begunFor) return;
    if (ok) wrote(arrived.from);
    handle({ type: 'written', piece, ok });
  }

  /** Sends a piece when its turn has come and there is memory for it: what waits is not in memory. */
  queue(swarm: string, link: Link, piece: number): void {
    const { options, carried, drop } = this.#of;
    const bytes = carried()?.pieces.bytesOf(piece) ?? 0;
    const use = { swarm, peer: link.provider, bytes };
    const { up } = options.lines;
    const read = (): void => {
      up.memory.use(use, (giveBack) => void this.#send(link, piece, giveBack));
    };
    if (!up.use(use, read)) drop(link, 'flood', false);
  }

  async #send(link: Link, piece: number, giveBack: GiveBack): Promise<void> {
    const { options, machine, carried, links, handle } = this.#of;
    const begunFor = machine();
    const read = await carried()
      ?.read(piece)
      .catch(() => undefined);
    const isOver = (): boolean => machine() !== begunFor || links.get(link.provider) !== link;
    if (read === undefined || isOver()) giveBack();
    if (isOver()) return;
    if (read === undefined) {
      options.events.trouble(`piece ${piece} cannot be read any more, it is asked of others`);
      handle({ type: 'sent', peer: link.provider, piece, ok: false });
      return;
    }
    const { aunts, bytes } = read;
    link.connection.sendBulk({ type: 'piece', piece, aunts, bytes }, (isTaken) => {
      giveBack();
      if (!isTaken || isOver()) return;
      options.events.moved('sent', bytes.length);
      handle({ type: 'sent', peer: link.provider, piece, ok: true });
    });
  }
}
