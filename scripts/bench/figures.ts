/** Figures of a run: printed as they come, kept for docs/PERFORMANCE.md. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** what it was measured under */
  readonly conditions: string;
}

export class Figures {
  readonly #json: boolean;
  readonly #all: Figure[] = [];

  constructor(json: boolean) {
    this.#json = json;
  }

  add(name: string, value: number, unit: string, conditions: string): void {
    const figure = { name, value: Number(value.toPrecision(4)), unit, conditions };
    this.#all.push(figure);
    console.log(
      this.#json
        ? JSON.stringify(figure)
        : `${name.padEnd(34)} ${String(figure.value).padStart(9)} ${unit.padEnd(12)} ${conditions}`,
    );
  }

  /** Appends the run to a table. */
  append(file: string, date: Date): void {
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
    const day = date.toISOString().slice(0, 10);
    const rows = this.#all.map(
      ({ name, value, unit, conditions }) => `| ${day} | ${commit} | ${name} | ${value} | ${unit} | ${conditions} |\n`,
    );
    appendFileSync(file, rows.join(''));
  }
}

/** The value below which a part of the sorted values lies. @param part from 0 to 1 */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

/** Bytes of memory of this process without the pages of files that it has mapped, where the system says so (Linux). */
export function ownMemory(): number {
  if (process.platform !== 'linux') return process.memoryUsage.rss();
  const [, kib = '0'] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return 1_024 * Number(kib);
}
