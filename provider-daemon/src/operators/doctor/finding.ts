/** What `mu-provider doctor` finds, one thing at a time. */
import type { ProviderConfig } from '../../config/schema.ts';
import type { Probes } from './probes.ts';

export type Result = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly name: string;
  /** `warn`: works, but not as it should, or not for long; `fail`: does not work */
  readonly result: Result;
  /** how it stands */
  readonly message: string;
  /** what to do; where all is well there is nothing */
  readonly hint?: string;
}

/** Looks at one thing. What a probe throws is a failure of its own. */
export interface Check {
  readonly name: string;
  /** Undefined: does not concern this provider. */
  readonly look: (config: ProviderConfig, probes: Probes) => Promise<Verdict | undefined>;
}

export type Verdict = Omit<Finding, 'name'>;

export const ok = (message: string): Verdict => ({ result: 'ok', message });
export const warn = (message: string, hint: string): Verdict => ({ result: 'warn', message, hint });
export const fail = (message: string, hint: string): Verdict => ({ result: 'fail', message, hint });

const order: readonly Result[] = ['fail', 'warn', 'ok'];

/** One verdict of several: the worst result, the messages of that result. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  const result = order.find((one) => verdicts.some((verdict) => verdict.result === one)) ?? 'ok';
  const same = verdicts.filter((verdict) => verdict.result === result);
  const hints = [...new Set(same.flatMap(({ hint }) => hint ?? []))];
  return {
    result,
    message: same.map(({ message }) => message).join('; '),
    ...(hints.length === 0 ? {} : { hint: hints.join('; ') }),
  };
}
