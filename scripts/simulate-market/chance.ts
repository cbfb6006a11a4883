/** Chance that can be had again. */
import { type Random, seeded } from '../lib/perturb/random.ts';

export class Chance {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return this.#random.below(end);
  }

  /** A whole number from `least` to `most`. */
  from(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  big(least: bigint, most: bigint): bigint {
    return least + BigInt(this.below(Number(most - least) + 1));
  }

  /** True once in so many times. */
  once(inMany: number): boolean {
    return this.below(inMany) === 0;
  }

  /** @throws RangeError for an empty list */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('there is nothing to pick');
    return list[this.below(list.length)] as T;
  }

  /** One of a list that may be empty. */
  any<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : this.pick(list);
  }

  /** Some of a list, in its order. */
  some<T>(list: readonly T[]): T[] {
    return list.filter(() => this.once(2));
  }
}
