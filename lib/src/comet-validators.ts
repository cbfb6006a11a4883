/** What a CometBFT 0.38 header says of the validators (types/validator_set.go, types/validator.go). */
import type { PublicKey } from 'cosmjs-types/tendermint/crypto/keys';
import { SimpleValidator } from 'cosmjs-types/tendermint/types/validator';
import { ripemd160, sha256 } from './hashes.ts';
import { merkleRoot } from './merkle.ts';

/** The most power that all validators have together: an eighth of the greatest int64. */
export const maxTotalPower = ((1n << 63n) - 1n) / 8n;

/** Address of a consensus key: 20 bytes. @throws Error for a key of another type */
export function addressOfKey(key: PublicKey): Uint8Array {
  if (key.ed25519 !== undefined) return sha256(key.ed25519).subarray(0, 20);
  if (key.secp256k1 !== undefined) return ripemd160(sha256(key.secp256k1));
  throw new Error('a validator key must be Ed25519 or secp256k1');
}

/** Root over keys and powers in the order of the set, for headers. 32 bytes. */
export function validatorsHash(
  validators: readonly { readonly pubKey?: PublicKey | undefined; readonly votingPower: bigint }[],
): Uint8Array {
  return merkleRoot(
    validators.map(({ pubKey, votingPower }) =>
      SimpleValidator.encode(pubKey === undefined ? { votingPower } : { pubKey, votingPower }).finish(),
    ),
  );
}
