/**
 * Memory for pieces and heads on their way, in one direction: one bound over all manifests and connections of a daemon. What
 * finds no room waits; manifests take turns, one thing each, so that who has much to move keeps nobody from moving little.
 */
import type { Timers } from '../overlay/timers.ts';

/** Gives room back; a second call does nothing. */
export type GiveBack = () => void;

export interface MemoryUse {
  readonly swarm: string;
  /** Undefined for what is no peer's yet. */
  readonly peer?: string;
  readonly bytes: number;
}

export interface MemoryLimits {
  /** Bytes in all. */
  readonly most: number;
  /** Bytes of each peer over all manifests: those who take slowly do not hold all of it. */
  readonly mostOfPeer: number;
}

interface Waiting {
  readonly use: MemoryUse;
  readonly go: (giveBack: GiveBack) => void;
}

export class MemoryBudget {
  readonly #limits: MemoryLimits;
  readonly #ofPeers = new Map<string, number>();
  /** By manifest, in the order of their turns; none is empty. */
  readonly #lanes = new Map<string, Waiting[]>();
  #taken = 0;
  #peak = 0;
  #isServing = false;

  constructor(limits: MemoryLimits) {
    this.#limits = limits;
  }

  /** Bytes that are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** The most bytes that were taken at a time. */
  get peak(): number {
    return this.#peak;
  }

  /** Somebody waits. */
  get isWanted(): boolean {
    return this.#lanes.size > 0;
  }

  /** Whether it would find room at once: there is some, and nobody waits for it. */
  mayTake(use: MemoryUse): boolean {
    return !this.isWanted && this.#fits(use) && this.#fitsPeer(use);
  }

  /** @returns undefined where it would have to wait */
  take(use: MemoryUse): GiveBack | undefined {
    return this.mayTake(use) ? this.#give(use) : undefined;
  }

  /**
   * Runs it when its turn has come and there is room, at once where that is now. It must not throw.
   * @returns takes it back where it waits still
   */
  use(use: MemoryUse, go: (giveBack: GiveBack) => void): () => void {
    const waiting = { use, go };
    const lane = this.#lanes.get(use.swarm) ?? [];
    lane.push(waiting);
    this.#lanes.set(use.swarm, lane);
    this.#serve();
    return () => this.#keep(use.swarm, (one) => one !== waiting);
  }

  /** What waits of a manifest, or of a peer in it, is not to be done any more. What it holds is given back by who holds it. */
  forget(swarm: string, peer?: string): void {
    this.#keep(swarm, ({ use }) => peer !== undefined && use.peer !== peer);
  }

  /** Of what waits of a manifest. */
  #keep(swarm: string, isKept: (waiting: Waiting) => boolean): void {
    const left = (this.#lanes.get(swarm) ?? []).filter(isKept);
    if (left.length === 0) this.#lanes.delete(swarm);
    else this.#lanes.set(swarm, left);
    this.#serve();
  }

  /** What is served may take or give back more: that is seen to here, and not within it. */
  #serve(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) next.go(this.#give(next.use));
    } finally {
      this.#isServing = false;
    }
  }

  /** Strictly in turn: a small thing does not pass a large one. Who waits for a peer's own bytes alone holds up nobody. */
  #next(): Waiting | undefined {
    for (const [swarm, lane] of this.#lanes) {
      const at = lane.findIndex(({ use }) => this.#fitsPeer(use));
      const waiting = lane[at];
      if (waiting === undefined) continue;
      if (!this.#fits(waiting.use)) return undefined;
      lane.splice(at, 1);
      this.#lanes.delete(swarm);
      if (lane.length > 0) this.#lanes.set(swarm, lane);
      return waiting;
    }
    return undefined;
  }

  /** What is larger than all goes alone. */
  #fits({ bytes }: MemoryUse): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#limits.most;
  }

  #fitsPeer({ peer, bytes }: MemoryUse): boolean {
    const taken = peer === undefined ? 0 : (this.#ofPeers.get(peer) ?? 0);
    return taken === 0 || taken + bytes <= this.#limits.mostOfPeer;
  }

  #give({ peer, bytes }: MemoryUse): GiveBack {
    let isHeld = true;
    this.#count(peer, bytes);
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#count(peer, -bytes);
      this.#serve();
    };
  }

  #count(peer: string | undefined, bytes: number): void {
    this.#taken += bytes;
    this.#peak = Math.max(this.#peak, this.#taken);
    if (peer === undefined) return;
    const ofPeer = (this.#ofPeers.get(peer) ?? 0) + bytes;
    if (ofPeer === 0) this.#ofPeers.delete(peer);
    else this.#ofPeers.set(peer, ofPeer);
  }
}

export interface RoomTurnOptions {
  readonly memory: MemoryBudget;
  readonly timers: Timers;
  readonly swarm: string;
  /** A turn that nobody uses goes on to the next after so long. */
  readonly turnMs: number;
  /** There is room now. Told beside what made it, never within it. */
  readonly came: () => void;
}

/** A manifest's turn for one more thing: what cannot be begun now is not waited for, it is told of when it can be. */
export class RoomTurn {
  readonly #of: RoomTurnOptions;
  /** Takes back what waits. */
  #waiting: (() => void) | undefined;
  #isClosed = false;
  #held: { readonly giveBack: GiveBack; readonly stop: () => void } | undefined;

  constructor(of: RoomTurnOptions) {
    this.#of = of;
  }

  /** Whether `take` has room to give; where not, it is told of when it has. */
  may(bytes: number): boolean {
    const { memory, swarm } = this.#of;
    if (this.#isClosed) return false;
    if (this.#held !== undefined || memory.mayTake({ swarm, bytes })) return true;
    if (this.#waiting !== undefined) return false;
    const takeBack = memory.use({ swarm, bytes }, (giveBack) => this.#came(giveBack));
    const isHeld = this.#isHeld();
    if (!isHeld) this.#waiting = takeBack;
    return isHeld;
  }

  /** @returns undefined where there is none now */
  take(bytes: number): GiveBack | undefined {
    const { memory, swarm } = this.#of;
    const held = this.#held;
    if (held === undefined) return this.#isClosed ? undefined : memory.take({ swarm, bytes });
    this.#held = undefined;
    held.stop();
    return held.giveBack;
  }

  /** Nothing more is to be begun now. */
  rest(): void {
    this.#waiting?.();
    this.#waiting = undefined;
    this.#drop();
  }

  close(): void {
    this.#isClosed = true;
    this.rest();
  }

  #isHeld(): boolean {
    return this.#held !== undefined;
  }

  #came(giveBack: GiveBack): void {
    const { timers, turnMs, came } = this.#of;
    this.#waiting = undefined;
    this.#held = { giveBack, stop: timers.after(turnMs, () => this.#drop()) };
    queueMicrotask(() => {
      if (this.#held !== undefined) came();
    });
  }

  #drop(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.stop();
    held?.giveBack();
  }
}
