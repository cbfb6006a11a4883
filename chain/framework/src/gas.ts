/** Gas: the Cosmos SDK's meters and its table of store costs (store/types/gas.go), on which clients' estimates depend. */
import { AbciError, errOutOfGas } from './errors.ts';

/** Costs of store access in gas, the SDK's `KVGasConfig()`. */
export const kvGas = {
  has: 1000,
  delete: 1000,
  readFlat: 1000,
  readPerByte: 3,
  writeFlat: 2000,
  writePerByte: 30,
  iterateFlat: 30,
} as const;

/** The most gas that can be counted. */
export const maxUint64 = 2n ** 64n - 1n;

/** Up to here sums of numbers are exact, whatever is added next. */
const exact = 2 ** 52;
const exactBig = BigInt(exact);

/**
 * Counts gas up to a limit; one without a limit only counts. Every access to a store counts three times, so the sum is a
 * number as long as a number is exact.
 */
export class GasMeter {
  readonly limit: bigint | undefined;
  /** what was counted in `#few` before it came near to its bound, or above the limit */
  #many = 0n;
  #few = 0;
  /** up to here `#few` alone is the sum, and it is within the limit */
  #bound: number;

  /** @param limit in gas; undefined for none */
  constructor(limit?: bigint) {
    this.limit = limit;
    this.#bound = limit === undefined || limit > exactBig ? exact : Number(limit);
  }

  get consumed(): bigint {
    return this.#many + BigInt(this.#few);
  }

  /** Adds to what is used. @throws AbciError out of gas (11) once above the limit; what was used stays counted. */
  consume(amount: bigint | number, descriptor: string): void {
    const few = typeof amount === 'number' || amount <= exactBig ? Number(amount) : Number.POSITIVE_INFINITY;
    const sum = this.#few + few;
    if (sum <= this.#bound) this.#few = sum;
    else this.#consumeMany(BigInt(amount), descriptor);
  }

  #consumeMany(amount: bigint, descriptor: string): void {
    const { limit } = this;
    const consumed = this.consumed + amount;
    this.#many = consumed;
    this.#few = 0;
    // From here on every sum is made here.
    this.#bound = -1;
    if (limit === undefined ? consumed > maxUint64 : consumed > limit) {
      throw new AbciError(
        errOutOfGas,
        `out of gas in location: ${descriptor}; gasWanted: ${limit ?? 0n}, gasUsed: ${consumed}: ${errOutOfGas.description}`,
      );
    }
  }

  /** What counts against the block: never more than the limit. */
  consumedToLimit(): bigint {
    const { consumed, limit } = this;
    return limit !== undefined && consumed > limit ? limit : consumed;
  }

  isExhausted(): boolean {
    return this.limit !== undefined && this.consumed >= this.limit;
  }
}
