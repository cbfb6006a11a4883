/** The kinds of fields that the schema of a stack file is made of; each says of itself what it allows. */
import * as z from 'zod';
import { say, shown } from './problems.ts';
import {
  cpuForms,
  durationForms,
  parseCpu,
  parseDurationMs,
  parsePrice,
  parseSize,
  parseWhole,
  priceForms,
  sizeForms,
} from './units.ts';

/** A field read by a function of ours: `parse` gives undefined for what it does not accept. */
export function field<T>(what: string, allowed: string, parse: (value: unknown) => T | undefined) {
  return z.unknown().transform((value, context): T => {
    const parsed = value === undefined ? undefined : parse(value);
    if (parsed !== undefined) return parsed;
    const message = value === undefined ? `${what} is missing` : `${shown(value)} is not ${what}`;
    context.issues.push({ code: 'custom', message: say(message, allowed), input: value });
    return z.NEVER;
  });
}

/** A text that matches a pattern. */
export const text = (what: string, allowed: string, pattern: RegExp) =>
  field(what, allowed, (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined));

/** One of some words. */
export const oneOf = <const T extends string>(what: string, words: readonly T[]) =>
  field(what, words.join(', '), (value): T | undefined => words.find((word) => word === value));

/** true or false. */
export const flag = (what: string) =>
  field(what, 'true, false', (value) => (typeof value === 'boolean' ? value : undefined));

/** A whole number between two bounds. */
export const whole = (what: string, least: bigint, most: bigint) =>
  field(what, `an integer from ${least} to ${most}`, (value) => parseWhole(value, least, most));

/** A whole number between two bounds that fits a JavaScript number. */
export const count = (what: string, least: number, most: number) =>
  field(what, `an integer from ${least} to ${most}`, (value) => {
    const parsed = parseWhole(value, BigInt(least), BigInt(most));
    return parsed === undefined ? undefined : Number(parsed);
  });

/** Bytes, in human units. */
export const size = (what: string, least: bigint, most: bigint) =>
  field(what, `${sizeForms}; from ${sizeText(least)} to ${sizeText(most)}`, (value) => {
    const bytes = parseSize(value);
    return bytes !== undefined && bytes >= least && bytes <= most ? bytes : undefined;
  });

/** Thousandths of a core. */
export const cpu = () => field('a share of a processor', cpuForms, parseCpu);

/** A time in milliseconds, at most so many. */
export const durationMs = (what: string, mostMs: number) =>
  field(what, `${durationForms}; at most ${mostMs / 1000}s`, (value) => {
    const ms = parseDurationMs(value);
    return ms !== undefined && ms <= mostMs ? ms : undefined;
  });

/** A price in umu above zero. */
export const price = (what: string) => field(what, priceForms, parsePrice);

/** A list with bounded length. */
export const list = <T extends z.ZodType>(what: string, element: T, most: number, least = 0) => {
  const allowed = `a list of ${least} to ${most}`;
  return z
    .array(element, { error: (issue) => missingOrWrong(what, allowed, issue.input) })
    .refine((items) => items.length >= least && items.length <= most, {
      error: (issue) => say(`${what} has ${(issue.input as unknown[]).length} entries`, allowed),
    });
};

/** A map with exactly these keys. */
export const record = <T extends z.ZodRawShape>(what: string, shape: T) => {
  const allowed = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return say('unknown key', allowed);
      return missingOrWrong(what, `a map with the keys ${allowed}`, issue.input);
    },
  });
};

/** A map whose keys the user chooses. Its issues about keys are placed at the key. */
export function dictionary<T extends z.ZodType>(what: string, keys: RegExp, keysAllowed: string, value: T) {
  return z.record(
    z.string().regex(keys, { error: (issue) => say(`${shown(issue.input)} cannot be a key of ${what}`, keysAllowed) }),
    value,
    { error: (issue) => missingOrWrong(what, `a map; keys: ${keysAllowed}`, issue.input) },
  );
}

function missingOrWrong(what: string, allowed: string, input: unknown): string {
  return say(input === undefined ? `${what} is missing` : `${shown(input)} is not ${what}`, allowed);
}

/** 128 MiB rather than 134217728. */
export function sizeText(bytes: bigint): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let rest = bytes;
  while (unit < units.length - 1 && rest >= 1024n && rest % 1024n === 0n) {
    rest /= 1024n;
    unit += 1;
  }
  return `${rest} ${units[unit]}`;
}
