/** Numbers as people read them: grouped amounts, prices per month, blocks as time, enums as words. */
import { Dec } from '@mu/lib/dec';

/** A year of 365.25 days in seconds. */
const yearSeconds = 31_557_600;

/** `1234567.5` → `1,234,567.5`. */
export function grouped(value: bigint | Dec): string {
  const [whole = '0', fraction] = (typeof value === 'bigint' ? value.toString() : value.toPlain()).split('.');
  const shown = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? shown : `${shown}.${fraction}`;
}

/** A price of a block as that of a month, in whole base units. @param atomics 10⁻¹⁸ base units per block */
export function perMonth(atomics: bigint, blocksPerYear: bigint): bigint {
  return (atomics * blocksPerYear) / (12n * Dec.one.atomics);
}

/** Seconds that a number of blocks takes by the chain's own reckoning. */
export function secondsOf(blocks: bigint, blocksPerYear: bigint): number {
  return blocksPerYear === 0n ? 0 : (Number(blocks) * yearSeconds) / Number(blocksPerYear);
}

const units: readonly (readonly [string, number])[] = [
  ['year', yearSeconds],
  ['day', 86_400],
  ['h', 3_600],
  ['min', 60],
];

/** `93784` seconds → `1 day 2 h`. The two largest units; below a minute seconds. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const at = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[at] as readonly [string, number];
  const count = Math.floor(seconds / size);
  const [nextName, nextSize] = units[at + 1] ?? ['s', 1];
  const rest = Math.floor((seconds - count * size) / nextSize);
  return rest === 0 ? counted(count, name) : `${counted(count, name)} ${counted(rest, nextName)}`;
}

/** `1 line`, `2 lines`; short units like `h` stay as they are. */
export function counted(count: number, unit: string): string {
  return `${count} ${unit}${unit.length > 2 && unit !== 'min' && count !== 1 ? 's' : ''}`;
}

/** `LEASE_STATE_OUT_OF_FUNDS` → `out of funds`: the name behind what all of the enum share. */
export function wordOf(names: Readonly<Record<string, number | string>>, value: number): string {
  const all = Object.keys(names).filter((name) => /^[A-Z]/.test(name) && name !== 'UNRECOGNIZED');
  const name = all.find((key) => names[key] === value);
  if (name === undefined) return String(value);
  const shared = all[0]?.replace(/UNSPECIFIED$/, '') ?? '';
  return name.slice(shared.length).toLowerCase().replaceAll('_', ' ');
}

/** `1536` → `1.5 KiB`. */
export function bytesText(value: bigint): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let size = Number(value);
  for (; size >= 1024 && at < units.length - 1; at++) size /= 1024;
  return `${Number(size.toPrecision(4))} ${units[at]}`;
}
