/** Environments in a stack file: a map of names to values, or a list of such maps. */
import * as z from 'zod';
import { dictionary, field } from './fields.ts';
import { say, shown } from './problems.ts';

/** Environment variables' names. */
export const envNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** Bytes of one environment variable's value, at most. */
export const maxEnvValueBytes = 32 * 1024;
/** Environment variables of one service, at most. */
export const maxEnvEntries = 256;
const envNameAllowed = 'letters, digits and _, not beginning with a digit, at most 128';
const envValue = field(
  'an environment variable’s value',
  `a text of at most ${maxEnvValueBytes} bytes, a number, true or false; "" for an empty one`,
  (value) => {
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    return typeof value === 'string' && Buffer.byteLength(value) <= maxEnvValueBytes ? value : undefined;
  },
);
const envMap = dictionary('an environment', envNamePattern, envNameAllowed, envValue);
/** A list of maps, or one map, joined; rules.ts refuses a name that is given twice. */
export const env = z
  .unknown()
  .transform((value, context) => {
    if (Array.isArray(value) || (typeof value === 'object' && value !== null)) return value;
    context.issues.push({
      code: 'custom',
      message: say(`${shown(value)} is not an environment`, 'a map NAME: value, or a list of such maps'),
      input: value,
    });
    return z.NEVER;
  })
  .pipe(z.any().superRefine(checkEnv).transform(joinEnv));

function checkEnv(value: unknown, context: z.RefinementCtx): void {
  const maps = Array.isArray(value) ? value.map((map, i) => ({ map, path: [i] })) : [{ map: value, path: [] }];
  for (const { map, path } of maps) {
    for (const issue of envMap.safeParse(map).error?.issues ?? []) {
      context.addIssue({ ...issue, path: [...path, ...issue.path], input: undefined } as never);
    }
  }
  const entries = maps.reduce((sum, { map }) => sum + Object.keys((map as object | null) ?? {}).length, 0);
  if (entries > maxEnvEntries) {
    context.addIssue({ code: 'custom', message: say(`${entries} environment variables`, `at most ${maxEnvEntries}`) });
  }
}

function joinEnv(value: unknown): Record<string, string> {
  const maps = (Array.isArray(value) ? value : [value]) as Record<string, unknown>[];
  const entries = maps.flatMap((map) => Object.entries(map)).map(([key, item]) => [key, String(item)] as const);
  return Object.fromEntries(entries);
}
