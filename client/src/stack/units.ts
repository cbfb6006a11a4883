/** Human units of a stack file to the chain's integers. Each returns undefined for what it cannot read exactly. */
import { Dec } from '@mu/lib/dec';

const sizeUnits: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['B', 1n],
  ['KB', 10n ** 3n],
  ['MB', 10n ** 6n],
  ['GB', 10n ** 9n],
  ['TB', 10n ** 12n],
  ...(['Ki', 'Mi', 'Gi', 'Ti'] as const).flatMap((unit, i): [string, bigint][] => {
    const factor = 1n << BigInt(10 * (i + 1));
    return [
      [unit, factor],
      [`${unit}B`, factor],
    ];
  }),
]);

/** How sizes may be written. */
export const sizeForms = 'bytes as an integer, or a number with KiB, MiB, GiB, TiB, KB, MB, GB or TB';

/** Bytes of `128MiB`, `1.5GiB`, `500MB`, `1024`: a whole number of bytes below 2⁶³. */
export function parseSize(value: unknown): bigint | undefined {
  const match = /^(\d{1,15})(?:\.(\d{1,9}))? ?([A-Za-z]*)$/.exec(textOf(value));
  const unit = match === null ? undefined : sizeUnits.get(match[3]!);
  if (match === null || unit === undefined) return undefined;
  const decimals = match[2] ?? '';
  const scale = 10n ** BigInt(decimals.length);
  const scaled = BigInt(match[1]! + decimals) * unit;
  const bytes = scaled / scale;
  return scaled % scale === 0n && bytes < 1n << 63n ? bytes : undefined;
}

/** How a share of a processor may be written. */
export const cpuForms = 'cores with at most three decimals (0.1, 2), or thousandths with an m (100m)';

/** Thousandths of a core: `0.1` → 100, `2` → 2000, `100m` → 100. At least 1, at most 1,000,000. */
export function parseCpu(value: unknown): number | undefined {
  const text = textOf(value);
  const thousandths = /^(\d{1,7})m$/.exec(text);
  const cores = /^(\d{1,4})(?:\.(\d{1,3}))?$/.exec(text);
  let cpu = 0;
  if (thousandths !== null) cpu = Number(thousandths[1]);
  else if (cores !== null) cpu = Number(cores[1]) * 1000 + Number((cores[2] ?? '').padEnd(3, '0'));
  return cpu >= 1 && cpu <= 1_000_000 ? cpu : undefined;
}

const durationUnitsMs: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['', 1000],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** How a time may be written. */
export const durationForms = 'seconds as an integer, or a number with ms, s, m or h';

/** Milliseconds of `500ms`, `30s`, `2m`, `30`; whole, at least 1, at most a day. */
export function parseDurationMs(value: unknown): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|)$/.exec(textOf(value));
  if (match === null) return undefined;
  const ms = Number(match[1]) * durationUnitsMs.get(match[2]!)!;
  return ms >= 1 && ms <= 86_400_000 ? ms : undefined;
}

/** How a price may be written. */
export const priceForms = 'umu as a decimal above 0, with at most 18 decimals, no exponent and no unit';

/** A price: a Dec above zero. */
export function parsePrice(value: unknown): Dec | undefined {
  try {
    const price = Dec.fromString(textOf(value));
    return price.isPositive() ? price : undefined;
  } catch {
    return undefined;
  }
}

/** A whole number between the bounds, exact however large. */
export function parseWhole(value: unknown, least: bigint, most: bigint): bigint | undefined {
  const text = textOf(value);
  if (!/^(0|[1-9]\d{0,77})$/.test(text)) return undefined;
  const whole = BigInt(text);
  return whole >= least && whole <= most ? whole : undefined;
}

/** Texts and numbers as text; anything else as one that no form accepts. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : '-';
}

/** The greater of two whole numbers; Math.max knows no bigint. */
export function greaterOf(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}
