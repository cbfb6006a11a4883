/** A machine under test: what it is told, and what it wants done. */
import { Bitfield } from '../../src/swarm/bitfield.ts';
import type { SwarmEffect, SwarmEvent } from '../../src/swarm/events.ts';
import { SwarmMachine } from '../../src/swarm/machine.ts';
import type { SwarmMessage } from '../../src/swarm/messages.ts';
import { PieceList } from '../../src/swarm/piece-list.ts';

export const pieceBytes = 1_000;

/** The pieces, as a bitfield. */
export function bits(count: number, ...pieces: readonly number[]): Bitfield {
  const result = new Bitfield(count);
  for (const piece of pieces) result.add(piece);
  return result;
}

export class Harness {
  readonly count: number;
  readonly machine: SwarmMachine;
  nowMs = 1_000;
  /** all that was wanted done since the last `takeLog` */
  #log: SwarmEffect[] = [];

  /** @param random the first of all that is possible, unless given */
  constructor(
    count: number,
    have: readonly number[],
    random: (end: number) => number = () => 0,
    mayAsk: () => boolean = () => true,
  ) {
    this.count = count;
    const pieces = new PieceList([{ size: count * pieceBytes, pieceSize: pieceBytes }]);
    this.machine = new SwarmMachine({ pieces, have: bits(count, ...have), random, mayAsk });
  }

  /** A peer comes and says what it has. @returns what is wanted done then */
  peer(id: string, ...have: readonly number[]): SwarmEffect[] {
    const first = this.handle({ type: 'came', peer: id });
    const message = { type: 'pieces', count: this.count, have: bits(this.count, ...have).toBytes() } as const;
    return [...first, ...this.hear(id, message)];
  }

  handle(event: SwarmEvent extends infer One ? (One extends SwarmEvent ? Omit<One, 'atMs'> : never) : never) {
    const effects = this.machine.handle({ ...event, atMs: this.nowMs } as SwarmEvent);
    this.#log.push(...effects);
    return effects;
  }

  /** All that was wanted done since this was asked the last time. */
  takeLog(): SwarmEffect[] {
    const log = this.#log;
    this.#log = [];
    return log;
  }

  hear(peer: string, message: SwarmMessage): SwarmEffect[] {
    return this.handle({ type: 'message', peer, message });
  }

  /** Leave to ask for any piece, or this one. */
  grant(peer: string, piece?: number, now = true): SwarmEffect[] {
    return this.hear(peer, { type: 'grant', piece, now });
  }

  request(peer: string, piece: number): SwarmEffect[] {
    return this.hear(peer, { type: 'request', piece });
  }

  arrive(peer: string, piece: number, verified = true): SwarmEffect[] {
    return this.handle({ type: 'arrived', peer, piece, verified });
  }

  /** A verified piece that is written at once. */
  take(peer: string, piece: number): SwarmEffect[] {
    return [...this.arrive(peer, piece), ...this.handle({ type: 'written', piece, ok: true })];
  }

  sent(peer: string, piece: number, ok = true): SwarmEffect[] {
    return this.handle({ type: 'sent', peer, piece, ok });
  }

  /** Lets time pass, with one event at its end. */
  pass(ms: number): SwarmEffect[] {
    this.nowMs += ms;
    return this.handle({ type: 'time' });
  }
}

/** The messages among effects, with their receivers. */
export function said(effects: readonly SwarmEffect[]): (SwarmMessage & { readonly to: string })[] {
  return effects.flatMap((effect) => (effect.type === 'send' ? [{ ...effect.message, to: effect.peer }] : []));
}

/** Those of one kind. */
export function saidOf<Kind extends SwarmMessage['type']>(effects: readonly SwarmEffect[], kind: Kind) {
  return said(effects).filter((one): one is Extract<SwarmMessage, { type: Kind }> & { readonly to: string } => {
    return one.type === kind;
  });
}

/** The effects that are no messages. */
export function done(effects: readonly SwarmEffect[]): SwarmEffect[] {
  return effects.filter(({ type }) => type !== 'send');
}
