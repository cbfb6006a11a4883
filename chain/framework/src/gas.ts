/** Gas: the Cosmos SDK's meters and its table of store costs (store/types/gas.go), on which clients' estimates depend. */
import { AbciError, errOutOfGas } from './errors.ts';

/** Costs of store access in gas, the SDK's `KVGasConfig()`. */
export const kvGas = {
  has: 1000n,
  delete: 1000n,
  readFlat: 1000n,
  readPerByte: 3n,
  writeFlat: 2000n,
  writePerByte: 30n,
  iterateFlat: 30n,
} as const;

/** The most gas that can be counted. */
export const maxUint64 = 2n ** 64n - 1n;

/** Counts gas up to a limit; one without a limit only counts. */
export class GasMeter {
  readonly limit: bigint | undefined;
  consumed = 0n;

  /** @param limit in gas; undefined for none */
  constructor(limit?: bigint) {
    this.limit = limit;
  }

  /** Adds to what is used. @throws AbciError out of gas (11) once above the limit; what was used stays counted. */
  consume(amount: bigint, descriptor: string): void {
    this.consumed += amount;
    if (this.limit === undefined ? this.consumed > maxUint64 : this.consumed > this.limit) {
      throw new AbciError(
        errOutOfGas,
        `out of gas in location: ${descriptor}; gasWanted: ${this.limit ?? 0n}, gasUsed: ${this.consumed}: ${errOutOfGas.description}`,
      );
    }
  }

  /** What counts against the block: never more than the limit. */
  consumedToLimit(): bigint {
    return this.limit !== undefined && this.consumed > this.limit ? this.limit : this.consumed;
  }

  isExhausted(): boolean {
    return this.limit !== undefined && this.consumed >= this.limit;
  }
}
