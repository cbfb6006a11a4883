/** Counts what one workload uses. */
import type { WorkloadUsage } from './driver.ts';

const bytesPerMegabyte = 1024n * 1024n;

/**
 * What one call costs: memory limit × running time, in MiB·ms. Memory counts in whole MiB, time in µs; only the product
 * is rounded, up, so that a short call is not free and many short ones are not charged as long ones.
 */
export function megabyteMilliseconds(memoryBytes: number, runMicros: number): bigint {
  const megabytes = (BigInt(memoryBytes) + bytesPerMegabyte - 1n) / bytesPerMegabyte;
  return (megabytes * BigInt(Math.ceil(runMicros)) + 999n) / 1000n;
}

export class UsageMeter {
  #invocations = 0n;
  #megabyteMilliseconds = 0n;
  #taken: WorkloadUsage = { invocations: 0n, megabyteMilliseconds: 0n, egressBytes: 0n };

  /** A call that ran under a memory limit, whatever its end. */
  add(runMicros: number, memoryBytes: number): void {
    this.#invocations += 1n;
    this.#megabyteMilliseconds += megabyteMilliseconds(memoryBytes, runMicros);
  }

  /** A function has no network of its own: nothing leaves it but its answers. */
  total(): WorkloadUsage {
    return { invocations: this.#invocations, megabyteMilliseconds: this.#megabyteMilliseconds, egressBytes: 0n };
  }

  /** What came since the last time. */
  take(): WorkloadUsage {
    const total = this.total();
    const before = this.#taken;
    this.#taken = total;
    return {
      invocations: total.invocations - before.invocations,
      megabyteMilliseconds: total.megabyteMilliseconds - before.megabyteMilliseconds,
      egressBytes: 0n,
    };
  }
}
