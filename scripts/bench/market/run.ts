/** Runs each size in a process of its own, and sums up. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MarketFigures, MarketOptions } from './measure.ts';
import { type Counts, fullCounts } from './plan.ts';

/** Memory for nodes of the trees, as a node has it by default. */
const cacheMb = 192;

export async function marketFigures(size: number, counts: Counts = fullCounts): Promise<MarketFigures> {
  // Room for what is young, as the thread of the application has it.
  const args = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=64'];
  const options: Omit<MarketOptions, 'folder'> = { size, counts, cacheMb };
  const child = [...args, join(import.meta.dirname, 'child.ts'), JSON.stringify(options)];
  const { stdout } = await promisify(execFile)(process.execPath, child);
  return JSON.parse(stdout) as MarketFigures;
}

/** The last line of a run. */
export interface MarketSummary {
  readonly block_ms: Readonly<Record<string, number>>;
  readonly matches_per_s: number;
  readonly confirmations_per_s: number;
}

/** Rates are those of the largest market. */
export function summaryOf(all: readonly MarketFigures[]): MarketSummary {
  const largest = all.reduce((a, b) => (b.size > a.size ? b : a));
  return {
    block_ms: Object.fromEntries(all.map(({ size, block_ms }) => [sizeName(size), rounded(block_ms)])),
    matches_per_s: rounded(largest.matches_per_s),
    confirmations_per_s: rounded(largest.confirmations_per_s),
  };
}

/** `1e4` where the size is a power of ten. */
export function sizeName(size: number): string {
  return size
    .toExponential()
    .replace('+', '')
    .replace(/^(.*)e0$/, '$1');
}

export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** Messages whose gas differs between two sizes, with what it is at each. */
export function gasDifferences(all: readonly MarketFigures[]): string[] {
  const [first, ...others] = all;
  if (first === undefined) return [];
  return others.flatMap(({ size, gas }) =>
    Object.keys({ ...first.gas, ...gas }).flatMap((kind) => {
      const [one, other] = [first.gas[kind]?.join('–'), gas[kind]?.join('–')];
      return one === other ? [] : [`${kind}: ${one} at ${sizeName(first.size)}, ${other} at ${sizeName(size)}`];
    }),
  );
}
