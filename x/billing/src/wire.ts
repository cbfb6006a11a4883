/** Numbers as messages carry them. An absent field is 0: protobuf does not tell the two apart. */
import { type Amount, formatAmount, parseAmount } from '@mu/lib/amounts';
import { Dec } from '@mu/lib/dec';
import { errInvalidAmount, errOverflow } from './errors.ts';

/** 1 umu in atomics of 10⁻¹⁸. */
export const umuAtomics = 10n ** 18n;

/** @throws AbciError invalid amount when it is no integer of 0 … 256 bits */
export function intFromWire(text: string): Amount {
  if (text === '') return 0n;
  try {
    return parseAmount(text);
  } catch (error) {
    throw errInvalidAmount.wrap(error instanceof Error ? error.message : 'not an amount');
  }
}

/** @throws AbciError when it is negative or above 256 bits */
export function intToWire(value: Amount): string {
  try {
    return formatAmount(value);
  } catch (error) {
    throw errOverflow.wrap(error instanceof Error ? error.message : 'not an amount');
  }
}

/** Atomics of a decimal. @throws AbciError invalid amount when it is none, negative or above 10³⁶ */
export function atomicsFromWire(text: string): bigint {
  if (text === '') return 0n;
  let value: Dec;
  try {
    value = Dec.fromAtomics(text);
  } catch (error) {
    throw errInvalidAmount.wrap(error instanceof Error ? error.message : 'not a decimal');
  }
  if (value.isNegative()) throw errInvalidAmount.wrap(`decimal ${value.toString()} is negative`);
  return value.atomics;
}
