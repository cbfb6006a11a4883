/** Every key of the store `acc`, byte by byte the SDK's (x/auth/types/keys.go). */
import { concatBytes, u64be, utf8 } from '@mu/lib/bytes';

export const moduleName = 'auth';
export const storeName = 'acc';

/** The module account that fees go to. */
export const feeCollector = 'fee_collector';

/** → Params */
export const paramsKey = Uint8Array.of(0);
/** the next account number, 8 bytes big-endian */
export const accountNumberKey = Uint8Array.of(2);
/** 0x01 ‖ address → Any of an account */
export const accountPrefix = Uint8Array.of(1);
const numberIndexPrefix = utf8('accountNumber');

/** @param address raw bytes */
export function accountKey(address: Uint8Array): Uint8Array {
  return concatBytes(accountPrefix, address);
}

/** `accountNumber` ‖ number in 8 bytes big-endian → raw address */
export function numberIndexKey(accountNumber: bigint): Uint8Array {
  return concatBytes(numberIndexPrefix, u64be(accountNumber));
}
