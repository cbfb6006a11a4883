/** Every key of the store `bank`, byte by byte the SDK's (x/bank/types/keys.go). */
import { concatBytes, fromUtf8, utf8 } from '@mu/lib/bytes';
import { bankStore } from '@mu/lib/state-keys';

export { balanceKey, supplyKey } from '@mu/lib/state-keys';

export const moduleName = 'bank';
export const storeName = bankStore;

/** 0x00 ‖ denomination → amount as decimal text */
export const supplyPrefix = Uint8Array.of(0);
/** 0x01 ‖ base denomination → Metadata */
export const metadataPrefix = Uint8Array.of(1);
/** 0x02 ‖ length of the address ‖ address ‖ denomination → amount as decimal text */
export const balancePrefix = Uint8Array.of(2);
/** 0x03 ‖ denomination ‖ 0x00 ‖ length of the address ‖ address → nothing */
export const holderPrefix = Uint8Array.of(3);
/** 0x04 ‖ denomination → google.protobuf.BoolValue */
export const sendEnabledPrefix = Uint8Array.of(4);
/** → Params */
export const paramsKey = Uint8Array.of(5);

export function metadataKey(denom: string): Uint8Array {
  return concatBytes(metadataPrefix, utf8(denom));
}

export function sendEnabledKey(denom: string): Uint8Array {
  return concatBytes(sendEnabledPrefix, utf8(denom));
}

/** What all balances of an account begin with. @param address raw bytes, at most 255 */
export function accountBalancesKey(address: Uint8Array): Uint8Array {
  return concatBytes(balancePrefix, Uint8Array.of(address.length), address);
}

/** The address and denomination of a balance's key. */
export function parseBalanceKey(key: Uint8Array): [address: Uint8Array, denom: string] {
  const end = 2 + (key[1] as number);
  return [key.slice(2, end), fromUtf8(key.slice(end))];
}

/** What the entries of all holders of a denomination begin with. */
export function holdersKey(denom: string): Uint8Array {
  return concatBytes(holderPrefix, utf8(denom), Uint8Array.of(0));
}

export function holderKey(denom: string, address: Uint8Array): Uint8Array {
  const name = utf8(denom);
  const key = new Uint8Array(3 + name.length + address.length);
  key[0] = 3;
  key.set(name, 1);
  key[2 + name.length] = address.length;
  key.set(address, 3 + name.length);
  return key;
}
