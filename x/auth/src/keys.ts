/** Every key of the store `acc`, byte by byte the SDK's (x/auth/types/keys.go). */
import { utf8, writeU64be } from '@mu/lib/bytes';
import { accountStore } from '@mu/lib/state-keys';

export { accountKey } from '@mu/lib/state-keys';

export const moduleName = 'auth';
export const storeName = accountStore;

/** The module account that fees go to. */
export const feeCollector = 'fee_collector';

/** → Params */
export const paramsKey = Uint8Array.of(0);
/** the next account number, 8 bytes big-endian */
export const accountNumberKey = Uint8Array.of(2);
/** 0x01 ‖ address → Any of an account */
export const accountPrefix = Uint8Array.of(1);
const numberIndexPrefix = utf8('accountNumber');

/** `accountNumber` ‖ number in 8 bytes big-endian → raw address */
export function numberIndexKey(accountNumber: bigint): Uint8Array {
  const key = new Uint8Array(numberIndexPrefix.length + 8);
  key.set(numberIndexPrefix);
  writeU64be(key, numberIndexPrefix.length, accountNumber);
  return key;
}
