/** Words of the command line, read. */
import { usageError } from './errors.ts';

/** @param what its name, for the error @throws CliError for what is no whole number of at most 19 digits */
export function wholeNumber(text: string, what: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw usageError(`${what}: "${text}" is no whole number`);
  return BigInt(text);
}

/** `1000umu`. @throws CliError for what is no coin */
export async function readCoin(text: string): Promise<{ denom: string; amount: string }> {
  const { parseCoin } = await import('@mu/lib/amounts');
  try {
    return parseCoin(text);
  } catch (error) {
    throw usageError(`"${text}" is no amount: write it like 1000umu (${error instanceof Error ? error.message : ''})`);
  }
}
