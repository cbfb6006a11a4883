/** Which deployments of the market the blocks of a run touch: all over it, and each order and lease as often at any size. */
import { firstHeight } from './terms.ts';

export interface Counts {
  /** blocks of all kinds of messages that are measured, if the market has enough for them */
  readonly blocks: number;
  /** of each kind in such a block */
  readonly each: number;
  /** blocks with nothing but matches, and matches in each */
  readonly matchBlocks: number;
  readonly matches: number;
  /** blocks with nothing but confirmations, and confirmations in each, so many in a message */
  readonly confirmBlocks: number;
  readonly confirmations: number;
  readonly batch: number;
  /** blocks with nothing at all */
  readonly idleBlocks: number;
}

export const fullCounts: Counts = {
  blocks: 15,
  each: 40,
  matchBlocks: 3,
  matches: 100,
  confirmBlocks: 3,
  confirmations: 10_000,
  batch: 500,
  idleBlocks: 25,
};

export class Plan {
  readonly size: number;
  readonly counts: Counts;
  /** blocks of all kinds, the first of which warms up */
  readonly mixedBlocks: number;
  readonly #stride: number;

  /** @throws Error when the market is too small for one measured block */
  constructor(size: number, counts: Counts) {
    const { blocks, each, matchBlocks, matches, batch } = counts;
    const room = Math.floor((size - Math.max(batch, matchBlocks * matches + each)) / (2 * each));
    if (room < 2) throw new Error(`a market of ${size} is too small for these blocks`);
    this.size = size;
    this.counts = counts;
    this.mixedBlocks = Math.min(blocks + 1, room);
    this.#stride = coprime(Math.floor(size * 0.618), size);
  }

  /** Height of the nth block after the genesis block. */
  heightOf(block: number): bigint {
    return firstHeight + 1n + BigInt(block);
  }

  /** Orders that are due, by deployment: at which height. */
  get due(): ReadonlyMap<number, bigint> {
    const due = new Map<number, bigint>();
    for (let turn = 0; turn < this.#mixed; turn += 1) {
      due.set(this.#place(turn), this.heightOf(Math.floor(turn / this.counts.each)));
    }
    for (let turn = 0; turn < this.counts.matchBlocks * this.counts.matches; turn += 1) {
      const block = this.mixedBlocks + Math.floor(turn / this.counts.matches);
      due.set(this.#place(this.#mixed + turn), this.heightOf(block));
    }
    return due;
  }

  /** Deployments whose lease is confirmed and reports usage in a block. */
  leases(block: number): number[] {
    return this.#turns(block).map((turn) => this.#place(turn));
  }

  /** Deployments that are closed in a block. */
  closes(block: number): number[] {
    return this.#turns(block).map((turn) => this.#place(this.#due + turn));
  }

  /** Deployments whose open order gets a bid, and how many it got before: a small market has its orders more than once. */
  bids(block: number): { readonly index: number; readonly before: number }[] {
    const first = this.#due + this.#mixed;
    const rest = this.size - first;
    return this.#turns(block).map((turn) => ({
      index: this.#place(first + (turn % rest)),
      before: Math.floor(turn / rest),
    }));
  }

  /** Deployments whose leases a block of confirmations confirms; nothing of the other blocks has touched them. */
  confirmed(): number[] {
    const { batch, confirmations } = this.counts;
    const free = [this.#mixed, this.#due, this.#due + this.#mixed, this.size] as const;
    const turns = [...range(free[0], free[1]), ...range(free[2], free[3])];
    const whole = Math.floor(Math.min(turns.length, confirmations) / batch) * batch;
    return turns.slice(0, whole).map((turn) => this.#place(turn));
  }

  get #mixed(): number {
    return this.mixedBlocks * this.counts.each;
  }

  get #due(): number {
    return this.#mixed + this.counts.matchBlocks * this.counts.matches;
  }

  #turns(block: number): number[] {
    return range(block * this.counts.each, (block + 1) * this.counts.each);
  }

  #place(turn: number): number {
    return (turn * this.#stride) % this.size;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

/** The first number from `wanted` on that meets every place once. */
function coprime(wanted: number, size: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let stride = Math.max(1, wanted);
  while (divisor(stride, size) !== 1) stride += 1;
  return stride;
}
