/** The inventory for people and scripts: `mu-provider inventory`. Pure. */
import type { Inventory, Resources } from './inventory.ts';
import type { Difference } from './reconcile.ts';

/** One kind; amounts are texts, since bytes go beyond what every JSON reader keeps. */
export interface InventoryLine {
  /** `cpu` in thousandths of a core, `memory` and `disk` in bytes, `gpu vendor/model` in processors */
  readonly kind: string;
  readonly offered: string;
  readonly leased: string;
  readonly reserved: string;
  readonly free: string;
}

export interface InventoryReport {
  /** What the machine has, before over-commit. */
  readonly machine: { readonly cpu: string; readonly memory: string; readonly disk: string };
  readonly lines: readonly InventoryLine[];
  readonly leases: number;
  readonly open_bids: number;
  /** in umu */
  readonly collateral: { readonly leases: string; readonly bids: string };
  /** in words: what runs without a lease, and what should run and does not */
  readonly differences: readonly string[];
}

export function inventoryReport(
  machine: Resources,
  inventory: Inventory,
  differences: readonly Difference[] = [],
): InventoryReport {
  const { offered, leased, reserved, free, gpus, collateral } = inventory;
  const line = (kind: 'cpu' | 'memory' | 'disk'): InventoryLine => ({
    kind,
    offered: `${offered[kind]}`,
    leased: `${leased[kind]}`,
    reserved: `${reserved[kind]}`,
    free: `${free[kind]}`,
  });
  const ofGpus = gpus.map((stock) => ({
    kind: `gpu ${stock.vendor}/${stock.model}`,
    offered: `${stock.offered}`,
    leased: `${stock.leased}`,
    reserved: `${stock.reserved}`,
    free: `${stock.free}`,
  }));
  return {
    machine: { cpu: `${machine.cpu}`, memory: `${machine.memory}`, disk: `${machine.disk}` },
    lines: [line('cpu'), line('memory'), line('disk'), ...ofGpus],
    leases: inventory.leases,
    open_bids: inventory.openBids,
    collateral: { leases: `${collateral.leases}`, bids: `${collateral.bids}` },
    differences: differences.map(({ text }) => text),
  };
}

/** The report as lines of text, in columns: cores and MiB instead of thousandths and bytes. */
export function inventoryTable({ lines, leases, open_bids, collateral, differences }: InventoryReport): string {
  const heads = ['', 'offered', 'leased', 'reserved', 'free'];
  const rows = lines.map(({ kind, offered, leased, reserved, free }) => [
    unitOf(kind),
    ...[offered, leased, reserved, free].map((amount) => readable(kind, amount)),
  ]);
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const shown = [heads, ...rows].map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return [
    ...shown,
    `${leases} leases, ${open_bids} open bids; collateral ${collateral.leases} and ${collateral.bids} umu`,
    ...differences,
  ].join('\n');
}

const unitOf = (kind: string): string =>
  kind === 'cpu' ? 'cpu (cores)' : kind.startsWith('gpu') ? kind : `${kind} (MiB)`;

function readable(kind: string, amount: string): string {
  if (kind.startsWith('gpu')) return amount;
  const value = BigInt(amount);
  if (kind !== 'cpu') return `${value / 1_048_576n}`;
  const [size, sign] = value < 0n ? [-value, '-'] : [value, ''];
  const thousandths = `${size % 1_000n}`.padStart(3, '0');
  return `${sign}${size / 1_000n}.${thousandths}`;
}
