/** Quantities by service and metric, in base units: what a lease has used since its last report. */
import type { UsageItem } from '@mu/proto/billing';

export interface Quantity {
  readonly service: string;
  readonly metric: string;
  readonly quantity: bigint;
}

export class Counters {
  readonly #quantities = new Map<string, Quantity>();

  constructor(quantities: readonly Quantity[] = []) {
    for (const { service, metric, quantity } of quantities) this.add(service, metric, quantity);
  }

  add(service: string, metric: string, quantity: bigint): void {
    if (quantity === 0n) return;
    const key = `${service}\n${metric}`;
    const before = this.#quantities.get(key)?.quantity ?? 0n;
    const sum = before + quantity;
    if (sum === 0n) this.#quantities.delete(key);
    else this.#quantities.set(key, { service, metric, quantity: sum });
  }

  /** Takes off what a report has carried. */
  subtract(quantities: readonly Quantity[]): void {
    for (const { service, metric, quantity } of quantities) this.add(service, metric, -quantity);
  }

  /** Ascending by service and metric in byte order, without zeros: the order of a report. */
  items(): UsageItem[] {
    return [...this.#quantities.values()].sort(byServiceAndMetric).map((item) => ({ ...item }));
  }
}

function byServiceAndMetric(a: Quantity, b: Quantity): number {
  if (a.service !== b.service) return a.service < b.service ? -1 : 1;
  return a.metric < b.metric ? -1 : a.metric > b.metric ? 1 : 0;
}
