/** Answers of providers: a stranger's, so of the form that is known, and of bounded length. */
import * as z from 'zod';
import { ProviderConnectionError } from './errors.ts';
import type { ProviderAddress } from './provider-address.ts';

/** A 64-bit number as text. */
export const u64 = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);

export const text = z.string().max(4096);

/** @throws ProviderConnectionError for an answer of another form */
export function checked<T extends z.ZodType>(at: ProviderAddress, schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ProviderConnectionError(`${at.hostUri} answered in a form that is not known here: another version?`);
}
