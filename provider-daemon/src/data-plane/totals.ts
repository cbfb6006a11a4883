/**
 * What leases used, as totals that never fall, on the disk. The daemon takes differences: whichever of the two restarts,
 * nothing is counted twice. A total is told only when the disk has it, so after `kill -9` no total is below one that was
 * told; what is lost is what was used since the last write.
 */
import { mkdirSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import { reach } from '../faults/fault-points.ts';
import type { Quantity } from '../usage/counters.ts';
import type { LeaseTotals, PlaneTotal } from './plane.ts';

const keyOf = (service: string, metric: string): string => `${service}\n${metric}`;

export class Totals {
  readonly #database: RootDatabase<string, string>;
  readonly #leases = new Map<string, Map<string, bigint>>();
  readonly #changed = new Set<string>();

  /** Opens the totals in a folder, or makes them. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Without overlapping sync a commit returns when the disk has it.
    this.#database = open<string, string>({ path: folder, encoding: 'string', overlappingSync: false });
    for (const { key, value } of this.#database.getRange()) {
      const totals = JSON.parse(value) as readonly PlaneTotal[];
      const entries = totals.map(({ service, metric, total }) => [keyOf(service, metric), BigInt(total)] as const);
      this.#leases.set(key, new Map(entries));
    }
  }

  /** Adds to a lease's totals, in memory. */
  add(lease: string, quantities: readonly Quantity[]): void {
    for (const { service, metric, quantity } of quantities) {
      if (quantity <= 0n) continue;
      const totals = this.#leases.get(lease) ?? new Map<string, bigint>();
      this.#leases.set(lease, totals);
      const key = keyOf(service, metric);
      totals.set(key, (totals.get(key) ?? 0n) + quantity);
      this.#changed.add(lease);
    }
  }

  /** Brings what was added to the disk: all of it in one write. */
  flush(): void {
    if (this.#changed.size === 0) return;
    reach('totals.flushing');
    this.#database.transactionSync(() => {
      for (const lease of this.#changed) this.#database.putSync(lease, JSON.stringify(this.#of(lease)));
    });
    this.#changed.clear();
    reach('totals.flushed');
  }

  /** All totals, once the disk has them. */
  all(): LeaseTotals[] {
    this.flush();
    return [...this.#leases.keys()].map((lease) => ({ lease, totals: this.#of(lease) }));
  }

  forget(lease: string): void {
    this.#leases.delete(lease);
    this.#changed.delete(lease);
    this.#database.removeSync(lease);
  }

  /** @throws Error where the disk does not take what was added last; closed it is all the same */
  async close(): Promise<void> {
    try {
      this.flush();
    } finally {
      await this.#database.close();
    }
  }

  #of(lease: string): PlaneTotal[] {
    return [...(this.#leases.get(lease) ?? [])].map(([key, total]) => {
      const [service = '', metric = ''] = key.split('\n');
      return { service, metric, total: total.toString() };
    });
  }
}
