/** How addresses follow from names and keys. */
import { utf8 } from './bytes.ts';
import { ripemd160, sha256 } from './hashes.ts';

/** Length in bytes of a module's or a key's address. */
export const addressLength = 20;

/** A module account's address: the first 20 bytes of SHA-256(name) (the SDK's NewModuleAddress). */
export function moduleAddress(name: string): Uint8Array {
  if (name === '') throw new RangeError('a module account needs a name');
  return sha256(utf8(name)).slice(0, addressLength);
}

/** The address of a compressed secp256k1 key: RIPEMD-160(SHA-256(key)). @throws RangeError when it is not compressed */
export function secp256k1Address(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== 33 || (publicKey[0] !== 2 && publicKey[0] !== 3)) {
    throw new RangeError('a compressed secp256k1 public key has 33 bytes and begins with 2 or 3');
  }
  return ripemd160(sha256(publicKey));
}
